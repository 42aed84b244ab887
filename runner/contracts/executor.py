"""Executors: the places where batches are computed."""

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
        reason: the reason in a few words, e.g. `its process was killed by SIGSEGV`.
        timed_out: True if it was stopped because it gave no sign of life for too long.
        step: the last number that the computation passed to `report_step`; None if it passed none, or if the executor does not
            know it. This number allows the steps of a single run to be computed again and stored.
    """

    item: Item
    reason: str
    timed_out: bool
    step: int | None = None


sign_of_life: ContextVar[Callable[[], None]] = ContextVar("sign_of_life", default=lambda: None)
"""A function that a computation calls at each iterate.

An executor sets it in the process that computes, to distinguish a computation that advances from one that hangs.
"""

report_step: ContextVar[Callable[[int], None]] = ContextVar("report_step", default=lambda step: None)
"""A function that a computation calls with the number of each iterate that it has computed.

An executor sets it in the process that computes. If that process ends, the executor knows how far the computation came.
"""


class Executor(Plugin, ABC):
    """A place where batches are computed."""

    @abstractmethod
    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item], limit: Callable[[Item], float | None]
    ) -> Iterator[Result | Lost[Item]]:
        """Compute `function(item)` for each item.

        Args:
            function: the function to compute. It can be pickled, and so can the items and the results.
            items: the arguments of the function, one for each call.
            limit: a function that returns the time in seconds that an item may go without a sign of life, or None. An executor
                that sets `sign_of_life` and can stop a computation stops it after that time. The total time of an item is not
                limited.

        Yields:
            Each result as soon as it is available, in any order, and `Lost` for an item that ended without a result.

        Raises:
            Exception: an exception that the function raises, unchanged.
        """


@runtime_checkable
class HasWorkers(Protocol, metaclass=CapabilityMeta):
    """An executor that computes several items at the same time."""

    @property
    def workers(self) -> int:
        """The number of items that it computes at the same time."""
