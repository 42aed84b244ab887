"""Batches sent through an executor, which is somebody's plugin: each has to come back once, as a result or as lost."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Protocol, TypeVar, cast

from runner.contracts.executor import Executor, Lost
from runner.engine.batch import Batch
from runner.engine.parcel import Opened, Parcel, is_ours, ours
from runner.errors import PluginError, RunnerError
from runner.registry.setting import Setting

REST = "what was stored is kept, and the same command computes the rest; --executor serial computes it without this executor"


class Identified(Protocol):
    """What comes of a batch, and says of which."""

    @property
    def identities(self) -> tuple[str, ...]:
        """Of the batch's runs, in order."""


Result = TypeVar("Result", bound=Identified)


def dispatched(
    executor: Setting,
    function: Callable[[Batch], Result],
    kind: type[Result],
    parcels: Iterable[Parcel],
    limit: Callable[[Parcel], float | None],
) -> Generator[Result | Lost[Parcel]]:
    """Compute a function of batches where the executor computes, and yield what comes back.

    Args:
        executor: where to compute.
        function: what to compute.
        kind: what it returns.
        parcels: the batches.
        limit: the seconds a batch may go without a sign of life, or None.

    Raises:
        PluginError: the executor fails, or yields something else than one result for each batch.
    """
    ledger = _Ledger(executor)
    work = ledger.handed_out(parcels)
    try:
        for answer in cast(Executor, executor.plugin).map(Opened(function), work, limit):
            yield ledger.ticked_off(answer, kind)
        complete = not ledger.waiting and next(work, None) is None
    except RunnerError:
        raise
    except (Exception, SystemExit) as error:
        if is_ours(error):
            raise
        raise PluginError(f"{ledger.name} raised {type(error).__name__}: {error}; {REST}") from error
    if not complete:
        raise PluginError(f"{ledger.name} ended before each item had its result or was yielded as runner.Lost; {REST}")


class _Ledger:
    """Which batches an executor was given, and which of them have come back."""

    def __init__(self, executor: Setting) -> None:
        self.name = f"executor {executor.name}: {type(executor.plugin).__name__}.map"
        self.waiting: set[tuple[str, ...]] = set()
        self.settled: set[tuple[str, ...]] = set()

    def handed_out(self, parcels: Iterable[Parcel]) -> Iterator[Parcel]:
        """Yield the parcels, and note them."""
        with ours():
            for parcel in parcels:
                self.waiting.add(parcel.batch.identities)
                yield parcel

    def ticked_off(self, answer: object, kind: type[Result]) -> Result | Lost[Parcel]:
        """Return what the executor yielded, if that is what it owed.

        Raises:
            PluginError: it is not.
        """
        identities = _identities(answer, kind)
        if identities in self.settled:
            raise PluginError(f"{self.name} yielded a result twice; it must yield one for each item")
        if identities is None or identities not in self.waiting:
            raise PluginError(
                f"{self.name} yielded {_shown(answer)}; it must yield function(item), or runner.Lost, for each item"
            )
        self.waiting.remove(identities)
        self.settled.add(identities)
        return cast("Result | Lost[Parcel]", answer)


def _identities(answer: object, kind: type[Identified]) -> tuple[str, ...] | None:
    if isinstance(answer, kind):
        return answer.identities
    if isinstance(answer, Lost) and isinstance(answer.item, Parcel) and isinstance(answer.reason, str):
        return answer.item.batch.identities
    return None


def _shown(answer: object) -> str:
    text = repr(answer)
    return text if len(text) <= 60 else text[:57] + "..."
