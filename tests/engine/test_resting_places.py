"""The places that runs reach, on functions whose stationary points are known in closed form.

Each case gives a function, a point, and the places that are correct answers there. The first place is the most precise answer. The
others are correct too, but say less; `test_most_places_can_be_told` limits how often they are given.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from runner.contracts.arrays import Array
from runner.contracts.objective import Minimum, Objective
from runner.contracts.reached import Reached, place_reached
from runner.engine.batch import Batch
from runner.engine.loop import descend
from runner.engine.trajectories import Trajectory
from runner.experiment.model import Rules, StoppingRules
from runner_plugins.gradients.analytic import Analytic
from runner_plugins.gradients.finite_difference import FiniteDifference
from runner_plugins.optimizers.gradient_descent import GradientDescent

MINIMUM, LOCAL, SADDLE, MAXIMUM = Reached.MINIMUM, Reached.LOCAL_MINIMUM, Reached.SADDLE, Reached.MAXIMUM
ELSEWHERE, BELOW, MOVING, UNKNOWN = Reached.ELSEWHERE, Reached.BELOW, Reached.NOT_AT_REST, Reached.UNKNOWN
RULE = 1e-6


def objective(
    value: Callable[[Array], Array], gradient: Callable[[Array], Array], minimiser: Sequence[float], minimum: float
) -> Objective:
    """Return an objective with a stated minimum, from functions of x, `(runs, dimension)`."""
    members = {
        "__doc__": "A function of the tests.",
        "dimension": len(minimiser),
        "value": lambda self, x: value(x),
        "gradient": lambda self, x: gradient(x),
        "minimum": property(lambda self: Minimum(np.array(minimiser, dtype=np.float64), minimum)),
    }
    return dataclasses.dataclass(frozen=True)(type("Labelled", (Objective,), members))()


def trajectory(function: Objective, x: Sequence[float], backend: Any = None, **stop: Any) -> Trajectory:
    """Return the result of a run whose only step is negligible."""
    rules = Rules(StoppingRules(**{"max_steps": 1, "gradient_norm": RULE, **stop}), record_x=True)
    start = np.array([x], dtype=np.float64)
    batch = Batch(("run",), function, backend or Analytic(), GradientDescent(learning_rate=1e-30), start, rules)
    return descend(batch).trajectories[0]


def reached(function: Any, run: Trajectory, target: float | None = None) -> Reached:
    place = run.resting_place
    assert place is not None
    facts = place.at_rest, place.convex_gap_bound, place.value_error, place.curvature_sign
    return place_reached(run.final_value, run.best_value, function.minimum.value, target, *facts)


def polynomial(*coefficients: float) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """Return a polynomial in one variable and its derivative, lowest power first."""
    whole = np.polynomial.Polynomial(coefficients)
    slope = whole.deriv()
    return (lambda x: whole(x[:, 0])), slope


def diagonal(*curvatures: float, offset: float = 0.0) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """Return offset + ½ Σ λᵢ xᵢ² and its gradient. It is unbounded below if some λᵢ is negative."""
    scales = np.array(curvatures)
    return (lambda x: offset + 0.5 * (scales * x * x).sum(axis=-1)), (lambda x: scales * x)


# f = x⁴ − 2a x² + c x has two wells for small c; its stationary points are the roots of 4x³ − 4a x + c.
TILTED = polynomial(0.0, 0.3, -2.0, 0.0, 1.0)
LEFT, MIDDLE, RIGHT = (float(root.real) for root in np.sort_complex(np.roots([4.0, 0.0, -4.0, 0.3])))
LEAST = float(TILTED[0](np.array([[LEFT]]))[0])
TILTED_WELLS = objective(*TILTED, [LEFT], LEAST)

# f = Σ (xᵢ² − 1)² has minima at ±1, a maximum at 0 and saddles at mixed points.
WELLS = [
    objective(lambda x: ((x * x - 1) ** 2).sum(axis=-1), lambda x: 4 * x * (x * x - 1), [1.0] * dimension, 0.0)
    for dimension in range(1, 6)
]
WAVES = objective(lambda x: (0.01 * x * x + 1 - np.cos(x)).sum(axis=-1), lambda x: 0.02 * x + np.sin(x), [0.0, 0.0], 0.0)


def wave_root(near: float) -> float:
    """Return the solution of 0.02 x + sin x = 0 near a point, by Newton's method."""
    for _ in range(50):
        near -= (0.02 * near + np.sin(near)) / (0.02 + np.cos(near))
    return float(near)


