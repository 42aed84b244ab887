"""Factors and orders of convergence against labelled sets: sequences whose long-run factor or order is known in closed form.

The true factor or order must lie within twice the uncertainty of the stated one. If the error has no factor in the long run, no
factor may be stated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from runner import Array, Outcome, Series, contraction, order_of_convergence
from runner.analysis.rates import KnownMinimum, LinearRate, linear_rate
from tests.support.stored_runs import stored


@dataclass(frozen=True)
class Case:
    """A trajectory with the factor that it has in the long run.

    Attributes:
        name: its name.
        value: f, with f* = 0 at x = 0.
        norm: ‖∇f‖.
        x: the iterates, `(steps + 1, dimension)`.
        truth: the long-run factor; None if the error does not shrink geometrically in the long run.
        decidable: true if a numerical analyst can determine the factor from the trajectory.
        known: true if the fit knows the minimum.
        records_x: true if the fit knows the iterates.
        slowest: the factor of the slowest component in theory, if it is known to the fit.
        hessian: the Hessian at the minimiser, if it is known to the fit.
    """

    name: str
    value: Array
    norm: Array
    x: Array
    truth: float | None
    decidable: bool = False
    known: bool = True
    records_x: bool = True
    slowest: float | None = None
    hessian: Array | None = None


def measured(case: Case) -> LinearRate | None:
    run = stored(
        Outcome.MAX_STEPS,
        dimension=case.x.shape[1],
        steps=len(case.x) - 1,
        final_value=float(case.value[-1]),
        best_value=float(case.value.min()),
        final_gradient_norm=float(case.norm[-1]),
        minimum_value=0.0 if case.known else None,
        curvature=None if case.hessian is None else tuple(np.linalg.eigvalsh(case.hessian)[[0, -1]].tolist()),
    )
    series = Series(case.value, case.norm, case.x if case.records_x else None)
    minimum = KnownMinimum(np.zeros(case.x.shape[1]), case.hessian) if case.known else None
    return linear_rate(run, series, minimum, case.slowest)


def stated_and_false(cases: Sequence[Case]) -> tuple[list[str], list[str]]:
    """Return the names of the cases with a stated factor, and of those whose truth is outside twice its uncertainty."""
    stated, false = [], []
    for case in cases:
        rate = measured(case)
        if rate is not None and not rate.doubt:
            stated.append(case.name)
            if case.truth is None or abs(rate.factor - case.truth) > 2.0 * rate.uncertainty + 1e-9:
                false.append(f"{case.name}: {rate} instead of {case.truth}")
    return stated, false


def on_quadratic(name: str, spectrum: Array, x: Array, truth: float, **more: object) -> Case:
    value, norm = 0.5 * (spectrum * x * x).sum(-1), np.linalg.norm(spectrum * x, axis=-1)
    return Case(name, value, norm, x, truth, **more)  # type: ignore[arg-type]


def start_of(seed: int, dimension: int) -> Array:
    draws = np.random.default_rng(seed)
    return draws.uniform(0.3, 3.0, dimension) * draws.choice([-1.0, 1.0], dimension)


def with_memory(step: Callable[[Array, Array], Array], start: Array, steps: int) -> Array:
    """Return the iterates of a method whose step depends on the last two iterates, until they explode."""
    path = [start, start]
    while len(path) < steps + 2 and np.abs(path[-1]).max() < 1e60:
        path.append(step(path[-1], path[-2]))
    return np.array(path[1:])


class TestGradientDescent:
    """Gradient descent on quadratics, with and without the minimum, the iterates and the theory."""

    def cases(self) -> list[Case]:
        cases = []
        shapes = [(1, 1.0), (2, 3.0), (2, 10.0), (2, 100.0), (5, 30.0), (20, 100.0), (3, 1000.0)]
        grid = [(d, k, f, n) for d, k in shapes for f in [0.2, 0.7, 0.97, 1.5, 1.97, 2.02] for n in [30, 300, 4000]]
        for seed, (dimension, condition, fraction, steps) in enumerate(grid):
            spectrum = 2.0 * condition ** np.linspace(0.0, 1.0, dimension)
            rate = fraction / spectrum[-1]
            x = start_of(seed, dimension) * (1.0 - rate * spectrum) ** np.arange(steps + 1)[:, None]
            x = x[np.isfinite(x).all(-1) & (np.abs(x).max(-1) < 1e60)]
            factor = float(contraction(np.array(rate), (float(spectrum[0]), float(spectrum[-1]))))
            for known in (True, False):
                cases.append(
                    on_quadratic(
                        f"d = {dimension}, κ = {condition:g}, γL = {fraction}, {steps} steps, known = {known}",
                        spectrum,
                        x,
                        factor,
                        decidable=self.slow_component_rules(spectrum, rate, x),
                        known=known,
                        records_x=seed % 2 == 0,
                        slowest=factor if known else None,
                        hessian=np.diag(spectrum) if known and dimension == 1 else None,
                    )
                )
        return cases

    @staticmethod
    def slow_component_rules(spectrum: Array, rate: float, x: Array) -> bool:
        """Return true if the slowest component is most of f, and falls a decade, in the latter half of the steps above rounding."""
        parts = spectrum * x * x
        total = parts.sum(-1)
        above = int((total > 1e-12).sum())
        slow = int(np.abs(1.0 - rate * spectrum).argmax())
        tail = max(above // 2, 1)
        share = parts[: above or 1, slow] / total[: above or 1]
        fell = abs(math.log(abs(1.0 - rate * spectrum[slow]) + 1e-300)) * tail
        return above >= 6 and bool(share[-tail:].min() > 0.99) and fell > math.log(12.0)

    def test_factors(self):
        cases = self.cases()
        stated, false = stated_and_false(cases)
        assert false == []
        assert len(stated) > 130
        assert [case.name for case in cases if case.decidable and case.name not in stated] == []


class TestMethodsWithMemory:
    """The factor of a method with memory: the largest modulus of the roots of quadratic equations, one for each eigenvalue."""

    def cases(self) -> list[Case]:
        cases = []
        shapes = [(1, 1.0), (2, 10.0), (5, 100.0)]
        grid = [
            (d, k, b, f, n)
            for d, k in shapes
            for b in [0.3, 0.5, 0.8, 0.9, 0.97]
            for f in [0.05, 0.3, 1.0, 1.8]
            for n in [60, 1500]
        ]
        for seed, (dimension, condition, beta, fraction, steps) in enumerate(grid):
            spectrum = 2.0 * condition ** np.linspace(0.0, 1.0, dimension)
            rate = fraction / spectrum[-1]
            shrink = 1.0 - rate * spectrum

            def heavy_ball(x: Array, before: Array, beta: float = beta, shrink: Array = shrink) -> Array:
                return shrink * x + beta * (x - before)

            def nesterov(x: Array, before: Array, beta: float = beta, shrink: Array = shrink) -> Array:
                return shrink * (x + beta * (x - before))

            equations = {
                heavy_ball: [[1.0, -(a + beta), beta] for a in shrink],
                nesterov: [[1.0, -(1 + beta) * a, beta * a] for a in shrink],
            }
            for step, coefficients in equations.items():
                factor = max(float(np.abs(np.roots(equation)).max()) for equation in coefficients)
                x = with_memory(step, start_of(seed, dimension), steps)
                name = f"{step.__name__}, d = {dimension}, κ = {condition:g}, β = {beta}, γL = {fraction}, {steps} steps"
                cases.append(on_quadratic(name, spectrum, x, factor, known=seed % 3 > 0, records_x=seed % 2 == 0))
        return cases

    def test_factors(self):
        stated, false = stated_and_false(self.cases())
        assert false == []
        assert len(stated) >= 70


def sequence(name: str, errors: Array, truth: float | None = None) -> Case:
    return Case(name, 0.5 * errors**2, np.abs(errors), errors[:, None], truth)


class TestSequences:
    @pytest.mark.parametrize("steps", [20, 60, 400, 5000])
    def test_errors_without_a_factor_have_none(self, steps: int):
        """Powers of k, stretched and squeezed exponentials, and errors that end in noise."""
        k = np.arange(float(steps))
        cases = [sequence(f"k^-{power}", 3.0 * (k + shift) ** -power) for power in (0.5, 1, 2, 4) for shift in (1, 30)]
        cases += [sequence(f"exp(-k^{power})", 3.0 * np.exp(-(k**power))) for power in (0.3, 0.5)]
        cases += [sequence(f"exp(-k^{power}/20)", 3.0 * np.exp(-0.05 * k**power)) for power in (1.3, 1.6)]
        for seed, factor in enumerate((0.5, 0.9, 0.99)):
            noise = 1.0 + np.random.default_rng(seed).random(steps)
            cases.append(sequence(f"{factor}^k above noise", np.sqrt(factor ** (2 * k) + 1e-6 * noise)))
        assert stated_and_false(cases)[0] == []

    @pytest.mark.parametrize("steps", [20, 60, 400, 5000])
    def test_factors_behind_slow_and_irregular_changes(self, steps: int):
        k = np.arange(float(steps))
        cases = []
        for factor in (0.5, 0.9, 0.99):
            pure = factor**k
            shapes = {
                "double root": 1.0 + k,
                "triple root": (1.0 + k) ** 2,
                "root of k": (1.0 + k) ** -0.5,
                "two-cycle": 1.0 + 0.5 * (-1.0) ** k,
                "ripple": 1.0 + 0.3 * np.sin(1.1 * k),
                "slow ripple": 1.0 + 0.3 * np.sin(0.03 * k),
            }
            for seed in range(3):
                draws = np.random.default_rng(seed)
                shapes[f"noise {seed}"] = np.exp(draws.normal(0.0, 0.1, steps))
                shapes[f"random walk {seed}"] = np.exp(np.cumsum(draws.normal(0.0, 0.2 * (1.0 - factor), steps)))
            cases += [sequence(f"{factor}^k with a {name}", pure * shape, factor) for name, shape in shapes.items()]
            # A slower component that stays below a twentieth of the error is left out, because it cannot be seen.
            cases += [
                sequence(f"{factor}^k and {share} of {slower}^k", pure + share * slower**k, slower)
                for slower in (1.0 - (1.0 - factor) / 2.0, 1.0 - (1.0 - factor) / 10.0)
                for share in (1e-1, 1e-2, 1e-4)
                if share * (slower / factor) ** (min(steps, math.log(1e-6) / math.log(factor)) - 1.0) > 0.05
            ]
        stated, false = stated_and_false(cases)
        assert false == []
        assert steps < 400 or len(stated) >= 3

    def test_a_minimum_without_curvature_has_the_factor_of_the_distance(self):
        """Newton's method multiplies the error on x⁴ by 2/3, and √f by 4/9."""
        x = 2.0 * (2.0 / 3.0) ** np.arange(60)[:, None]
        case = Case("x⁴", x[:, 0] ** 4, 4.0 * np.abs(x[:, 0]) ** 3, x, 2.0 / 3.0)
        rate = measured(case)
        assert rate is not None
        assert not rate.doubt
        assert rate.factor == pytest.approx(2.0 / 3.0, rel=1e-6)
        for blind in (
            Case("x⁴", case.value, case.norm, x, None, records_x=False),
            Case("x⁴", case.value, case.norm, x, None, known=False),
        ):
            rate = measured(blind)
            assert rate is not None
            assert rate.doubt.startswith("two measures of the error shrink at different rates")

    def test_a_bowl_that_is_flatter_near_the_minimiser(self):
        """With f″ = 2 far away and 1 near 0, γ = 0.1 has the factor 0.8 at first, and 0.9 in the long run."""
        for border, steps, truth in ((1e-3, 30, None), (1e-3, 40, None), (1e-2, 20, None), (1e-2, 200, 0.9), (1e-4, 200, 0.9)):
            path = [1.0]
            while len(path) <= steps:
                x = path[-1]
                path.append(x - 0.1 * (2.0 * x - border * math.copysign(1.0, x) if abs(x) > border else x))
            x = np.array(path)[:, None]
            far = np.abs(x[:, 0]) > border
            value = np.where(far, x[:, 0] ** 2 - border * np.abs(x[:, 0]) + 0.5 * border**2, 0.5 * x[:, 0] ** 2)
            norm = np.where(far, 2.0 * np.abs(x[:, 0]) - border, np.abs(x[:, 0]))
            rate = measured(Case("bowl", value, norm, x, truth, hessian=np.ones((1, 1))))
            assert rate is not None
            assert bool(rate.doubt) == (truth is None)
            assert truth is None or abs(rate.factor - truth) <= 2.0 * rate.uncertainty + 1e-9


