"""A new plugin as a small complete package: what its files are, whether its name will do, and writing them."""

from __future__ import annotations

import importlib.util
import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from runner.contracts.kinds import KINDS
from runner.contracts.plugin import Kind
from runner.registry.catalogue import BrokenEntryPoint, Offer, suggestion

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_NAME = 60


@dataclass(frozen=True)
class Package:
    """A package that offers one plugin.

    Attributes:
        kind: of the plugin.
        name: of the plugin.
    """

    kind: Kind
    name: str

    @property
    def distribution(self) -> str:
        """The name under which it is installed; that of its folder too."""
        return f"runner-{self.name.replace('_', '-')}"

    @property
    def module(self) -> str:
        """The module that the plugin is in."""
        return f"runner_{self.name}"

    @property
    def class_name(self) -> str:
        """The plugin's class."""
        return "".join(word.capitalize() for word in self.name.split("_"))

    def files(self) -> dict[str, str]:
        """Return the text of each file, by its path inside the package."""
        sources = {
            "pyproject.toml": "pyproject.toml",
            f"{self.module}.py": f"{self.kind}.py",
            f"tests/test_{self.name}.py": "test.py",
            "experiment.toml": f"{self.kind}.toml",
            "README.md": "README.md",
            ".gitignore": "gitignore",
        }
        return {path: self._filled(source) for path, source in sources.items()}

    def _filled(self, source: str) -> str:
        template = resources.files("runner.cli.plugins").joinpath("templates", f"{source}.template").read_text("utf-8")
        return Template(template).substitute(
            kind=self.kind,
            a_kind=f"{'an' if self.kind[0] in 'aeiou' else 'a'} {self.kind}",
            name=self.name,
            distribution=self.distribution,
            module=self.module,
            class_name=self.class_name,
        )


def new_package(kind: str, name: str, offers: Iterable[Offer], broken: Iterable[BrokenEntryPoint]) -> Package:
    """Return the package of a new plugin.

    Args:
        kind: which of the five it is.
        name: what experiments will call it.
        offers: what is installed.
        broken: what is installed and cannot be loaded.

    Raises:
        ValueError: there is no such kind, or the name will not do; the text says why.
    """
    known: Mapping[str, Kind] = {each: each for each in KINDS}
    if kind not in known:
        raise ValueError(f"there is no kind {kind!r}; {suggestion(kind, list(known))}")
    package = Package(known[kind], name)
    _check_name(name)
    sources = [offer.source for offer in offers if (offer.kind, offer.name) == (kind, name)]
    if sources:
        raise ValueError(f"{kind} {name!r} is already offered by {' and '.join(sources)}; choose another name")
    waiting = [each.source for each in broken if each.name == name]
    if waiting:
        raise ValueError(f"{name!r} is already the name of {waiting[0]}, which cannot be loaded; choose another name")
    if importlib.util.find_spec(package.module) is not None:
        raise ValueError(f"a module {package.module} is already installed; choose another name than {name!r}")
    return package


def _check_name(name: str) -> None:
    if NAME.fullmatch(name) and len(name) <= LONGEST_NAME and not keyword.iskeyword(name):
        return
    words = re.findall(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z0-9]+", name)
    better = "_".join(words).lower()
    hint = f"; did you mean {better}?" if better != name and NAME.fullmatch(better) and not keyword.iskeyword(better) else ""
    raise ValueError(
        f"{name!r} will not do as a name: lower-case letters and digits, a letter first, words joined by _, "
        f"{LONGEST_NAME} at most, and no word of Python's own{hint}"
    )


def write_package(package: Package, folder: Path) -> list[Path]:
    """Write a package into a folder, which is made if it is missing.

    Returns:
        The files.

    Raises:
        ValueError: the folder holds something, is none, or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; choose another folder with --folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f"{folder} exists and is not empty; choose another folder with --folder")
    written = []
    try:
        for name, text in package.files().items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="\n")
            written.append(path)
    except OSError as error:
        raise ValueError(f"{error.filename or folder} cannot be written: {error.strerror}; choose another folder") from error
    return written