LOCAL_WAVE, CREST = wave_root(2 * np.pi), wave_root(np.pi)
HIGH = [objective(*diagonal(*signs, offset=5.0), [1.0] * len(signs), 0.0) for signs in ([1.0, -1.0], [2.0, 3.0], [-1.0, -4.0])]
"""Functions with a stated minimum of 0, which the tests do not reach; the stationary point is the origin, at height 5."""
FLAT = objective(lambda x: np.ones(len(x)), lambda x: 0.0 * x, [0.0], 0.0)
QUARTIC = objective(*polynomial(1.0, 0.0, 0.0, 0.0, 1.0), [2.0], 0.0)
CUBIC = objective(*polynomial(1.0, 0.0, 0.0, 1.0), [-2.0], 0.0)
STEEP = objective(*diagonal(1.0, 1e6), [0.0, 0.0], 0.0)
SHALLOW = objective(*diagonal(1e-7, offset=0.0), [0.0], 0.0)
BELL = objective(lambda x: 1 - np.exp(-(x[:, 0] ** 2)), lambda x: 2 * x * np.exp(-(x * x)), [0.0], 0.0)
MONKEY = objective(
    lambda x: 5 + x[:, 0] ** 3 - 3 * x[:, 0] * x[:, 1] ** 2,
    lambda x: np.stack([3 * x[:, 0] ** 2 - 3 * x[:, 1] ** 2, -6 * x[:, 0] * x[:, 1]], axis=-1),
    [-2.0, 0.0],
    0.0,
)
LARGE = objective(
    *(lambda x, k=scale: k * ((x * x - 1) ** 2).sum(axis=-1) for scale in [1e150]),
    lambda x: 4e150 * x * (x * x - 1),
    [1.0, 1.0],
    0.0,
)
TINY = objective(lambda x: 1e-3 + 1e-8 * (x[:, 0] ** 2 - x[:, 1] ** 2), lambda x: 2e-8 * x * [1.0, -1.0], [0.0, 9.0], 0.0)
WRONG = objective(*diagonal(2.0, offset=-1.0), [3.0], 0.0)
CANCELLING = objective(lambda x: (1e8 + x[:, 0]) ** 2 - 1e16 - 2e8 * x[:, 0], lambda x: 2 * ((1e8 + x) - 1e8), [0.0], 0.0)

INFLECTED = objective(*polynomial(0.0, 0.0, 0.0, 1.0, 1.0), [-0.75], -0.10546875)
TILTED_INFLECTION = objective(*polynomial(0.0, 1e-10, 0.0, 1.0, 1.0), [-0.75], -0.105468750075)
# Along the diagonals, f = −t² + 4t⁴ falls, although its second differences along both axes are positive.
CROSSED = objective(
    lambda x: (x * x).sum(axis=-1) - 3 * np.abs(x[:, 0] * x[:, 1]) + (x * x).sum(axis=-1) ** 2,
    lambda x: 2 * x - 3 * np.sign(x[:, :1] * x[:, 1:]) * x[:, ::-1] + 4 * (x * x).sum(axis=-1)[:, None] * x,
    [np.sqrt(2) / 4, np.sqrt(2) / 4],
    -1 / 16,
)

