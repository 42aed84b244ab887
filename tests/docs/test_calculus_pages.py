"""The pages about the calculus: every command runs, prints what the page shows, and writes the picture that is shown."""

from __future__ import annotations

import re
import shlex
import shutil
import tomllib
from pathlib import Path

import pytest

from runner.experiment.reader import DEFAULT_FIGURES
from tests.support.command_line import call_main
from tests.support.paths import DOCS, ROOT

EXPLANATION = DOCS / "explanation"
PAGES = (
    *("derivatives.md", "jacobian_and_hessian.md", "taylor.md", "convexity.md"),
    *("learning_rate.md", "linear_regression.md", "local_minima.md", "newton.md"),
    *("neural_networks.md", "exploding_gradients.md"),
)
LONG = PAGES[-2:]
CONSOLE = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)


def commands(page: str) -> list[tuple[list[str], list[str]]]:
    """Return the arguments of each `$ runner` command on a page, and the part of its output shown below it."""
    found: list[tuple[list[str], list[str]]] = []
    for block in CONSOLE.findall((EXPLANATION / page).read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                program, *words = shlex.split(line[2:], comments=True)
                assert program == "runner", line
                found.append((words, []))
            else:
                found[-1][1].append(line)
    return found


@pytest.mark.parametrize("page", [pytest.param(page, marks=[pytest.mark.slow] if page in LONG else []) for page in PAGES])
def test_every_command_prints_what_the_page_shows(page: str, tmp_path, monkeypatch, capsys):
    shutil.copytree(ROOT / "experiments", tmp_path / "experiments")
    done = commands(page)
    assert done, "a page without a command shows nothing"
    for words, shown in done:
        finished = call_main(tmp_path, monkeypatch, capsys, *words)
        assert (finished.code, finished.err.replace("\r", "")) == (0, finished.err if words[0] == "run" else ""), words
        printed = finished.out.splitlines()
        assert [line for line in shown if not any(each.startswith(line) for each in printed)] == [], words
        if "-o" in words:
            assert (tmp_path / words[words.index("-o") + 1]).stat().st_size > 0


def figures_of(experiment: Path) -> set[str]:
    """Return the pictures in an experiment's report; a picture may carry the experiment's name."""
    named = tomllib.loads(experiment.read_text(encoding="utf-8")).get("report", {}).get("figures", DEFAULT_FIGURES)
    return {f"{figure}.png" for figure in [*named, experiment.stem]}


@pytest.mark.parametrize("page", PAGES)
def test_pictures_of_a_page_are_written_by_its_commands(page: str):
    done = [words for words, _ in commands(page)]
    written = {words[words.index("-o") + 1] for words in done if "-o" in words}
    reported = {figure for words in done if words[0] == "run" for figure in figures_of(ROOT / words[1])}
    shown = set(re.findall(r"!\[[^\]]+\]\(\.\./images/([^)]+)\)", (EXPLANATION / page).read_text(encoding="utf-8")))
    assert written <= shown <= written | reported
    assert all((DOCS / "images" / name).read_bytes().startswith(b"\x89PNG") for name in shown)
