"""Execution of one batch after another, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from runner import Executor, Lost, hookimpl

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Serial(Executor):
    """Computes one batch after another in this process. A batch cannot be stopped from outside.

    A run that takes too long ends at its next iterate. A run that never reaches its next iterate is not stopped.
    """

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], limit: Callable[[Item], float | None]
    ) -> Iterator[Result | Lost[Item]]:
        """Yield `function(item)` for each item in order, computed on request; `limit` is not used."""
        return map(function, items)


@hookimpl
def runner_executors() -> Mapping[str, type[Executor]]:
    """Offer serial execution."""
    return {"serial": Serial}
