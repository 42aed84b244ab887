"""The description of a plugin, and the interface through which other packages look plugins up."""

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
"""The keys of a plugin's table in an experiment file that are not parameters of the plugin."""


@dataclass(frozen=True)
class Offer:
    """A plugin that an installed distribution or a plugin file offers.

    Attributes:
        kind: the kind of plugin.
        name: its name in experiment files.
        cls: its class.
        source: the distribution and entry point, `distribution:entry_point`, or the path of the file.
        version: the version of the distribution; empty for a file.
        parameters: its parameters by name.
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
        """The fingerprint of its code, which changes whenever the plugin may compute other numbers."""
        return fingerprint(self.cls)


@dataclass(frozen=True)
class BrokenEntryPoint:
    """An entry point that could not be loaded.

    Attributes:
        source: the distribution and entry point, `distribution:entry_point`.
        name: the entry point's name.
        cause: the reason in words, with a remedy if one is known.
    """

    source: str
    name: str
    cause: str


class Catalogue(Protocol):
    """An object in which plugins are looked up, such as `Registry`."""

    def find(self, kind: Kind, name: str) -> Offer:
        """Return the plugin of that kind and name.

        Raises:
            NoSuchPlugin: there is no such plugin.
            PluginError: several distributions or files offer it, or it cannot be loaded.
        """

    def load_file(self, path: Path) -> None:
        """Load a plugin file.

        Raises:
            NoSuchPlugin: the file does not exist, or its name does not end in `.py`.
            PluginError: the file cannot be imported, or a plugin in it breaks the contract of its kind.
        """


def suggestion(name: str, names: Sequence[str]) -> str:
    """Return the end of a message about an unknown name: "did you mean x?", or the allowed names if none is similar."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"allowed: {', '.join(names)}" if names else "none are allowed"