CASES: list[tuple[str, Objective, Sequence[float], Sequence[Reached]]] = [
    ("left well", TILTED_WELLS, [LEFT], [MINIMUM]),
    ("right well", TILTED_WELLS, [RIGHT], [LOCAL, ELSEWHERE]),
    ("crest between", TILTED_WELLS, [MIDDLE], [MAXIMUM, ELSEWHERE]),
    ("near the right well", TILTED_WELLS, [RIGHT + 1e-8], [LOCAL, ELSEWHERE]),
    ("off the right well", TILTED_WELLS, [RIGHT + 1e-3], [MOVING]),
    ("slope", TILTED_WELLS, [0.5], [MOVING]),
    *((f"{len(w.minimum.x)}-D maximum", w, [0.0] * len(w.minimum.x), [MAXIMUM, ELSEWHERE]) for w in WELLS),
    *((f"{len(w.minimum.x)}-D minimum", w, [-1.0] * len(w.minimum.x), [MINIMUM]) for w in WELLS),
    *((f"{len(w.minimum.x)}-D saddle", w, [0.0] + [1.0] * (len(w.minimum.x) - 1), [SADDLE, ELSEWHERE]) for w in WELLS[1:]),
    *((f"{len(w.minimum.x)}-D other saddle", w, [1.0] + [0.0] * (len(w.minimum.x) - 1), [SADDLE, ELSEWHERE]) for w in WELLS[1:]),
    *((f"{len(w.minimum.x)}-D moving", w, [0.5] * len(w.minimum.x), [MOVING]) for w in WELLS),
    ("wave, minimum", WAVES, [0.0, 0.0], [MINIMUM]),
    ("wave, local", WAVES, [LOCAL_WAVE, 0.0], [LOCAL, ELSEWHERE]),
    ("wave, two off", WAVES, [LOCAL_WAVE, -LOCAL_WAVE], [LOCAL, ELSEWHERE]),
    ("wave, saddle", WAVES, [CREST, 0.0], [SADDLE, ELSEWHERE]),
    ("wave, saddle off", WAVES, [LOCAL_WAVE, CREST], [SADDLE, ELSEWHERE]),
    ("wave, maximum", WAVES, [CREST, CREST], [MAXIMUM, ELSEWHERE]),
    ("high saddle", HIGH[0], [0.0, 0.0], [SADDLE, ELSEWHERE]),
    ("high bowl", HIGH[1], [0.0, 0.0], [LOCAL, ELSEWHERE]),
    ("high dome", HIGH[2], [0.0, 0.0], [MAXIMUM, ELSEWHERE]),
    ("flat", FLAT, [3.0], [ELSEWHERE, UNKNOWN]),
    ("quartic bottom", QUARTIC, [0.0], [LOCAL, ELSEWHERE]),
    ("cubic terrace", CUBIC, [0.0], [ELSEWHERE]),
    ("monkey saddle", MONKEY, [0.0, 0.0], [SADDLE, ELSEWHERE]),
    ("steep, still on its way", STEEP, [9e-7, 0.0], [MINIMUM]),
    ("shallow, still on its way", SHALLOW, [5.0], [UNKNOWN, MOVING]),
    ("bell, bottom", BELL, [0.0], [MINIMUM]),
    ("bell, far out", BELL, [6.0], [ELSEWHERE]),
    ("bell, on its side", BELL, [1.0], [MOVING]),
    ("large saddle", LARGE, [0.0, 1.0], [SADDLE, ELSEWHERE]),
    ("large maximum", LARGE, [0.0, 0.0], [MAXIMUM, ELSEWHERE]),
    ("tiny saddle", TINY, [0.0, 0.0], [SADDLE, ELSEWHERE]),
    ("wrong minimum", WRONG, [0.0], [BELOW]),
    ("wrong minimum, on the way", WRONG, [0.5], [BELOW]),
    ("inflection, close by", INFLECTED, [5.77e-5], [ELSEWHERE]),
    ("tilted inflection", TILTED_INFLECTION, [1e-5], [ELSEWHERE]),
    ("tilted inflection, other side", TILTED_INFLECTION, [-1e-5], [ELSEWHERE]),
    ("no second derivative", CROSSED, [0.0, 0.0], [ELSEWHERE]),
    ("cancelling", CANCELLING, [1e-9], [UNKNOWN, MINIMUM]),
]


@pytest.mark.parametrize(("name", "function", "x", "true"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("backend", [Analytic(), FiniteDifference()], ids=["analytic", "finite_difference"])
def test_no_place_is_false(name: str, function: Any, x: Sequence[float], true: Sequence[Reached], backend: Any) -> None:
    run = trajectory(function, x, backend, gradient_norm=RULE if backend == Analytic() else 1e-4)
    if backend != Analytic() and name in ("off the right well", "shallow, still on its way", "large saddle", "large maximum"):
        # Differences are less accurate than the rule requires, or the looser rule for differences lets the run end there.
        true = (*true, LOCAL, ELSEWHERE, UNKNOWN, MOVING)
    found = reached(function, run)
    assert found in true


def test_most_places_can_be_told() -> None:
    found = [(name, reached(function, trajectory(function, x)), true) for name, function, x, true in CASES]
    vague = [name for name, place, true in found if place != true[0]]
    assert len(CASES) >= 40
    assert len(vague) <= 0.15 * len(CASES), vague


@pytest.mark.parametrize("offset", [1e7, 1e8, 3e8])
def test_the_rounding_of_a_long_run_does_not_disprove_a_minimum(offset: float) -> None:
    """f is x² exactly, but its computed values scatter around it, and the smallest of hundreds of them lies below zero."""
    scattered = objective(
        lambda x: (offset + x[:, 0]) ** 2 - offset**2 - 2 * offset * x[:, 0], lambda x: 2 * ((offset + x) - offset), [0.0], 0.0
    )
    rules = Rules(StoppingRules(max_steps=400), record_x=True)
    start = np.linspace(-3.0, 3.0, 24)[:, None]
    names = tuple(f"run{row}" for row in range(len(start)))
    batch = Batch(names, scattered, Analytic(), GradientDescent(learning_rate=0.013), start, rules)
    runs = descend(batch).trajectories
    assert min(run.best_value for run in runs) < 0
    assert BELOW not in {reached(scattered, run) for run in runs}
