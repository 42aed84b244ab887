"""One batch after another, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from runner import Executor, hookimpl

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Serial(Executor):
    """Computes function(item) for one item after another, in this process, each only when it is asked for."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Yield `function(item)` for each item, in order."""
        return map(function, items)


@hookimpl
def runner_executors() -> Mapping[str, type[Executor]]:
    """Offer serial execution."""
    return {"serial": Serial}
