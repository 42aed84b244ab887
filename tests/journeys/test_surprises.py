"""Surprises that outcomes do not show: runs that rest where they began, fall without end, or end above their start."""

from __future__ import annotations

import json

import pytest

PLUGIN = """
from dataclasses import dataclass

import numpy as np

from runner import Objective, hookimpl


@dataclass(frozen=True)
class Plateau(Objective):
    dimension = 1

    def value(self, x):
        return 1 - np.exp(-x[..., 0] ** 2)

    def gradient(self, x):
        return 2 * x * np.exp(-x**2)


@dataclass(frozen=True)
class Cliff(Objective):
    dimension = 1

    def value(self, x):
        return -x[..., 0] ** 4

    def gradient(self, x):
        return -4 * x**3


@hookimpl
def runner_objectives():
    return {"plateau": Plateau, "cliff": Cliff}
"""
EXPERIMENT = """
name = "surprises"
plugins = ["functions.py"]
objective = [{{ name = "{objective}" }}]
gradient = [{{ name = "analytic" }}]
optimizer = [{{ {optimizer} }}]
start = {{ points = {points} }}
stop = {{ max_steps = 50, gradient_norm = 1e-6 }}
"""


@pytest.mark.parametrize(
    ("objective", "optimizer", "points", "sentence", "shown"),
    [
        (
            "plateau",
            'name = "gradient_descent", learning_rate = 0.5',
            "[0.5, 6.0, 7.0, 8.0]",
            "3 runs converged without a step: a rule for convergence already held at the start",
            "converged, it converged where it began, without a step",
        ),
        (
            "cliff",
            'name = "gradient_descent", learning_rate = 0.5',
            "[0.0, 0.5, 1.0, 2.0]",
            "3 runs of gradient_descent fell without end: f went to −∞ or beyond the divergence limit, and medians count it as -infinite",
            "diverged, diverging, f fell without end",
        ),
        (
            "styblinski_tang",
            'name = "newton", indefinite = "plain", learning_rate = 0.5',
            "[[-2.9, -2.9], [0.6, 0.8], [0.7, 0.9], [0.8, 0.9]]",
            "no line search or other rule kept f from rising",
            "f was never below its value at the start, and ended above it",
        ),
    ],
)
def test_surprise_is_reported_by_run_show_and_json(objective, optimizer, points, sentence, shown, tmp_path, write, runner_cli):
    (tmp_path / "functions.py").write_text(PLUGIN, encoding="utf-8")
    path = write(EXPERIMENT.format(objective=objective, optimizer=optimizer, points=points))
    done = runner_cli("run", path, "--results", "page")
    assert done.code == 0, done.err
    assert [line for line in done.out.splitlines() if sentence in line], done.out
    assert sentence in (tmp_path / "page" / "surprises" / "index.html").read_text(encoding="utf-8")
    assert shown not in runner_cli("show", 1).out
    assert shown in runner_cli("show", 3).out
    summary = json.loads(runner_cli("run", path, "--no-report", "--format", "json").out)
    assert any(sentence in each for each in summary["surprises"])
