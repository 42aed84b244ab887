"""Batches on their way to another process, which may know nothing of the plugin files that an experiment names."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from runner.engine.batch import Batch
from runner.errors import PluginError
from runner.registry.registry import Registry

Result = TypeVar("Result")
OURS = "It was raised by what the executor was given to compute."


class Parcel:
    """A batch and the local plugin files it is made from.

    Where nothing is pickled it is just the batch. Elsewhere the files are loaded, under the same names as here, before the batch
    is unpickled, so executors need not know of plugins.

    Attributes:
        batch: the batch.
        files: of the plugins that are no installed modules.
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
            raise PluginError(f"{names} cannot all be sent to another process: {type(error).__name__}: {error}") from error

    def __setstate__(self, state: tuple[tuple[Path, ...], bytes]) -> None:
        self.files, pickled = state
        for file in self.files:
            _load(file)
        self.batch = pickle.loads(pickled)


@dataclass(frozen=True)
class Opened(Generic[Result]):
    """A function of a batch, as a function of its parcel."""

    function: Callable[[Batch], Result]

    def __call__(self, parcel: Parcel) -> Result:
        """Compute the function for the batch in the parcel."""
        with ours():
            return self.function(parcel.batch)


@contextmanager
def ours() -> Iterator[None]:
    """Mark what is raised here, on the other side of an executor, as no fault of the executor's."""
    try:
        yield
    except Exception as error:
        error.add_note(OURS)
        raise


def is_ours(error: BaseException) -> bool:
    """Whether an exception that came through an executor, maybe from another process, was raised by what it was to compute."""
    return OURS in getattr(error, "__notes__", ())


@functools.cache
def _load(file: Path) -> None:
    Registry().load_file(file)
