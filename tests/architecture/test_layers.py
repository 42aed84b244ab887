"""The layers: packages import only from below, and each heavy library lives in one place."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PACKAGE = ROOT / "runner"
PLUGINS = ROOT / "plugins" / "runner_plugins"

HOMES = {
    "arro3": ["tables"],
    "click": ["cli"],
    "sqlalchemy": ["store"],
    "alembic": ["store"],
    "psutil": ["store"],
    "lark": ["store/filters"],
    "matplotlib": ["report", "inspection/pictures"],
    "jinja2": ["report"],
    "sklearn": ["numerics/datasets.py"],
    "pluggy": ["contracts/hookspecs.py", "registry"],
}
"""Each heavy library, and the folders or files that may import it."""


def source_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node that is not under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        yield node
        yield from run_time_nodes(node)


def imported(path: Path) -> set[str]:
    """Return the dotted names of the modules that a file imports."""
    names: set[str] = set()
    for node in run_time_nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
            if node.module == "runner":
                names.update(f"runner.{alias.name}" for alias in node.names)
    return names


def test_packages_import_only_from_below():
    done = subprocess.run(["lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def layers() -> list[str]:
    """The packages of `runner`, the lowest first, as the contract in pyproject.toml orders them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (order,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return [name for layer in reversed(order) for name in layer.split(" | ")]


def test_the_guide_lists_the_packages_in_their_order():
    (listing,) = re.findall(
        r"^```text\nerrors\b.*?^```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert re.findall(r"^(\w+)  ", listing.removeprefix("```text\n"), re.MULTILINE) == layers()


@pytest.mark.parametrize("path", source_files(PACKAGE), ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_libraries_stay_in_their_rooms(path: Path):
    found = {name.partition(".")[0] for name in imported(path)} & set(HOMES)
    place = path.relative_to(PACKAGE)
    assert {library for library in found if not any(place.is_relative_to(home) for home in HOMES[library])} == set()


@pytest.mark.parametrize("path", source_files(PLUGINS), ids=lambda path: str(path.relative_to(ROOT)))
def test_plugins_use_the_public_door_and_no_other_plugin(path: Path):
    ours = {name for name in imported(path) if name.partition(".")[0] in ("runner", "runner_plugins")}
    names = {name.split(".")[1] for name in ours if name.count(".") == 1}
    assert {name for name in ours if name.count(".") > 1 or name.startswith("runner_plugins")} == set()
    assert not names & set(layers()), "a plugin imports from `runner`, never from a package inside it"


@pytest.mark.parametrize("path", source_files(PACKAGE), ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_prints_below_the_command_line(path: Path):
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    printed = [node.lineno for node in calls if isinstance(node.func, ast.Name) and node.func.id == "print"]
    assert printed == []


def test_imports_in_functions_are_few_and_say_why():
    hidden = []
    for path in [*source_files(PACKAGE), *source_files(PLUGINS)]:
        lines = path.read_text(encoding="utf-8").splitlines()
        for function in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(function, ast.FunctionDef):
                found = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
                hidden += [f"{path}:{node.lineno}" for node in found if not lines[node.lineno - 2].lstrip().startswith("#")]
    assert hidden == []
