"""The tutorial and the how-to pages: every command runs and prints what the page shows, and every listing is used.

A page is read from top to bottom as a script, in an empty folder that has the repository's experiments in `experiments/`:

* A listing below the comment `<!-- test: file NAME -->` is written to that file.
* In a `console` listing, each line that starts with `$ ` is run. Each line below it must be the beginning of a line that the command
  prints.
* A listing below `<!-- test: where sqlite3 is installed -->` is run if the sqlite3 shell is there.
* The command of a listing below `<!-- test: exit N -->` must end with exit code N. All other commands must end with 0.
* A `toml` listing below `<!-- test: part of an experiment -->` must be valid in a small experiment, which supplies the rest.
* A listing below `<!-- test: not run, REASON -->` is not run.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.command_line import call_main
from tests.support.paths import DOCS, ROOT

TESTED_ELSEWHERE = {"publish", "objective", "gradient", "optimizer", "executor", "figure"}
PAGES = [
    path
    for folder in ("tutorial", "how_to")
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
    """Split a console listing into its commands; a quotation may run over several lines."""
    found: list[Command] = []
    line = ""
    for text in listing.splitlines():
        if line or text.startswith("$ "):
            line += text.removeprefix("$ ") if not line else f"\n{text}"
            if line.count('"') % 2 == 0:
                found.append(Command(line, [], code))
                line = ""
        elif text.strip() not in ("", "…"):
            found[-1].shown.append(text)
    return found


@dataclass
class Reader:
    """A reader who follows a page, in the folder to which the last `cd` led."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def do(self, command: Command) -> None:
        """Run a command, and compare what it prints with what is shown."""
        program, *words = shlex.split(command.line, comments=True)
        if program == "cd":
            self.folder /= words[0]
            return
        if program == "runner":
            done = call_main(self.folder, self.monkeypatch, self.capsys, *words)
            code, out, err = done.code, done.out, done.err
        else:
            shell = ["bash", "-c", command.line]
            other = subprocess.run(
                shell, cwd=self.folder, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=120
            )
            code, out, err = other.returncode, other.stdout, other.stderr
        assert code == command.code, f"{command.line} prints:\n{out}{err}"
        printed = (out + err).splitlines()
        assert [line for line in command.shown if not any(each.startswith(line) for each in printed)] == [], (
            f"{command.line} prints:\n{out}{err}"
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_the_page_can_be_followed_from_top_to_bottom(page: Path, tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments")
    reader = Reader(tmp_path, monkeypatch, capsys)
    for listing in LISTING.finditer(page.read_text(encoding="utf-8")):
        mark, language, text = listing["mark"] or "", listing["language"], listing["text"]
        if mark.startswith("not run, ") or (mark == "where sqlite3 is installed" and shutil.which("sqlite3") is None):
            continue
        if mark.startswith("file "):
            (reader.folder / mark.removeprefix("file ")).write_text(text, encoding="utf-8")
        elif mark == "part of an experiment":
            rest = [line for key, line in REST.items() if key not in tomllib.loads(text)]
            (reader.folder / "part.toml").write_text("\n".join([*rest, text]), encoding="utf-8")
            reader.do(Command("runner run part.toml --dry-run", [], 0))
        elif language == "console":
            for command in commands(text, int(mark.removeprefix("exit ")) if mark.startswith("exit ") else 0):
                reader.do(command)
        else:
            assert language == "text", f"mark this listing for the test: {text}"
