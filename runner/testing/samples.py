"""The plugins and results that checks use: two objectives, a gradient backend, an optimizer, and results of an experiment."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.figure import Results, Series, StoredRun
from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.objective import HasGradient, HasHessian, HasResiduals, LeastSquares, Minimum, Objective
from runner.contracts.optimizer import Memory, Optimizer, Point
from runner.contracts.outcomes import Outcome

ROOTS = np.array([math.sqrt(0.5), 1.0])
BOTTOM = np.array([1.0, -0.5])


@dataclass(frozen=True)
class Bowl(LeastSquares):
    """f(x) = ½ (x₁ − 1)² + (x₂ + ½)²."""

    @property
    def dimension(self) -> int:
        """The number of coordinates, 2."""
        return 2

    @property
    def minimum(self) -> Minimum:
        """f(1, −½) = 0."""
        return Minimum(BOTTOM, 0.0)

    def residuals(self, x: Array) -> Array:
        """Return √½ (x₁ − 1) and x₂ + ½."""
        scaled: Array = ROOTS * (x - BOTTOM)
        return scaled

    def jacobian(self, x: Array) -> Array:
        """Return diag(√½, 1)."""
        return np.tile(np.diag(ROOTS), (len(x), 1, 1))

    def hessian(self, x: Array) -> Array:
        """Return diag(1, 2)."""
        return np.tile(np.diag(2.0 * ROOTS**2), (len(x), 1, 1))


@dataclass(frozen=True)
class Hills(Objective):
    """f(x) = Σ sin(xᵢ) + xᵢ² + x₁x₂x₃/10, which offers values alone."""

    @property
    def dimension(self) -> int:
        """The number of coordinates, 3."""
        return 3

    def value(self, x: Array) -> Array:
        """Return f."""
        total: Array = (np.sin(x) + x * x).sum(axis=-1) + 0.1 * x[..., 0] * x[..., 1] * x[..., 2]
        return total


@dataclass(frozen=True)
class OwnDerivatives(GradientBackend):
    """The objective's own derivatives."""

    def gradient(self, objective: Objective, x: Array) -> Array:
        """Return the objective's own ∇f."""
        return cast(HasGradient, objective).gradient(x)

    def hessian(self, objective: Objective, x: Array) -> Array:
        """Return the objective's own ∇²f."""
        return cast(HasHessian, objective).hessian(x)

    def jacobian(self, objective: Objective, x: Array) -> Array:
        """Return the objective's own ∂r/∂x."""
        return cast(HasResiduals, objective).jacobian(x)


@dataclass(frozen=True)
class PlainDescent(Optimizer):
    """xₖ₊₁ = xₖ − γ ∇f(xₖ)."""

    learning_rate: float = 0.1

    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return x − γ ∇f(x)."""
        return point.x - self.learning_rate * point.gradient, memory


class SampleResults(Results):
    """Made-up results of gradient descent on f(x) = x²: runs that converge, are slow or diverge, and a failed run.

    Args:
        runs: the runs to include; None includes all.
    """

    def __init__(self, runs: Sequence[StoredRun] | None = None) -> None:
        self._runs = tuple(sample_runs() if runs is None else runs)

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return "sample"

    @property
    def description(self) -> str:
        """The description of the experiment."""
        return "Gradient descent on x², made up for checks"

    @property
    def runs(self) -> Sequence[StoredRun]:
        """The runs."""
        return self._runs

    @property
    def swept(self) -> Mapping[str, tuple[str, ...]]:
        """The swept parameters by plugin: the learning rate."""
        return {"downhill": ("learning_rate",)} if self._runs else {}

    def series(self, runs: Sequence[StoredRun]) -> Iterator[tuple[StoredRun, Series]]:
        """Yield each run with its trajectory, which is empty for a failed run."""
        for run in runs:
            yield run, _series(run) if run.outcome != Outcome.FAILED else Series(np.empty(0), np.empty(0), None)


RATES = (0.01, 0.1, 0.3, 0.5, 0.9, 1.1, 3.0)
STARTS = (1.0, -2.0)
OUTCOMES = {0.01: Outcome.MAX_STEPS, 1.1: Outcome.DIVERGED, 3.0: Outcome.NON_FINITE}


def sample_runs() -> list[StoredRun]:
    """Return a run for each learning rate and start, and a run that failed before its first iterate."""
    grid = [(rate, start) for rate in RATES for start in range(len(STARTS))]
    runs = [_run(number, rate, start) for number, (rate, start) in enumerate(grid, 1)]
    return [*runs, failed_run(len(runs) + 1)]


def failed_run(number: int) -> StoredRun:
    """Return a run that failed before its first iterate, so that its numbers are NaN and its trajectory is empty."""
    nan = float("nan")
    no_evaluations = {"value": 0, "gradient": 0, "hessian": 0}
    return dataclasses.replace(
        _run(number, 0.2, 0), outcome=Outcome.FAILED, error="ValueError: made up", steps=0, final_value=nan, best_value=nan,
        final_gradient_norm=nan, evaluations=no_evaluations,
    )  # fmt: skip


def _run(number: int, rate: float, start: int) -> StoredRun:
    outcome = OUTCOMES.get(rate, Outcome.CONVERGED)
    steps = 200 if outcome == Outcome.MAX_STEPS else 40
    run = StoredRun(
        id=number,
        identity=f"{number:064x}",
        objective="x²",
        gradient="own",
        optimizer="downhill",
        parameters={"optimizer.learning_rate": rate},
        start=start,
        dimension=1,
        outcome=outcome,
        error="",
        steps=steps,
        final_value=0.0,
        best_value=0.0,
        final_gradient_norm=0.0,
        evaluations={"value": steps + 1, "gradient": steps + 1, "hessian": 0},
        seconds=0.001,
        minimum_value=0.0,
        curvature=(2.0, 2.0),
    )
    series = _series(run)
    return dataclasses.replace(
        run,
        final_value=float(series.value[-1]),
        best_value=float(np.fmin.reduce(series.value)),
        final_gradient_norm=float(series.gradient_norm[-1]),
    )


def _series(run: StoredRun) -> Series:
    rate = cast(float, run.parameters["optimizer.learning_rate"])
    x = np.array([STARTS[run.start] * (1.0 - 2.0 * rate) ** step for step in range(run.steps + 1)])
    if run.outcome == Outcome.NON_FINITE:
        x[-1] = np.nan
    return Series(x * x, np.abs(2.0 * x), x[:, None])
