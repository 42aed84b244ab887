"""The names of coordinates, which come from the formula in the docstring of an objective."""

from __future__ import annotations

import pytest

from runner import coordinate_names
from runner.contracts.objective import point_name
from runner_plugins.objectives.himmelblau import Himmelblau
from runner_plugins.objectives.l2 import L2
from runner_plugins.objectives.linear_regression import LinearRegression
from runner_plugins.objectives.logistic_regression import LogisticRegression
from runner_plugins.objectives.quadratic import Quadratic


def documented(text: str | None) -> type:
    return type("Documented", (), {"__doc__": text})


@pytest.mark.parametrize(
    ("docstring", "dimension", "names", "point"),
    [
        ("f(w, b) = (w − 1)² + b².", 2, ("w", "b"), "(w, b)"),
        ("\n    f(u, v, t) = u² + v² + t².\n    ", 3, ("u", "v", "t"), "(u, v, t)"),
        ("f(t) = t².", 1, ("t",), "t"),
        ("f(x) = x².", 1, ("x",), "x"),
        ("f(x) = Σ xᵢ².", 3, ("x₁", "x₂", "x₃"), "x"),
        ("f(x, y) = x² + y².", 2, ("x₁", "x₂"), "x"),
        ("f(w, b) = Σ wᵢ² + b².", 3, ("x₁", "x₂", "x₃"), "x"),
        ("f(w,) = w².", 2, ("x₁", "x₂"), "x"),
        ("f(w, w) = w².", 2, ("x₁", "x₂"), "x"),
        ("f($w, b) = w² + b².", 2, ("x₁", "x₂"), "x"),
        ("f(w, \x1b[2J) = w².", 2, ("x₁", "x₂"), "x"),
        ("f(w,\n    b) = w² + b².", 2, ("w", "b"), "(w, b)"),
        ("The bowl f(w, b) = w² + b².", 2, ("x₁", "x₂"), "x"),
        (None, 11, ("x₁", "x₂", "x₃", "x₄", "x₅", "x₆", "x₇", "x₈", "x₉", "x₁₀", "x₁₁"), "x"),
    ],
)
def test_names_from_the_docstring(docstring: str | None, dimension: int, names: tuple[str, ...], point: str):
    assert coordinate_names(documented(docstring), dimension) == names
    assert point_name(documented(docstring), dimension) == point


def test_models_with_one_feature_have_a_weight_and_a_bias():
    assert coordinate_names(LinearRegression(), 2) == coordinate_names(LogisticRegression, 2) == ("w", "b")
    assert coordinate_names(LinearRegression(features=2), 3) == ("x₁", "x₂", "x₃")


def test_the_others_have_none_of_their_own():
    for objective in (Quadratic(dimension=2), Himmelblau(), L2(Quadratic(dimension=2)), None):
        assert coordinate_names(objective, 2) == ("x₁", "x₂")
