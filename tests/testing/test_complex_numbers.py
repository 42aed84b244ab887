"""The check of an objective that loses the imaginary part of complex numbers at some points only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from runner.contracts.arrays import Array
from runner.testing.check import Check
from runner.testing.functions import check_complex_numbers


def refusing(x: Array) -> Array:
    if np.iscomplexobj(x):
        raise TypeError("no complex numbers")
    return np.abs(x).sum(axis=-1)


def finding(function: Callable[[Array], Any]) -> tuple[str, str]:
    x = np.random.default_rng(0).uniform(-2.0, 2.0, (40, 2))
    check = Check("complex numbers", lambda: check_complex_numbers("Mine.value", function, x))
    return check.finding.verdict, check.finding.explanation


@pytest.mark.parametrize(
    "function",
    [
        lambda x: np.where(abs(x) <= 1, x * x / 2, abs(x) - 0.5).sum(axis=-1),
        lambda x: np.where(x.real > 0, x * x, np.abs(x) ** 3).sum(axis=-1),
        lambda x: np.where(x[..., 0].real > 0.5, (x * np.conj(x)).real.sum(axis=-1), (x * x).sum(axis=-1)),
        lambda x: np.maximum(np.abs(x[..., 0]) - 1.0, 0.0) + x[..., 1] ** 2,
        lambda x: np.where(x[..., 0].real < 0, x.real.astype(np.float64).sum(axis=-1), x.sum(axis=-1)),
    ],
)
def test_partial_loss_fails(function: Callable[[Array], Any]):
    verdict, explanation = finding(function)
    assert verdict == "failed"
    assert explanation.startswith("Mine.value loses the imaginary part of complex numbers at ")
    assert " of 40 points, so gradient backend complex_step is wrong there: at x = [" in explanation
    assert explanation.endswith("or let Mine.value raise TypeError if np.iscomplexobj(x)")


def test_values_of_the_message():
    _, explanation = finding(lambda x: np.where(x[..., 0].real > 0, x.sum(axis=-1), 3.0 * np.abs(x).sum(axis=-1)))
    assert "it gives the slope 0 where central differences give " in explanation


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (lambda x: (np.abs(x) ** 3).sum(axis=-1), "because Mine.value loses the imaginary part of complex numbers"),
        (refusing, "because Mine.value does not accept complex numbers (TypeError: no complex numbers"),
    ],
)
def test_loss_that_the_backend_refuses_is_a_skip(function: Callable[[Array], Any], reason: str):
    verdict, explanation = finding(function)
    assert verdict == "skipped"
    assert explanation.startswith(reason)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x * x).sum(axis=-1),
        lambda x: 1e8 + 1e-3 * np.sin(x).sum(axis=-1),
        lambda x: np.exp(-1e4 * x * x).sum(axis=-1),
        lambda x: np.where(x.real > 0, x**2, x**3).sum(axis=-1),
    ],
)
def test_analytic_pieces_pass(function: Callable[[Array], Any]):
    assert finding(function) == ("ok", "")
