"""The tutorial and the how-to pages: every command runs and prints what the page shows, and every listing is used.

A page is read from top to bottom as a script, in an empty folder that has the repository's experiments in `experiments/`:

* A listing below the comment `<!-- test: file NAME -->` is written to that file.
* In a `console` listing each line that starts with `$ ` is run. The lines below it must begin lines that the command prints.
* The command of a listing below `<!-- test: exit N -->` must end with that exit code, and otherwise with 0.
* A `toml` listing below `<!-- test: part of an experiment -->` must be valid in a small experiment, which has the rest.
* A listing below `<!-- test: not run, REASON -->` is not run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.paths import DOCS, ROOT

TESTED_ELSEWHERE = {"publish", "objective", "gradient", "optimizer", "executor", "figure"}
PAGES = [
    path
    for folder in ("tutorial",)
    for path in sorted((DOCS / folder).rglob("*.md"))
    if "```" in re.sub(r"```\{.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    and path.stem not in TESTED_ELSEWHERE
]
LISTING = re.compile(
    r"(?:^<!-- test: (?P<mark>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("RUNNER_DB", "COLUMNS")}
ENVIRONMENT["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{ENVIRONMENT['PATH']}"
REST = {
    "objective": 'objective = [{ name = "quadratic", dimension = 2 }]',
    "gradient": 'gradient = [{ name = "analytic" }]',
    "optimizer": 'optimizer = [{ name = "gradient_descent" }]',
    "start": "start = { points = [1.0] }",
}


@dataclass(frozen=True)
class Command:
    """A command on a page, the lines that are shown below it, and its exit code."""

    line: str
    shown: list[str]
    code: int


def commands(listing: str, code: int) -> list[Command]:
    """Split a console listing into its commands."""
    found: list[Command] = []
    for line in listing.splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:], [], code))
        elif line.strip() not in ("", "…"):
            found[-1].shown.append(line)
    return found


def run(command: Command, folder: Path, left_in: Path) -> Path:
    """Run a command as a reader does, compare what it prints, and return the folder that it leaves the reader in."""
    done = subprocess.run(
        ["bash", "-c", f'{command.line}\ncode=$?; pwd > "$LEFT_IN"; exit $code'],
        cwd=folder,
        env={**ENVIRONMENT, "LEFT_IN": str(left_in)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    printed = (done.stdout + done.stderr).splitlines()
    assert done.returncode == command.code, (command.line, done.stderr)
    assert [line for line in command.shown if not any(each.startswith(line) for each in printed)] == [], (
        f"{command.line} prints:\n{done.stdout}{done.stderr}"
    )
    return Path(left_in.read_text(encoding="utf-8").strip())


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_the_page_can_be_followed_from_top_to_bottom(page: Path, tmp_path: Path):
    folder, left_in = tmp_path / "reader", tmp_path / "left_in"
    shutil.copytree(ROOT / "experiments", folder / "experiments")
    for listing in LISTING.finditer(page.read_text(encoding="utf-8")):
        mark, language, text = listing["mark"] or "", listing["language"], listing["text"]
        if mark.startswith("file "):
            (folder / mark.removeprefix("file ")).write_text(text, encoding="utf-8")
        elif mark == "part of an experiment":
            rest = [line for key, line in REST.items() if key not in tomllib.loads(text)]
            (folder / "part.toml").write_text("\n".join([*rest, text]), encoding="utf-8")
            run(Command("runner run part.toml --dry-run", [], 0), folder, left_in)
        elif language == "console":
            for command in commands(text, int(mark.removeprefix("exit ")) if mark else 0):
                folder = run(command, folder, left_in)
        else:
            assert mark.startswith("not run, ") or language in ("", "text"), f"mark this listing for the test: {text}"
