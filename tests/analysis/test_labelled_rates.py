"""Rates and orders of convergence against a labelled set: sequences whose long-run factor or order is known in closed form.

No statement may be false, and at most 15 % of the decidable cases may have no statement.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runner import Array, Outcome, Series, StoredRun, contraction
from runner.analysis.rates import KnownMinimum, LinearRate, linear_rate


@dataclass(frozen=True)
class Case:
    """A trajectory with the factor that it has in the long run.

    Attributes:
        name: its name.
        value: f at x, with f* = 0 at x = 0, or NaN-free values with the minimum unknown.
        x: the iterates, `(steps + 1, dimension)`.
        truth: the long-run factor; None if the error does not shrink geometrically in the long run.
        decidable: true if a numerical analyst could tell the factor from the trajectory.
        curvature: the extreme eigenvalues of the Hessian at the minimiser, if they are known to the fit.
        slowest: the factor of the slowest component in theory, if it is known to the fit.
        records_x: true if the fit knows the iterates.
        known: true if the fit knows the minimum.
    """

    name: str
    value: Array
    norm: Array
    x: Array
    truth: float | None
    decidable: bool = True
    curvature: tuple[float, float] | None = None
    slowest: float | None = None
    records_x: bool = True
    known: bool = True
    hessian: Array | None = None


def measured(case: Case) -> LinearRate | None:
    run = StoredRun(
        id=1,
        identity="",
        objective="f",
        gradient="analytic",
        optimizer="gradient_descent",
        parameters={},
        start=0,
        dimension=case.x.shape[1],
        outcome=Outcome.MAX_STEPS,
        error="",
        steps=len(case.x) - 1,
        final_value=float(case.value[-1]),
        best_value=float(case.value.min()),
        final_gradient_norm=float(case.norm[-1]),
        evaluations={},
        seconds=0.0,
        minimum_value=0.0 if case.known else None,
        curvature=case.curvature,
    )
    series = Series(case.value, case.norm, case.x if case.records_x else None)
    minimum = KnownMinimum(np.zeros(case.x.shape[1]), case.hessian) if case.known else None
    return linear_rate(run, series, minimum, case.slowest)


def iterate(step: Callable[[list[Array]], Array], start: Array, steps: int) -> Array:
    path = [start]
    for _ in range(steps):
        path.append(step(path))
        if not np.isfinite(path[-1]).all() or np.abs(path[-1]).max() > 1e60:
            break
    return np.array(path)


def on_quadratic(name: str, spectrum: Array, x: Array, truth: float | None, **more: object) -> Case:
    return Case(name, 0.5 * (spectrum * x * x).sum(-1), np.linalg.norm(spectrum * x, axis=-1), x, truth, **more)  # type: ignore[arg-type]


def start_of(seed: int, dimension: int) -> Array:
    draws = np.random.default_rng(seed)
    return draws.uniform(0.3, 3.0, dimension) * draws.choice([-1.0, 1.0], dimension)


def gradient_descent_cases() -> list[Case]:
    """Gradient descent on quadratics. A run is decidable if its slowest component is the largest one for a while."""
    cases = []
    for seed, (dimension, condition, fraction, steps) in enumerate(
        [
            (d, k, f, n)
            for d, k in [(1, 1.0), (2, 3.0), (2, 10.0), (2, 100.0), (5, 30.0), (20, 100.0), (3, 1000.0)]
            for f in [0.2, 0.7, 0.97, 1.5, 1.97, 2.02]
            for n in [30, 300, 4000]
        ]
    ):
        spectrum = 2.0 * condition ** np.linspace(0.0, 1.0, dimension)
        rate = fraction / spectrum[-1]
        x = start_of(seed, dimension) * (1.0 - rate * spectrum) ** np.arange(steps + 1)[:, None]
        x = x[np.isfinite(x).all(-1) & (np.abs(x).max(-1) < 1e60)]
        curvature = (float(spectrum[0]), float(spectrum[-1]))
        factor = float(contraction(np.array(rate), curvature))
        for known in (True, False):
            slowest = factor if known else None
            name = f"gradient descent, d = {dimension}, κ = {condition:g}, γL = {fraction}, {steps} steps, known = {known}"
            cases.append(
                on_quadratic(
                    name,
                    spectrum,
                    x,
                    factor,
                    decidable=slow_share(spectrum, rate, x),
                    curvature=curvature if known else None,
                    slowest=slowest,
                    records_x=seed % 2 == 0,
                    hessian=np.diag(spectrum) if known else None,
                )
            )
    return cases


def slow_share(spectrum: Array, rate: float, x: Array) -> bool:
    """Return true if the slowest component has most of f in the last third of the steps above rounding, and fell a decade."""
    parts = spectrum * x * x
    total = parts.sum(-1)
    above = int((total > 1e-12).sum())
    slow = int(np.abs(1.0 - rate * spectrum).argmax())
    share = parts[: above or 1, slow] / total[: above or 1]
    tail = max(above // 2, 1)
    fell = abs(math.log(abs(1.0 - rate * spectrum[slow]) + 1e-300)) * tail
    return above >= 6 and bool(share[-tail:].min() > 0.98) and fell > math.log(12.0)


def test_factors_of_gradient_descent():
    cases = gradient_descent_cases()
    rates = {case.name: measured(case) for case in cases}
    told = [case for case in cases if (rate := rates[case.name]) is not None and not rate.doubt]
    false = [case.name for case in told if abs(rates[case.name].factor - case.truth) > 2 * rates[case.name].uncertainty + 1e-9]
    assert false == []
    assert len(told) > 120
    assert [case.name for case in cases if case.decidable and case not in told] == []
