"""The floors of the house: imports point strictly down, and each heavy library lives in one room."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import ROOT

PACKAGE = ROOT / "runner"
PLUGINS = ROOT / "plugins" / "runner_plugins"

FLOORS = [
    {
        "activations",
        "backpropagation",
        "blame",
        "capabilities",
        "clipping",
        "contracts",
        "datasets",
        "errors",
        "fingerprint",
        "folders",
        "interrupts",
        "layers",
        "minimum",
        "line_search",
        "parameters",
        "arrow",
        "frames",
        "outcomes",
        "readable",
        "records",
        "run_facts",
        "rowwise",
        "tables",
    },
    {
        "batches",
        "behaviour",
        "environment",
        "execution",
        "experiment",
        "formats",
        "archives",
        "hookspecs",
        "identity",
        "labels",
        "making",
        "offers",
        "overrides",
        "problems",
        "starts",
        "steps",
        "stopping",
        "sweeps",
        "trajectories",
    },
    {"apart", "config", "evaluation", "filters", "grid", "memory", "recording", "registry", "remaking"},
    {"analysis", "descent", "exporting", "parcel", "report", "scaffold", "store"},
    {
        "database",
        "dispatch",
        "inspection",
        "landmarks",
        "pipeline",
        "recovery",
        "rehearsing",
        "redrawing",
        "replaying",
        "shares",
        "testing",
    },
    {"cli"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# On the two lowest floors and among the loop's parts, files may rest on each other, but never in a circle.
RESTS_ON = {
    "activations": {"rowwise"},
    "backpropagation": {"activations", "contracts", "layers", "rowwise"},
    "clipping": {"rowwise"},
    "arrow": {"errors"},
    "frames": {"arrow", "readable"},
    "records": {"run_facts"},
    "run_facts": {"frames", "readable"},
    "parameters": {"contracts", "errors"},
    "minimum": {"contracts"},
    "blame": {"contracts", "errors"},
    "contracts": {"capabilities", "frames", "rowwise"},
    "fingerprint": {"errors"},
    "datasets": {"rowwise", "tables"},
    "layers": {"activations", "rowwise"},
    "tables": {"rowwise"},
    "line_search": {"contracts", "rowwise"},
    "execution": {"experiment", "offers"},
    "batches": {"experiment"},
    "behaviour": {"stopping"},
    "experiment": {"identity", "stopping"},
    "making": {"experiment", "offers"},
    "starts": {"experiment", "identity"},
    "trajectories": {"behaviour", "experiment", "stopping"},
    "recording": set(),
    "apart": {"memory"},
    "database": {"redrawing", "replaying"},
    "pipeline": {"dispatch", "landmarks", "recovery", "rehearsing", "shares"},
    "rehearsing": {"dispatch", "recovery"},
    "recovery": {"dispatch", "shares"},
    "redrawing": {"pipeline"},
}
HOMES = {
    "arro3": {"arrow"},
    "click": {"cli"},
    "sqlalchemy": {"store"},
    "matplotlib": {"inspection", "report"},
    "lark": {"filters"},
    "jinja2": {"report"},
    "sklearn": {"datasets"},
    "psutil": {"store"},
    "alembic": {"store"},
    "pluggy": {"hookspecs", "registry"},
}


def source_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            continue
        yield node
        yield from run_time_nodes(node)


def imported(path: Path) -> set[str]:
    """The modules that a file imports, as dotted names."""
    names: set[str] = set()
    for node in run_time_nodes(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
            if node.module == "runner":
                names.update(f"runner.{alias.name}" for alias in node.names)
    return names


def rooms_imported(path: Path) -> set[str]:
    names = {name.split(".")[1] for name in imported(path) if name.startswith("runner.")}
    return {name for name in names if name in FLOOR}


def test_every_room_has_a_floor():
    rooms = {room_of(path) for path in source_files(PACKAGE)} - {"__init__"}
    assert rooms == set(FLOOR)


def test_the_table_of_floors_in_the_guide_is_that_of_the_tests():
    rows = re.findall(r"^\| (\d) \| (.*) \|$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert {int(floor): set(re.findall(r"`(\w+)(?:\.py|/)`", rooms)) for floor, rooms in rows} == dict(enumerate(FLOORS))


@pytest.mark.parametrize("path", source_files(PACKAGE), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_down(path: Path):
    room = room_of(path)
    if room == "__init__":
        return
    allowed_beside = RESTS_ON.get(room, set()) | {room}
    wrong = {other for other in rooms_imported(path) - allowed_beside if FLOOR[other] >= FLOOR[room]}
    assert not wrong, f"{path} imports {wrong} from its own floor or above"


@pytest.mark.parametrize("path", source_files(PACKAGE), ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_libraries_stay_in_their_rooms(path: Path):
    found = {name.partition(".")[0] for name in imported(path)} & set(HOMES)
    assert {library for library in found if room_of(path) not in HOMES[library]} == set()


def test_inspections_are_drawn_in_one_folder():
    drawing = {
        path for path in source_files(PACKAGE / "inspection") if any(name.startswith("matplotlib") for name in imported(path))
    }
    assert {path.parent.name for path in drawing} == {"pictures"}


@pytest.mark.parametrize("path", source_files(PLUGINS), ids=lambda path: str(path.relative_to(ROOT)))
def test_plugins_use_the_public_door_and_no_other_plugin(path: Path):
    ours = {name for name in imported(path) if name.partition(".")[0] in ("runner", "runner_plugins")}
    door = {name.split(".")[1] for name in ours if name.count(".") == 1}
    assert {name for name in ours if name.count(".") > 1 or name.startswith("runner_plugins")} == set()
    assert not door & set(FLOOR), "a plugin imports from `runner`, never from a room inside it"


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
