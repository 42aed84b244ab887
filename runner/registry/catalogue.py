"""What a plugin on offer looks like, and what a catalogue of them answers."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from runner.contracts.parameters import Parameter
from runner.contracts.plugin import Kind, Plugin
from runner.registry.code_fingerprint import fingerprint

RESERVED: Mapping[Kind, tuple[str, ...]] = {
    "objective": ("name", "zip"),
    "gradient": ("name", "zip"),
    "optimizer": ("name", "zip"),
    "executor": ("name", "executor", "max_batch", "zip"),
    "figure": (),
}
"""Keys of a plugin's table in an experiment that are no parameters of it."""


@dataclass(frozen=True)
class Offer:
    """A plugin on offer.

    Attributes:
        kind: what it is.
        name: what experiments call it.
        cls: the class.
        source: the distribution and entry point, or the file, that offers it.
        version: of the distribution; empty for a file.
        parameters: what it can be told.
    """

    kind: Kind
    name: str
    cls: type[Plugin]
    source: str
    version: str
    parameters: Mapping[str, Parameter]

    @property
    def distribution(self) -> str:
        """The installed distribution that offers it; empty for a file."""
        return self.source.partition(":")[0] if self.version else ""

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.cls) or "").partition("\n")[0]

    @cached_property
    def fingerprint(self) -> str:
        """Of its code: changes when the plugin may compute something else."""
        return fingerprint(self.cls)


@dataclass(frozen=True)
class Broken:
    """An entry point that could not be loaded.

    Attributes:
        source: the distribution and entry point.
        name: the entry point's name.
        cause: why, in a sentence.
    """

    source: str
    name: str
    cause: str


class Catalogue(Protocol):
    """Where plugins are looked up."""

    def find(self, kind: Kind, name: str) -> Offer:
        """Return the plugin of that kind and name.

        Raises:
            NoSuchPlugin: there is none.
            PluginError: there are several, or it cannot be loaded.
        """

    def load_file(self, path: Path) -> None:
        """Load a plugin file that an experiment names.

        Raises:
            NoSuchPlugin: it does not exist.
            PluginError: it fails to import or offers nothing usable.
        """


def suggestion(name: str, names: Sequence[str]) -> str:
    """Return "did you mean x?" where something is close, else the list of what is allowed."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"allowed: {', '.join(names)}" if names else "there are none"
