"""The contents of the distribution, and the start-up of the command line."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import runner
from tests.support.paths import KEPT_DATABASE, ROOT


@pytest.mark.slow
def test_wheel_holds_runner_and_its_plugins_only(tmp_path: Path):
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"runner", "runner_plugins"}
    assert "runner/report/page.html.jinja" in names
    assert {"runner/py.typed", "runner/__init__.pyi", "runner/report/__init__.pyi"} <= set(names)
    assert {"runner/store/migrations/env.py", "runner/store/migrations/versions/v0002.py"} <= set(names)


def test_every_plugin_file_has_its_entry_point():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = project["entry-points"]["runner"]
    files = [path for path in (ROOT / "plugins" / "runner_plugins").glob("*/*.py") if path.stem != "__init__"]
    assert declared == {path.stem: f"runner_plugins.{path.parent.name}.{path.stem}" for path in files}
    assert {point.name for point in entry_points(group="runner")} >= set(declared)


def test_version_stands_in_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == runner.__version__


def test_every_public_name_can_be_imported():
    names = [name for name in dir(runner) if not name.startswith("_")]
    assert {"Objective", "Optimizer", "hookimpl", "parameter"} <= set(names)
    for name in names:
        assert getattr(runner, name) is not None
    with pytest.raises(AttributeError, match="module 'runner' has no attribute 'Optimiser'"):
        _ = runner.Optimiser


@pytest.mark.parametrize(
    "command",
    [
        ["list"],
        ["runs", "--limit", "3"],
        ["runs", "--where", 'reached = "minimum"'],
        ["sql", "SELECT 1"],
        ["compare", "kept", "again"],
    ],
)
def test_questions_about_runs_load_no_numpy(command):
    """NumPy takes longer to load than these commands take to answer."""
    code = (
        f"import sys; sys.argv = ['runner', *{command!r}, '--db', {str(KEPT_DATABASE)!r}]\n"
        "from runner.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "heavy = {'numpy', 'matplotlib', 'jinja2', 'alembic'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['runner', '--help']\n"
        "from runner.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'sqlalchemy', 'matplotlib', 'pluggy', 'jinja2', 'importlib.metadata', 'alembic', 'psutil'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage: runner" in done.stdout
