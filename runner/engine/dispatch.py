"""The dispatch of batches to an executor, which may be any plugin and may compute in other processes.

The executor must return each batch exactly once, as a result or as `runner.Lost`.
"""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar, cast

from runner.contracts.executor import Executor, Lost
from runner.engine.batch import Batch
from runner.errors import PluginError, RunnerError, describe
from runner.registry.registry import Registry
from runner.registry.setting import Setting

OWN_ERROR = "The exception was raised by the function that the executor computes, and not by the executor."
"""The note that distinguishes an exception of this package or of a plugin from an exception of the executor."""
REMEDY = "the stored runs are kept, and the same command computes the others; --executor serial avoids this executor"


class Parcel:
    """A batch and the local plugin files that its plugins come from.

    Another process does not know these files. Unpickling a parcel loads them, under the same module names as in this process,
    before it unpickles the batch. Therefore executors need not know about plugin files.

    Attributes:
        batch: the batch.
        files: the files of the plugins that are not installed modules.
    """

    def __init__(self, batch: Batch, files: tuple[Path, ...]) -> None:
        self.batch = batch
        self.files = files

    def __repr__(self) -> str:
        return f"Parcel of {len(self.batch)} run{'s' * (len(self.batch) != 1)}"

    def __getstate__(self) -> tuple[tuple[Path, ...], bytes]:
        try:
            return self.files, pickle.dumps(self.batch, protocol=5)
        except Exception as error:
            names = ", ".join(type(each).__name__ for each in (self.batch.objective, self.batch.gradient, self.batch.optimizer))
            raise PluginError(f"{names} cannot all be sent to another process: {describe(error)}") from error

    def __setstate__(self, state: tuple[tuple[Path, ...], bytes]) -> None:
        self.files, pickled = state
        for file in self.files:
            _load_plugin_file(file)
        self.batch = pickle.loads(pickled)


@functools.cache
def _load_plugin_file(file: Path) -> None:
    Registry().load_file(file)


class BatchResult(Protocol):
    """The result of a function that takes a batch."""

    @property
    def identities(self) -> tuple[str, ...]:
        """The identities of the batch's runs, in order."""


Result = TypeVar("Result", bound=BatchResult)


def dispatch(
    executor: Setting,
    function: Callable[[Batch], Result],
    result_type: type[Result],
    parcels: Iterable[Parcel],
    limit: Callable[[Parcel], float | None],
) -> Generator[Result | Lost[Parcel]]:
    """Compute a function of batches with an executor, and yield its results and the batches that it lost.

    Args:
        executor: the executor.
        function: the function.
        result_type: the class of its results.
        parcels: the batches.
        limit: the seconds that a batch may go without a sign of life, or None.

    Raises:
        PluginError: the executor raises an exception, or does not yield one result for each batch.
    """
    name = f"executor {executor.name}: {type(executor.plugin).__name__}.map"
    waiting: set[tuple[str, ...]] = set()
    settled: set[tuple[str, ...]] = set()

    def handed_out() -> Iterator[Parcel]:
        with own_errors_marked():
            for parcel in parcels:
                waiting.add(parcel.batch.identities)
                yield parcel

    items = handed_out()
    try:
        for answer in cast(Executor, executor.plugin).map(_ParcelFunction(function), items, limit):
            identities = _identities(answer, result_type)
            if identities in settled:
                raise PluginError(f"{name} yielded a result twice; it must yield one for each item")
            if identities is None or identities not in waiting:
                text = repr(answer)
                shown = text if len(text) <= 60 else text[:57] + "..."
                raise PluginError(f"{name} yielded {shown}; it must yield function(item), or runner.Lost, for each item")
            waiting.remove(identities)
            settled.add(identities)
            yield answer
        complete = not waiting and next(items, None) is None
    except RunnerError:
        raise
    except (Exception, SystemExit) as error:
        if OWN_ERROR in getattr(error, "__notes__", ()):
            raise
        raise PluginError(f"{name} raised {describe(error)}; {REMEDY}") from error
    if not complete:
        raise PluginError(f"{name} ended before it had yielded a result, or runner.Lost, for each item; {REMEDY}")


def _identities(answer: object, result_type: type[BatchResult]) -> tuple[str, ...] | None:
    """Return the identities of the runs in an executor's answer; None if it is neither a result nor a lost parcel."""
    if isinstance(answer, result_type):
        return answer.identities
    if isinstance(answer, Lost) and isinstance(answer.item, Parcel) and isinstance(answer.reason, str):
        return answer.item.batch.identities
    return None


AnyResult = TypeVar("AnyResult")


@dataclass(frozen=True)
class _ParcelFunction(Generic[AnyResult]):
    """A function of a batch, wrapped so that its argument is the batch's parcel. Other processes unpickle it."""

    function: Callable[[Batch], AnyResult]

    def __call__(self, parcel: Parcel) -> AnyResult:
        with own_errors_marked():
            return self.function(parcel.batch)


@contextmanager
def own_errors_marked() -> Iterator[None]:
    """Add a note to exceptions of the body, so that they are not mistaken for errors of the executor.

    The note stays with an exception that is sent from one process to another.
    """
    try:
        yield
    except Exception as error:
        error.add_note(OWN_ERROR)
        raise
