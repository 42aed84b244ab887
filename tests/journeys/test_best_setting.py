"""The best setting of an experiment: seeds are replicates, half of the starts judge, and costs are expected running times."""

from __future__ import annotations

import csv
import json

from tests.support.edge_values import command

NOISY = """
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

import runner


@dataclass(frozen=True)
class Tilted(runner.Optimizer):
    \"\"\"Gradient descent with noise that the seed decides.\"\"\"

    learning_rate: float = 0.1
    seed: int = 0

    def init(self, x):
        return np.zeros((len(x), 1))

    def step(self, point, memory):
        noise = np.sin(12.9898 * (np.asarray(self.seed) + 1.0) * (memory + 1.0))
        return point.x - self.learning_rate * (point.gradient + 1e-5 * noise), memory + 1.0


@runner.hookimpl
def runner_optimizers() -> Mapping[str, type[runner.Optimizer]]:
    return {"tilted": Tilted}
"""


def test_a_seed_is_never_the_best_setting(tmp_path):
    (tmp_path / "noisy.py").write_text(NOISY, encoding="utf-8")
    (tmp_path / "e.toml").write_text(
        'name = "e"\nplugins = ["noisy.py"]\nobjective = [{ name = "quadratic" }]\ngradient = [{ name = "analytic" }]\n'
        'optimizer = [{ name = "tilted", learning_rate = { values = [0.01, 0.1, 0.3] }, '
        "seed = { values = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] } }]\n"
        "start = { points = [[1.0]] }\nstop = { max_steps = 50, gap = 1e-4 }\n",
        encoding="utf-8",
    )
    told = json.loads(command(tmp_path, "run", "e.toml", "--format", "json", "--db", "r.db"))
    best = told["summary"][0]["best"]
    assert best["setting"] == {"optimizer.learning_rate": 0.3}
    assert (best["chosen_on"], best["judged_on"]) == ("seeds 0, 2, 4, 6, 8", "seeds 1, 3, 5, 7, 9")
    assert (best["runs"], best["reached"]) == (5, 5)
    with (tmp_path / "results" / "e" / "summary.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["runs"], row["best"]) for row in rows] == [("10", "false"), ("10", "false"), ("10", "true")]
    assert not any("seed" in name for name in rows[0])
    page = (tmp_path / "results" / "e" / "index.html").read_text(encoding="utf-8")
    assert "chosen on seeds 0, 2, 4, 6, 8, judged on seeds 1, 3, 5, 7, 9" in page
    assert "seed =" not in page


def test_a_swept_seed_alone_is_no_sweep(tmp_path):
    (tmp_path / "noisy.py").write_text(NOISY, encoding="utf-8")
    (tmp_path / "e.toml").write_text(
        'name = "e"\nplugins = ["noisy.py"]\nobjective = [{ name = "quadratic" }]\ngradient = [{ name = "analytic" }]\n'
        'optimizer = [{ name = "tilted", seed = { values = [0, 1, 2] } }]\n'
        "start = { points = [[1.0]] }\nstop = { max_steps = 50, gap = 1e-4 }\n",
        encoding="utf-8",
    )
    command(tmp_path, "run", "e.toml", "--db", "r.db")
    assert not list((tmp_path / "results" / "e").rglob("learning_rate.*"))
    assert "did best at seed" not in (tmp_path / "results" / "e" / "index.html").read_text(encoding="utf-8")


def test_no_convergence_test_is_said_with_what_to_add(tmp_path):
    (tmp_path / "e.toml").write_text(
        'name = "e"\nobjective = [{ name = "quadratic", dimension = 50 }]\ngradient = [{ name = "analytic" }]\n'
        'optimizer = [{ name = "l_bfgs" }]\nstart = { uniform = { low = -1.0, high = 1.0, count = 3, seed = 0 } }\n'
        "stop = { max_steps = 60 }\n",
        encoding="utf-8",
    )
    told = command(tmp_path, "run", "e.toml", "--db", "r.db")
    assert "no convergence test was set: to stop runs that have converged, add `gradient_norm = 1e-8` to [stop]" in told
    assert "none of the 3 runs converged" not in (tmp_path / "results" / "e" / "index.html").read_text(encoding="utf-8")
    quiet = command(tmp_path, "run", "e.toml", "--db", "r.db", "--set", "stop.gradient_norm=1e-8")
    assert "no convergence test" not in quiet
