"""Executors: where batches are computed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

from runner.contracts.capabilities import CapabilityMeta
from runner.contracts.plugin import Plugin

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Lost(Generic[Item]):
    """An item whose computation ended without a result: the process died, or had to be stopped.

    Attributes:
        item: the item.
        reason: what happened, in a few words, e.g. `its process was killed by SIGSEGV`.
        timed_out: whether it was stopped because it gave no sign of life for too long.
    """

    item: Item
    reason: str
    timed_out: bool


def _unheard() -> None:
    """Be a sign of life that nobody listens to."""


sign_of_life: ContextVar[Callable[[], None]] = ContextVar("sign_of_life", default=_unheard)
"""What a computation calls at each iterate. An executor sets it where it computes, to know what still moves from what hangs."""


class Executor(Plugin, ABC):
    """Where batches are computed."""

    @abstractmethod
    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], limit: Callable[[Item], float | None]
    ) -> Iterator[Result | Lost[Item]]:
        """Compute `function(item)` for each item.

        Args:
            function: what to compute; it can be pickled, and so can items and results.
            items: what to compute it for.
            limit: the seconds an item may go without a sign of life, or None. An executor that can stop a computation and hears
                its signs, by setting `sign_of_life`, does so beyond that; how long an item takes in all is not limited.

        Yields:
            Each result as soon as it is there, in any order; `Lost` for an item that ended without one. What the function raises,
            this raises.
        """


@runtime_checkable
class HasWorkers(Protocol, metaclass=CapabilityMeta):
    """An executor that computes several items at the same time."""

    @property
    def workers(self) -> int:
        """The number of items that it computes at the same time."""
