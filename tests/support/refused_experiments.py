"""Experiments with a mistake, and the problems that the reader reports."""

from __future__ import annotations

import pytest
from _pytest.mark import ParameterSet

WHOLE = "must be a whole number >= 1, not"
RATE = "must be a number > 0, not"
SWEEP = (
    "a sweep is written { values = [...] }, { linspace = [a, b], num = n } or { logspace = [a, b], num = n }, not with the keys"
)
START = (
    "must be one of points = [...], uniform = { low, high, count, seed }, normal = { mean, std, count, seed } or "
    "initialisation = { count, seed }, not"
)
NAME_RULE = "must be letters, digits, '-', '_' and '.', not begin with '.', and have at most 200 bytes, because a folder gets this name; not"


def experiment(
    objective: str = 'name = "quadratic"',
    gradient: str = 'name = "analytic"',
    optimizer: str = 'name = "gradient_descent"',
    start: str = "points = [1.0]",
    top: str = "",
    end: str = "[stop]\nmax_steps = 3",
) -> str:
    """Return a sound experiment with some of its tables replaced."""
    return f"{top}\n[[objective]]\n{objective}\n[[gradient]]\n{gradient}\n[[optimizer]]\n{optimizer}\n[start]\n{start}\n{end}\n"


def case(*problems: str, **tables: str) -> ParameterSet:
    """Return a test parameter: an experiment and its problems."""
    return pytest.param(experiment(**tables), problems, id=", ".join(tables.values()).replace("\n", "; ")[:80])


def rated(rate: str, *problems: str) -> ParameterSet:
    """Return a test parameter: an experiment with a learning rate, and its problems."""
    optimizer = f'name = "gradient_descent"\nlearning_rate = {rate}'
    return case(*(f"optimizer[0].learning_rate: {problem}" for problem in problems), optimizer=optimizer)
