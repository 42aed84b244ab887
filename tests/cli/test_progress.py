"""The progress of `runner run`: the bar on a terminal, and the lines elsewhere."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from runner.cli.terminal.progress import ERASE_LINE, SHOW_CURSOR, ProgressBar
from runner.contracts.outcomes import Outcome

COMMAND = (sys.executable, "-c", "from runner.cli import main; main()")
PRINTING = """\
import runner
from dataclasses import dataclass

@dataclass(frozen=True)
class Printing(runner.Optimizer):
    learning_rate: float = 0.1

    def step(self, point, memory):
        print("printed by a plugin")
        return point.x - self.learning_rate * point.gradient, memory

@runner.hookimpl
def runner_optimizers():
    return {"printing": Printing}
"""
EXPERIMENT = """\
name = "small"
plugins = ["printing.py"]
objective = [{ name = "quadratic" }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "printing" }]
start = { uniform = { low = -3.0, high = 3.0, count = 3, seed = 0 } }
stop = { max_steps = 5 }
"""


def plan(todo: int, stored: int = 0) -> Any:
    return SimpleNamespace(todo=[None] * todo, runs=[None] * (todo + stored))


def batch(**counts: int) -> Any:
    return [SimpleNamespace(outcome=Outcome[name.upper()]) for name, count in counts.items() for _ in range(count)]


def drawn_lines(screen: io.TextIOWrapper) -> list[str]:
    """Return the texts that were drawn one after another in the place of the bar."""
    return bytes(screen.buffer.getvalue()).decode(screen.encoding).split(ERASE_LINE)  # type: ignore[attr-defined]


def test_the_bar_shows_counts_time_left_and_time_taken():
    screen = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="")
    with ProgressBar(screen) as bar:
        bar.began(plan(4_000))
        bar.saved(batch(converged=1_000))
        time.sleep(0.3)
        bar.stored_elsewhere(1_000)
        bar.saved(batch(converged=1_500, diverged=500))
    lines = drawn_lines(screen)
    assert lines[1] == "checking the grid"
    half = [line for line in lines if re.fullmatch(r"━━─{8} 1,000/4,000 runs [\d,]+ runs/s 0:00:0\d left 1,000 converged", line)]
    assert half
    last = r"━{10} 3,000/3,000 runs [\d,]+ runs/s in 0:00:0\d 2,500 converged, 500 [a-z]*…\n" + re.escape(SHOW_CURSOR)
    assert re.fullmatch(last, lines[-1])
    assert lines[-1].index("…") == 78


def test_the_bar_is_of_ascii_where_the_terminal_knows_no_other_characters():
    screen = io.TextIOWrapper(io.BytesIO(), "ascii", newline="")
    with ProgressBar(screen) as bar:
        bar.began(plan(4))
        bar.saved(batch(converged=1))
    assert drawn_lines(screen)[-1].startswith("##-------- 1/4 runs ")


def test_a_sweep_that_does_not_begin_leaves_no_bar():
    screen = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="")
    with pytest.raises(ZeroDivisionError), ProgressBar(screen):
        raise ZeroDivisionError
    assert drawn_lines(screen)[-1] == SHOW_CURSOR


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminal")
class TestOnATerminal:
    @pytest.fixture
    def screen_of(self, tmp_path, write) -> Callable[..., str]:
        """Return all that `runner run` writes on a terminal of some width and kind."""
        import pexpect

        def run(width: int, kind: str = "xterm") -> str:
            (tmp_path / "printing.py").write_text(PRINTING, encoding="utf-8")
            write(EXPERIMENT)
            terminal = pexpect.spawn(
                COMMAND[0], [*COMMAND[1:], "run", "small.toml", "--no-report"], cwd=str(tmp_path), dimensions=(40, width),
                encoding="utf-8", env={"PATH": "/usr/bin:/bin", "TERM": kind, "LANG": "C.UTF-8"}, timeout=60,
            )  # fmt: skip
            screen = str(terminal.read())
            terminal.close()
            assert terminal.exitstatus == 0, screen
            return screen

        return run

    def test_what_a_plugin_prints_stands_above_the_bar(self, screen_of):
        screen = screen_of(160)
        assert f"{ERASE_LINE}printed by a plugin\r\n" in screen
        assert re.search(r"\r\x1b\[K━{30} 3/3 runs [\d,]+ runs/s in 0:00:\d\d 3 max_steps\r\n\x1b\[\?25h", screen)

    def test_the_bar_is_cut_where_a_narrow_terminal_ends(self, screen_of):
        drawn = re.findall(r"\r\x1b\[K(━[^\r]*)", screen_of(40))
        assert drawn[-1].endswith("…")
        assert {len(line) for line in drawn} == {39}

    def test_a_terminal_that_cannot_erase_gets_lines(self, screen_of):
        screen = screen_of(160, "dumb")
        assert "3 runs to compute, 0 already stored\r\n" in screen
        assert "\x1b" not in screen


@pytest.mark.skipif(sys.platform == "win32", reason="no POSIX shell")
def test_a_sweep_with_standard_error_closed_is_computed(tmp_path, write):
    write(EXPERIMENT)
    (tmp_path / "printing.py").write_text(PRINTING, encoding="utf-8")
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", *COMMAND, "run", "small.toml", "--no-report"]
    done = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0
    assert "3 runs computed, 0 already stored" in done.stdout
