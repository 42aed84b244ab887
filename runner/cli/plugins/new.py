"""`runner plugins new`: writes a new plugin as a small complete package."""

from __future__ import annotations

import importlib.util
import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

import click

from runner.contracts.kinds import PLUGIN_KINDS
from runner.contracts.plugin import Kind
from runner.registry.catalogue import BrokenEntryPoint, Offer, suggestion
from runner.registry.registry import Registry

VALID_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
LONGEST_NAME = 60


@click.command()
@click.argument("kind", metavar="KIND")
@click.argument("name", metavar="NAME")
@click.option("--folder", type=click.Path(path_type=Path), metavar="FOLDER", help="Write to this folder.  [default: runner-NAME]")
def new(kind: str, name: str, folder: Path | None) -> None:
    """Write a new plugin as a small package.

    The package can be installed, passes its tests, and has an experiment that runs.

    KIND is objective, gradient, optimizer, executor or figure. NAME is the name of the plugin in experiment files.

    \b
    Example:
      runner plugins new optimizer heavy_ball
    """
    registry = Registry()
    try:
        package = new_package(kind, name, registry.offers(), registry.broken())
        target = Path(package.distribution) if folder is None else folder
        written = write_package(package, target)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    lines = [
        *(f"wrote {path}" for path in written),
        "",
        f"Next, in {target}:",
        "  python -m pip install -e '.[test]'",
        "  pytest",
        f"  runner plugins check {package.name}",
        "  runner run experiment.toml",
    ]
    click.echo("\n".join(lines))


@dataclass(frozen=True)
class Package:
    """A package that offers one plugin.

    Attributes:
        kind: the kind of the plugin.
        name: the name of the plugin.
    """

    kind: Kind
    name: str

    @property
    def distribution(self) -> str:
        """The name of the distribution and its folder."""
        return f"runner-{self.name.replace('_', '-')}"

    @property
    def module(self) -> str:
        """The name of the module that contains the plugin."""
        return f"runner_{self.name}"

    def files(self) -> dict[str, str]:
        """Return the text of each file, by its path in the package."""
        templates = {
            "pyproject.toml": "pyproject.toml",
            f"{self.module}.py": f"{self.kind}.py",
            f"tests/test_{self.name}.py": "test.py",
            "experiment.toml": f"{self.kind}.toml",
            "README.md": "README.md",
            ".gitignore": "gitignore",
        }
        values = {
            "kind": self.kind,
            "a_kind": f"{'an' if self.kind[0] in 'aeiou' else 'a'} {self.kind}",
            "name": self.name,
            "distribution": self.distribution,
            "module": self.module,
            "class_name": "".join(word.capitalize() for word in self.name.split("_")),
        }
        folder = resources.files("runner.cli.plugins").joinpath("templates")
        return {
            path: Template(folder.joinpath(f"{template}.template").read_text("utf-8")).substitute(values)
            for path, template in templates.items()
        }


def new_package(kind: str, name: str, offers: Iterable[Offer], broken: Iterable[BrokenEntryPoint]) -> Package:
    """Return the package of a new plugin.

    Args:
        kind: the kind of the plugin.
        name: the name of the plugin.
        offers: the installed plugins.
        broken: the installed entry points that cannot be loaded.

    Raises:
        ValueError: the kind does not exist, or the name is invalid or in use; the text is a message for people.
    """
    kinds: Mapping[str, Kind] = {each: each for each in PLUGIN_KINDS}
    if kind not in kinds:
        raise ValueError(f"there is no kind {kind!r}; {suggestion(kind, list(kinds))}")
    if not _is_valid(name):
        words = re.findall(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z0-9]+", name)
        similar = "_".join(words).lower()
        hint = f"; did you mean {similar}?" if similar != name and _is_valid(similar) else ""
        raise ValueError(
            f"{name!r} is not a valid name: use lower-case letters and digits, begin with a letter, join words with _, and use "
            f"at most {LONGEST_NAME} characters and no keyword of Python{hint}"
        )
    sources = [offer.source for offer in offers if (offer.kind, offer.name) == (kind, name)]
    if sources:
        raise ValueError(f"{kind} {name!r} is already offered by {' and '.join(sources)}; choose another name")
    unloadable = [each.source for each in broken if each.name == name]
    if unloadable:
        raise ValueError(f"the name {name!r} is already used by {unloadable[0]}, which cannot be loaded; choose another name")
    package = Package(kinds[kind], name)
    if importlib.util.find_spec(package.module) is not None:
        raise ValueError(f"a module {package.module} is already installed; choose another name than {name!r}")
    return package


def _is_valid(name: str) -> bool:
    return VALID_NAME.fullmatch(name) is not None and len(name) <= LONGEST_NAME and not keyword.iskeyword(name)


def write_package(package: Package, folder: Path) -> list[Path]:
    """Write the files of a package into an empty folder, which is created if necessary, and return their paths.

    Raises:
        ValueError: the folder is not empty, is a file, or cannot be written; the text is a message for people.
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