class TestOrders:
    """Sequences eₖ₊₁ = C eₖᵖ, in which C depends on the run and higher terms may be added, and methods of known order."""

    @pytest.mark.parametrize("power", [1.0, 1.3, 1.5, (1.0 + 5.0**0.5) / 2.0, 1.8, 2.0, 2.5, 3.0])
    @pytest.mark.parametrize("spread", [0.0, 0.05, 0.2, 0.5])
    @pytest.mark.parametrize("higher", [0.0, 2.0])
    def test_power_laws(self, power: float, spread: float, higher: float):
        draws = np.random.default_rng(int(100 * power + 10 * spread))
        paths = []
        for _ in range(8):
            factor = 0.4 * math.exp(draws.normal(0.0, spread))
            errors = [float(draws.uniform(2e-3, 9e-3))]
            while errors[-1] > 1e-17 and len(errors) < 60:
                errors.append(min(factor, 0.9) * errors[-1] ** power * (1.0 + higher * errors[-1]))
            paths.append((np.array(errors)[:, None], np.zeros(1)))
        order = order_of_convergence(paths)
        if order is None or order.is_superlinear:
            assert spread >= 0.2 or (spread > 0.0 and power >= 2.5)
        else:
            assert abs(order.power - power) <= 2.0 * order.uncertainty + 1e-9

    @pytest.mark.parametrize(
        ("f", "slope", "bend", "root", "power"),
        [
            (lambda x: math.exp(x) - 1.0, math.exp, math.exp, 0.0, 2.0),
            (math.sin, math.cos, lambda x: -math.sin(x), 0.0, 3.0),
            (math.atan, lambda x: 1.0 / (1.0 + x * x), lambda x: -2.0 * x / (1.0 + x * x) ** 2, 0.0, 3.0),
            (lambda x: x + x * x, lambda x: 1.0 + 2.0 * x, lambda x: 2.0, 0.0, 2.0),
            (lambda x: x**3, lambda x: 3.0 * x * x, lambda x: 6.0 * x, 0.0, 1.0),
        ],
        ids=["exp", "sin", "atan", "parabola", "cube"],
    )
    def test_newton_and_halley(
        self,
        f: Callable[[float], float],
        slope: Callable[[float], float],
        bend: Callable[[float], float],
        root: float,
        power: float,
    ):
        """Where f′ ≠ 0, Newton's method has order 2, or 3 if f″ = 0, and Halley's has 3. At a triple root, both have 1."""
        starts = [9e-3 * 0.6**place for place in range(10)]
        newton, halley = [], []
        for start in starts:
            for paths, is_halley in ((newton, False), (halley, True)):
                x = [start]
                while abs(x[-1]) > 1e-15 and len(x) < 80:
                    value, rise = f(x[-1]), slope(x[-1])
                    x.append(
                        x[-1] - (2.0 * value * rise / (2.0 * rise * rise - value * bend(x[-1])) if is_halley else value / rise)
                    )
                paths.append((np.array(x)[:, None], np.array([root])))
        for paths, truth in ((newton, power), (halley, 3.0 if power > 1.0 else 1.0)):
            order = order_of_convergence(paths)
            assert order is None or order.is_superlinear or abs(order.power - truth) <= 2.0 * order.uncertainty + 1e-3
        order = order_of_convergence(newton)
        assert order is not None
        assert not order.is_superlinear
