"""`runner plugins new`: the plugin that it writes installs, passes its own tests, and runs."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import sysconfig
import venv
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.cli.plugins.new import new_package
from runner.contracts.kinds import PLUGIN_KINDS
from runner.registry.catalogue import BrokenEntryPoint
from tests.support.command_line import Done
from tests.support.folders import folder_contents
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "how_to" / "plugins" / "publish.md").read_text(encoding="utf-8")
LONGEST_PLUGIN = 15
SHIM = "#!/bin/sh\nexec python -c '{}' \"$@\"\n"
RUNS = {"objective": 36, "gradient": 48, "optimizer": 160, "executor": 24, "figure": 24}


def code_lines(source: str) -> list[str]:
    """The lines of a plugin that are neither blank, nor a comment, nor a docstring."""
    bare = re.sub(r'^ *""".*?"""$', "", source, flags=re.DOTALL | re.MULTILINE)
    return [line for line in bare.splitlines() if line.strip() and not line.strip().startswith("#")]


def test_written_files_and_next_commands_are_printed(tmp_path, call):
    done = call("plugins", "new", "optimizer", "heavy_ball")
    files = ["pyproject.toml", "runner_heavy_ball.py", "tests/test_heavy_ball.py", "experiment.toml", "README.md", ".gitignore"]
    assert done.out.splitlines() == [
        *(f"wrote runner-heavy-ball/{file}" for file in files),
        "",
        "Next, in runner-heavy-ball:",
        "  python -m pip install -e '.[test]'",
        "  pytest",
        "  runner plugins check heavy_ball",
        "  runner run experiment.toml",
    ]
    assert (done.code, done.err) == (0, "")
    assert [path for path, content in folder_contents(tmp_path / "runner-heavy-ball").items() if content is not None] == sorted(
        files
    )


def test_files_go_into_the_named_folder(tmp_path, call):
    (tmp_path / "mine").mkdir()
    assert call("plugins", "new", "figure", "dots", "--folder", "mine").code == 0
    assert (tmp_path / "mine" / "runner_dots.py").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("optimiser", "x"), "there is no kind 'optimiser'; did you mean optimizer?"),
        (("thing", "x"), "there is no kind 'thing'; allowed: objective, gradient, optimizer, executor, figure"),
        (
            ("optimizer", "HeavyBall"),
            "'HeavyBall' is not a valid name: use lower-case letters and digits, begin with a letter, join words with _, "
            "and use at most 60 characters and no keyword of Python; did you mean heavy_ball?",
        ),
        (
            ("optimizer", "../up"),
            "'../up' is not a valid name: use lower-case letters and digits, begin with a letter, join words with _, "
            "and use at most 60 characters and no keyword of Python; did you mean up?",
        ),
        (
            ("optimizer", "lambda"),
            "'lambda' is not a valid name: use lower-case letters and digits, begin with a letter, join words with _, "
            "and use at most 60 characters and no keyword of Python",
        ),
        (
            ("optimizer", "gradient_descent"),
            "optimizer 'gradient_descent' is already offered by gradient-runner:gradient_descent; choose another name",
        ),
        (("figure", "plugins"), "a module runner_plugins is already installed; choose another name than 'plugins'"),
        (("figure", "dots", "--folder", "full"), "full exists and is not empty; choose another folder with --folder"),
        (("figure", "dots", "--folder", "full/file"), "full/file is a file; choose another folder with --folder"),
        (("figure", "dots", "--folder", "full/file/x"), "full/file/x cannot be written: Not a directory; choose another folder"),
    ],
)
def test_refusal_is_reported_and_nothing_is_written(tmp_path, call, arguments, complaint):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    before = folder_contents(tmp_path)
    assert call("plugins", "new", *arguments) == Done(2, "", f"error: {complaint}\n  see runner plugins new --help\n")
    assert folder_contents(tmp_path) == before


@pytest.mark.parametrize("kind", PLUGIN_KINDS)
def test_written_plugin_is_short_and_has_no_template_left(kind):
    files = new_package(kind, "some_thing", [], []).files()
    assert len(code_lines(files["runner_some_thing.py"])) <= LONGEST_PLUGIN
    assert [path for path, text in files.items() if "$" in text or "\t" in text or not text.endswith("\n")] == []


def test_written_files_pass_the_linters_of_this_project(tmp_path, call):
    for kind in PLUGIN_KINDS:
        call("plugins", "new", kind, f"some_{kind}")
    ruff = [sys.executable, "-m", "ruff"]
    for command in (["check", "--isolated"], ["format", "--isolated", "--check", "--line-length=130"]):
        done = subprocess.run([*ruff, *command, "."], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_documentation_lists_the_files_as_written():
    files = new_package("optimizer", "heavy_ball", [], []).files()
    listed = re.findall(r"<!-- test: file (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert [name for name, _ in listed] == [
        "runner_heavy_ball.py",
        "pyproject.toml",
        "tests/test_heavy_ball.py",
        "experiment.toml",
    ]
    for name, text in listed:
        assert text == files[name], name


@pytest.mark.parametrize("kind", PLUGIN_KINDS)
def test_written_plugin_passes_every_check(kind, tmp_path, call, runner_cli):
    call("plugins", "new", kind, "some_thing")
    done = runner_cli("plugins", "check", "runner-some-thing/runner_some_thing.py")
    assert (done.code, done.err) == (0, "")
    assert re.search(r"^\d+ ok, 0 failed, \d skipped$", done.out, re.MULTILINE)


@dataclass(frozen=True)
class Shell:
    """A fresh virtual environment in which this project, its dependencies and the build back end can be imported."""

    folder: Path

    def run(self, script: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        seen = os.pathsep.join([sysconfig.get_paths()["purelib"], str(ROOT), str(ROOT / "plugins")])
        offline = {"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        path = os.pathsep.join([str(self.folder / "env" / "bin"), os.environ["PATH"]])
        around = {
            **os.environ,
            **offline,
            "PYTHONPATH": seen,
            "PATH": path,
            "COLUMNS": "200",
            "PYTEST_ADDOPTS": "-p no:cacheprovider",
        }
        around.pop("RUNNER_DB", None)
        command = ["bash", "-ec", script]
        return subprocess.run(
            command, cwd=folder or self.folder, env=around, capture_output=True, text=True, check=False, timeout=300
        )


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A fresh environment; `runner` and `pytest` are there as if they had been installed into it."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    for name, code in {
        "runner": "from runner.cli import main; main()",
        "pytest": "import sys, pytest; sys.exit(pytest.main())",
    }.items():
        script = tmp_path / "env" / "bin" / name
        script.write_text(SHIM.format(code), encoding="utf-8")
        script.chmod(0o755)
    (tmp_path / "work").mkdir()
    return Shell(tmp_path)


def query(database: Path, sql: str) -> Any:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(sql).fetchall()


posix = pytest.mark.skipif(sys.platform == "win32", reason="the scripts are for a POSIX shell")


@posix
@pytest.mark.slow
@pytest.mark.parametrize("kind", PLUGIN_KINDS)
def test_written_plugin_installs_passes_its_tests_and_runs(kind, shell):
    folder = shell.folder / "work" / "runner-some-thing"
    steps = [
        f"runner plugins new {kind} some_thing",
        "cd runner-some-thing && python -m pip install --quiet -e '.[test]' && runner plugins | grep some_thing",
        "cd runner-some-thing && pytest -q",
        "cd runner-some-thing && runner plugins check some_thing",
        "cd runner-some-thing && runner plugins show some_thing",
        "cd runner-some-thing && runner run experiment.toml",
    ]
    done = [shell.run(step, shell.folder / "work") for step in steps]
    for step, each in zip(steps, done, strict=True):
        assert each.returncode == 0, (step, each.stdout, each.stderr)
    assert done[1].stdout.split()[:4] == [kind, "some_thing", "runner-some-thing", "0.1.0"]
    assert re.search(r"^\d+ ok, 0 failed, \d skipped$", done[3].stdout, re.MULTILINE)
    ((stored, converged),) = query(folder / "results" / "runner.db", "SELECT count(*), sum(outcome = 'converged') FROM runs")
    assert stored == RUNS[kind]
    assert converged > 0
    if kind in ("objective", "gradient", "optimizer"):
        names = query(folder / "results" / "runner.db", f"SELECT DISTINCT {kind} FROM runs")
        assert any("some_thing" in name for (name,) in names)
    pictures = folder / "results" / "some_thing" / "figures"
    assert (pictures / "some_thing.svg").exists() == (kind == "figure")


@posix
@pytest.mark.slow
def test_documentation_page_can_be_followed(shell):
    script = "\n".join(re.findall(r"<!-- test: run -->\n```shell\n(.*?)```", PAGE, re.DOTALL))
    assert script.splitlines()[0] == "runner plugins new optimizer heavy_ball"
    done = shell.run(script, shell.folder / "work")
    assert done.returncode == 0, (done.stdout, done.stderr)
    ((output, shown),) = re.findall(r"<!-- test: output of runner plugins (check \w+) -->\n```text\n(.*?)```", PAGE, re.DOTALL)
    assert output == "check heavy_ball"
    assert shown in done.stdout
    folder = shell.folder / "work" / "runner-heavy-ball"
    assert (folder / "dist" / "runner_heavy_ball-0.1.0-py3-none-any.whl").exists()
    assert (folder / "results" / "heavy_ball" / "index.html").exists()


def test_name_of_a_plugin_that_cannot_be_loaded_is_taken():
    broken = [BrokenEntryPoint("acme:heavy_ball", "heavy_ball", "SyntaxError: invalid syntax")]
    message = "the name 'heavy_ball' is already used by acme:heavy_ball, which cannot be loaded; choose another name"
    with pytest.raises(ValueError, match=re.escape(message)):
        new_package("optimizer", "heavy_ball", [], broken)
