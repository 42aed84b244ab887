"""The behaviour of runs whose course is known in closed form; the labels are derived here, not by the code under test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from runner.contracts.arrays import Array
from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.objective import Objective
from runner.contracts.optimizer import Optimizer
from runner.contracts.outcomes import Outcome
from runner.engine.batch import Batch
from runner.engine.behaviour import irregularity
from runner.engine.loop import descend
from runner.experiment.model import Rules, StoppingRules
from runner_plugins.gradients.analytic import Analytic
from runner_plugins.objectives.linear_regression import LinearRegression
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.objectives.sin_quadratic import SinQuadratic
from runner_plugins.objectives.styblinski_tang import StyblinskiTang
from runner_plugins.optimizers.gradient_descent import GradientDescent
from runner_plugins.optimizers.momentum import Momentum
from runner_plugins.optimizers.newton import Newton
from tests.support.databases import opened
from tests.support.smooth_objectives import DiagonalQuadratic

CRAWLING, MONOTONE, OSCILLATING, DIVERGING, UNKNOWN = "crawling", "monotone", "oscillating", "diverging", "unknown"
FRACTIONS = (
    *(1e-4, 1e-3, 1e-2, 0.1, 0.3, 0.5, 0.7, 0.9, 1 - 1e-3, 1 - 1e-6, 1.0, 1 + 1e-6, 1 + 1e-3),
    *(1.1, 1.3, 1.5, 1.9, 2 - 1e-3, 2 - 1e-6, 2.0, 2 + 1e-6, 2 + 1e-3, 2.1, 2.5),
)
"""Learning rates as fractions of 1/L, including the limits 1/L and 2/L and values just beside them."""
STEPS = 500


def make_batch(objective: Objective, optimizer: Optimizer, start: Any, record_x: bool = True, **stop: Any) -> Batch:
    x = np.array(start, dtype=np.float64)
    rules = Rules(StoppingRules(**{"max_steps": STEPS, **stop}), record_x)
    return Batch(tuple(f"run{row}" for row in range(len(x))), objective, Analytic(), optimizer, x, rules)


def behaviours(batch: Batch) -> list[str | None]:
    descent = descend(batch)
    assert descent.warnings == ()
    return [trajectory.behaviour and trajectory.behaviour.value for trajectory in descent.trajectories]


def column(values: Any) -> Any:
    return np.array(values, dtype=np.float64)[:, None]


def label_of_scaling(fraction: float, fall: float) -> str:
    """Return the behaviour of x ← (1 − c) x if ‖∇f‖ must fall by the factor `fall` within STEPS steps.

    x flips its sign if and only if c > 1, grows if and only if c > 2, and is multiplied by |1 − c| in each step. A run crawls if
    twice as many steps would not be enough.
    """
    if fraction > 2:
        return DIVERGING
    if fraction > 1:
        return OSCILLATING
    return CRAWLING if (1 - fraction) ** (2 * STEPS) > fall else MONOTONE


def label_of_diagonal(curvatures: Array, rate: float, start: Array, fall: float) -> str:
    """Return the behaviour of gradient descent on ½ Σ λᵢ xᵢ², where xᵢ ← (1 − γλᵢ) xᵢ.

    At the end of a step, the slope along the step is −γ Σ λᵢ² (1 − γλᵢ) xᵢ². The latter half of the steps decides.
    """
    factors = 1 - rate * curvatures
    if np.abs(factors).max() > 1 + 1e-15:
        return DIVERGING
    course = factors ** np.arange(2 * STEPS + 1)[:, None] * start
    norms = np.linalg.norm(curvatures * course, axis=-1)
    end = min(int(np.argmax(norms <= fall * norms[0])) or STEPS, STEPS)
    uphill = -(curvatures**2 * factors * course**2).sum(axis=-1)[:end] > 0
    if uphill[end // 2 :].mean() > 0.5:
        return OSCILLATING
    return CRAWLING if norms[-1] > fall * norms[0] else MONOTONE


class TestLabelledRuns:
    @pytest.mark.parametrize("fall", [1e-9, None], ids=["with a rule", "without"])
    @pytest.mark.parametrize("dimension", [1, 3])
    def test_square_at_every_fraction_of_the_limit(self, dimension: int, fall: float | None):
        """96 labelled runs: Σ xᵢ² has one curvature, L = 2, and every coordinate follows x ← (1 − γL) x."""
        start = np.full((len(FRACTIONS), dimension), 2.5)
        rule = {} if fall is None else {"gradient_norm": fall * float(np.linalg.norm(2 * start[0]))}
        batch = make_batch(Quadratic(dimension), GradientDescent(column(FRACTIONS) / 2), start, **rule)
        assert behaviours(batch) == [label_of_scaling(fraction, fall or 1e-8) for fraction in FRACTIONS]

    @pytest.mark.parametrize("condition", [10.0, 100.0])
    @pytest.mark.parametrize("dimension", [2, 4])
    def test_diagonal_quadratics(self, dimension: int, condition: float):
        """48 labelled runs; at 1/L and above, a fast coordinate flips its sign, and either it or the slow ones dominate in the end."""
        curvatures = 2 * condition ** np.linspace(0, 1, dimension)
        best = 2 / (curvatures[0] + curvatures[-1])
        rates = [
            *(c / curvatures[-1] for c in (1e-4, 1e-2, 0.5, 0.9, 1.0, 1.2, 2 - 1e-3, 2 + 1e-3, 2.5)),
            *(best * s for s in (0.9, 1, 1.05)),
        ]
        start = np.array([2.0, -1.5, 1.0, 0.5])[:dimension]
        batch = make_batch(Quadratic(dimension, condition), GradientDescent(column(rates)), [start] * len(rates))
        assert behaviours(batch) == [label_of_diagonal(curvatures, rate, start, 1e-8) for rate in rates]

    def test_linear_regression(self):
        """12 labelled runs: with H = 2/m AᵀA = Σ λᵢ vᵢvᵢᵀ, the errors along vᵢ are multiplied by 1 − γλᵢ."""
        objective = LinearRegression(samples=40)
        features, y = objective.data
        table = np.column_stack([features, np.ones(len(y))])
        curvatures, directions = np.linalg.eigh(2 / len(y) * table.T @ table)
        start = np.array([3.0, -3.0])
        along = directions.T @ (start - np.linalg.lstsq(table, y)[0])
        rates = [c / curvatures[-1] for c in (1e-4, 1e-3, 0.1, 0.9, 1 - 1e-3, 1.0, 1.2, 1.9, 2 - 1e-3, 2 + 1e-3, 2.1, 2.5)]
        batch = make_batch(objective, GradientDescent(column(rates)), [start] * len(rates))
        assert behaviours(batch) == [label_of_diagonal(curvatures, rate, along, 1e-8) for rate in rates]

    def test_a_rippled_parabola_near_its_minimiser(self):
        """9 labelled runs: near x* of sin(x) + x² the error is multiplied by 1 − γ f″(x*), with f″ = 2 − sin."""
        minimiser = -0.45018361129487355
        fractions = [1e-4, 1e-2, 0.5, 1 - 1e-3, 1 + 1e-3, 1.5, 2 - 1e-3, 2.05, 2.2]
        rates = column(fractions) / (2 - np.sin(minimiser))
        labels = [label_of_scaling(fraction, 1e-8) for fraction in fractions[:-2]]
        # These rates are above 2/f″(x*), but below 2/μ with μ = 1, the smallest f″: the runs end in a cycle around the minimiser.
        labels += [OSCILLATING, OSCILLATING]
        assert behaviours(make_batch(SinQuadratic(), GradientDescent(rates), [[minimiser + 1e-4]] * len(fractions))) == labels

    @pytest.mark.parametrize("momentum", [0.3, 0.5, 0.9])
    def test_momentum_oscillates_where_its_eigenvalues_are_complex(self, momentum: float):
        """18 labelled runs: the roots of z² − (1 + β − γL) z + β are real up to γL = (1 − √β)², and leave the circle at 2 (1 + β)."""
        border = (1 - np.sqrt(momentum)) ** 2
        products = [
            0.1 * border,
            0.9 * border,
            *(border + share * (2 * (1 + momentum) - border) for share in (0.3, 0.9)),
            2.02 * (1 + momentum),
            5.0,
        ]
        labels = [CRAWLING if self.slowest_root(momentum, product) ** 4000 > 1e-8 else MONOTONE for product in products[:2]]
        labels += [OSCILLATING, OSCILLATING, DIVERGING, DIVERGING]
        batch = make_batch(
            Quadratic(), Momentum(column(products) / 2, momentum), [[2.5]] * len(products), max_steps=2000, gradient_norm=5e-8
        )
        assert behaviours(batch) == labels

    @pytest.mark.parametrize(("share", "label"), [(0.02, MONOTONE), (0.05, MONOTONE), (0.18, OSCILLATING), (0.3, OSCILLATING)])
    def test_oscillation_in_a_tenth_of_the_steps_is_enough(self, share: float, label: str):
        """4 labelled runs e^(−ak) cos(θk), with e^(−a) = √β: the share arctan(θ/a)/π of their steps leads away from the minimum."""
        momentum = 0.99
        angle = -0.5 * np.log(momentum) * np.tan(np.pi * share)
        product = 1 + momentum - 2 * np.sqrt(momentum) * np.cos(angle)
        batch = make_batch(Quadratic(), Momentum(product / 2, momentum), [[2.5]], max_steps=50_000)
        assert behaviours(batch) == [label]

    @pytest.mark.parametrize(
        ("momentum", "rate", "steps"),
        [(0.9, 0.0019246221922644011, 5000), (0.9, 0.0019, 20_000), (0.99, 2.5e-5, 5000), (0.8, 0.0085, 2000)],
    )
    def test_bursts_of_overshoots_in_a_long_run_are_seen(self, momentum: float, rate: float, steps: int):
        """4 labelled runs: about a fifth of the steps lead away from the minimum, in bursts with tens of steps between them."""
        root = np.roots([1, -(1 + momentum - 2 * rate), momentum])[0]
        assert 0.15 < np.arctan(abs(np.angle(root)) / -np.log(abs(root))) / np.pi < 0.25
        assert behaviours(make_batch(Quadratic(), Momentum(rate, momentum), [[1.0]], max_steps=steps)) == [OSCILLATING]

    @staticmethod
    def slowest_root(momentum: float, product: float) -> float:
        return float(np.abs(np.roots([1, -(1 + momentum - product), momentum])).max())


class TestAnyFraction:
    @given(st.lists(st.floats(1e-3, 3.0), min_size=1, max_size=30), st.floats(1e-3, 1e3), st.booleans())
    def test_fraction_of_the_limit_decides_on_a_square(self, fractions: list[float], start: float, records: bool):
        """The start and the batch do not matter. Within rounding of a border both labels are allowed."""
        clear = [fraction for fraction in fractions if min(abs(fraction - 1), abs(fraction - 2)) > 1e-12] or [0.5]
        batch = make_batch(Quadratic(), GradientDescent(column(clear) / 2), [[start]] * len(clear), records, max_steps=60)
        for fraction, behaviour in zip(clear, behaviours(batch), strict=True):
            if fraction < 1:
                assert behaviour in (CRAWLING, MONOTONE), fraction
            else:
                assert behaviour == (OSCILLATING if fraction < 2 else DIVERGING), fraction


class TestAnyScale:
    @given(
        st.lists(st.floats(1.0, 100.0), min_size=1, max_size=4).flatmap(
            lambda curvatures: st.tuples(
                st.just(tuple(curvatures)), st.lists(st.floats(0.1, 10.0), min_size=len(curvatures), max_size=len(curvatures))
            )
        ),
        st.lists(st.sampled_from(FRACTIONS), min_size=1, max_size=8),
        st.integers(-900, 900),
        st.integers(-500, 500),
        st.booleans(),
    )
    @example(((2.0,), [3.0]), list(FRACTIONS), 0, 500, False)
    @example(((2.0, 20.0), [3.0, 1.0]), list(FRACTIONS), 0, -500, False)
    @example(((2.0, 20.0), [3.0, 1.0]), list(FRACTIONS), 600, 0, True)
    def test_units_of_x_and_f_do_not_matter(
        self, bowl: tuple[tuple[float, ...], list[float]], fractions: list[float], f_power: int, x_power: int, rule: bool
    ):
        """Powers of two change no digit of a quadratic's iterates, so every run makes the same moves, only larger or smaller."""
        curvatures, start = bowl
        rates = column(fractions) / max(curvatures)
        assume(max(abs(f_power + x_power), abs(f_power + 2 * x_power)) <= 1000)

        def at(f: float, x: float) -> list[str | None]:
            starts = [np.array(start) * x] * len(fractions)
            stop = {"gradient_norm": 1e-9 * f * x} if rule else {}
            batch = make_batch(
                DiagonalQuadratic(curvatures, f),
                GradientDescent(rates / f),
                starts,
                max_steps=60,
                divergence_limit=np.inf,
                **stop,
            )
            return behaviours(batch)

        assert at(2.0**f_power, 2.0**x_power) == at(1.0, 1.0)


class TestWindow:
    def test_steps_after_the_oscillation_has_died_out_do_not_count(self):
        """On ½ (2 x² + 200 y²), y flips its sign in every step, but dominates only in the first 131 of 500, until 1e12 · 0.81^k = 1.

        On sin(x) + x² the error is multiplied by −0.3, down to rounding in some thirty steps of 700.
        """
        died_out = make_batch(Quadratic(2, 100.0), GradientDescent(1.9 / 200), [[1.0, 1e4]])
        resting = make_batch(SinQuadratic(), GradientDescent(1.3 / (2 - np.sin(-0.45018361129487355))), [[1.0]], max_steps=700)
        assert behaviours(died_out) + behaviours(resting) == [MONOTONE, OSCILLATING]


class TestEnds:
    def test_a_run_without_a_step_has_no_behaviour(self):
        assert behaviours(make_batch(Quadratic(), GradientDescent(0.1), [[0.0]], gradient_norm=0.0)) == [None]

    def test_a_run_that_does_not_move_crawls(self):
        assert behaviours(make_batch(Quadratic(), GradientDescent(1e-30), [[1.0]])) == [CRAWLING]

    @pytest.mark.parametrize("steps", [1, 3, 7])
    def test_short_run_whose_f_rose_in_each_step_does_not_tell(self, steps: int):
        (trajectory,) = descend(make_batch(Quadratic(), GradientDescent(1 + 1e-6), [[1.0]], max_steps=steps)).trajectories
        assert (trajectory.outcome, trajectory.behaviour) == (Outcome.MAX_STEPS, UNKNOWN)

    @pytest.mark.parametrize(
        ("condition", "rate", "start", "steps"),
        [
            (100.0, 0.01001, [3.0, 0.1], 1000),
            (100.0, 0.010001, [3.0, 0.1], 30_000),
            (10.0, 0.1002, [30.0, 0.1], 2000),
            (10.0, 0.1002, [3.0, 1.0], 30),
        ],
    )
    def test_slow_growth_that_a_falling_coordinate_hid_at_first_has_diverged(
        self, condition: float, rate: float, start: list[float], steps: int
    ):
        """The curvatures are 2 and 2κ; each step multiplies the second coordinate by 1 − 2κγ, and f ends below or above its first value."""
        (trajectory,) = descend(make_batch(Quadratic(2, condition), GradientDescent(rate), [start], max_steps=steps)).trajectories
        assert (trajectory.outcome, trajectory.behaviour) == (Outcome.DIVERGED, DIVERGING)

    def test_slow_climb_to_a_maximum_has_not_diverged(self):
        """Near the maximum of ½ (x⁴ − 16 x² + 5 x), each Newton step covers a thousandth of the way; f rises, but to a finite value."""
        (trajectory,) = descend(make_batch(StyblinskiTang(1), Newton(1e-3, "plain"), [[0.9]])).trajectories
        assert (trajectory.outcome, trajectory.behaviour) == (Outcome.MAX_STEPS, UNKNOWN)

    def test_growth_beyond_the_largest_number_is_diverging(self):
        (trajectory,) = descend(make_batch(Quadratic(), GradientDescent(9.0), [[1.0]], divergence_limit=np.inf)).trajectories
        assert (trajectory.outcome, trajectory.behaviour) == (Outcome.NON_FINITE, DIVERGING)

    def test_behaviour_before_a_step_out_of_the_domain_is_unknown(self):
        @dataclass(frozen=True)
        class Logarithm(Objective):
            dimension = 1

            def value(self, x: Array) -> Array:
                return (x - np.log(x))[:, 0]

            def gradient(self, x: Array) -> Array:
                return 1 - 1 / x

        (trajectory,) = descend(make_batch(Logarithm(), GradientDescent(9.0), [[5.0]])).trajectories
        assert (trajectory.outcome, trajectory.behaviour) == (Outcome.NON_FINITE, UNKNOWN)

    def test_monotone_climb_to_a_maximum_is_not_oscillating(self):
        """Plain Newton, started near the maximum of ½ (x⁴ − 16 x² + 5 x), where f″ < 0."""
        (trajectory,) = descend(
            make_batch(StyblinskiTang(1), Newton(indefinite="plain"), [[0.9]], gradient_norm=1e-9)
        ).trajectories
        assert (trajectory.outcome, trajectory.behaviour) == (Outcome.CONVERGED, MONOTONE)

    @pytest.mark.parametrize("max_steps", [60, 700, 20_000])
    def test_steps_before_a_run_rests_count_however_long_it_rests(self, max_steps: int):
        """The learning rates lie on both sides of 1/L. The runs reach rounding after about twenty steps and then stand still."""
        rates = column([0.7, 1.3]) / (2 - np.sin(-0.45018361129487355))
        assert behaviours(make_batch(SinQuadratic(), GradientDescent(rates), [[1.0]] * 2, max_steps=max_steps)) == [
            MONOTONE,
            OSCILLATING,
        ]

    @pytest.mark.parametrize("steps", [100, 300, 1000])
    def test_crawling_is_measured_against_the_goal(self, steps: int):
        """Each step multiplies f − f* by (1 − 2γ)²; from 1 to 1e-6 that takes 343 steps of γ = 0.01."""
        (trajectory,) = descend(make_batch(Quadratic(), GradientDescent(0.01), [[1.0]], gap=1e-6, max_steps=steps)).trajectories
        expected = (
            (Outcome.MAX_STEPS, CRAWLING)
            if steps == 100
            else (Outcome.MAX_STEPS, MONOTONE)
            if steps == 300
            else (Outcome.CONVERGED, MONOTONE)
        )
        assert (trajectory.outcome, trajectory.behaviour) == expected


class TestEverywhereTheSame:
    def batch(self, record_x: bool = True) -> Batch:
        rates = np.geomspace(1e-4, 1.2, 60)
        starts = np.linspace(-3, 3, 60)[:, None]
        return make_batch(SinQuadratic(), GradientDescent(column(rates)), starts, record_x, gradient_norm=1e-8)

    def test_same_behaviour_alone_in_a_batch_and_without_recorded_x(self):
        together = behaviours(self.batch())
        assert set(together) == {CRAWLING, MONOTONE, OSCILLATING, DIVERGING}
        assert together == behaviours(self.batch(record_x=False))
        assert together == [behaviours(self.batch().only([row]))[0] for row in range(60)]

    EXPERIMENT = """\
objective = [{ name = "quadratic" }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = { values = [1e-4, 0.3, 0.7, 1.1] } }]
start = { points = [2.5, 0.0] }
stop = { max_steps = 200, gradient_norm = 1e-8 }
"""

    @pytest.mark.parametrize("executor", ["serial", "processes"])
    def test_behaviour_is_stored_and_can_be_queried(self, executor: str, write: Any, runner_cli: Any):
        path = write(self.EXPERIMENT)
        done = runner_cli("run", path, "--no-report", "--executor", executor)
        assert done.code == 0, done.err
        query = """SELECT p.number, r.behaviour FROM runs r JOIN parameters p ON p.run_id = r.id AND p.name = 'learning_rate'
                   WHERE r.steps > 0 ORDER BY p.number"""
        with opened(path.parent / "results" / "runner.db") as connection:
            rows = connection.execute(query).fetchall()
            resting = connection.execute("SELECT behaviour FROM runs WHERE steps = 0").fetchall()
        assert rows == [(1e-4, CRAWLING), (0.3, MONOTONE), (0.7, OSCILLATING), (1.1, DIVERGING)]
        assert resting == [(None,)] * 4

    @pytest.mark.parametrize("dimension", [1, 2, 9])
    def test_number_of_steps_that_are_measured_together_does_not_matter(self, dimension: int, monkeypatch: pytest.MonkeyPatch):
        """Large batches fill the buffers with few steps."""
        curvatures = np.linspace(1, 9, dimension)
        batch = make_batch(
            DiagonalQuadratic(tuple(curvatures.tolist())),
            Momentum(column(np.geomspace(1e-4, 0.5, 20)), 0.9),
            [np.ones(dimension)] * 20,
            max_steps=300,
        )
        together = behaviours(batch)
        monkeypatch.setattr("runner.engine.behaviour.BUFFER_BYTES", 1)
        assert behaviours(batch) == together
        assert {OSCILLATING, CRAWLING} <= set(together)


@dataclass(frozen=True)
class SignsOnly(GradientBackend):
    def gradient(self, objective: Objective, x: Array) -> Array:
        return np.sign(objective.gradient(x))


class TestRegularity:
    """The error of predicting f or ‖∇f‖² from its history."""

    @pytest.mark.parametrize("iterates", [20, 64])
    def test_linear_recurrences_are_regular(self, iterates: int):
        k = np.arange(iterates)
        series = [1.5 * 0.9**k, 0.99**k * np.cos(0.3 * k) ** 2, 2 + (-1.0) ** k, 1.0 + 0 * k, np.cos(2 * np.pi * k / 5)]
        assert irregularity(np.array(series)).max() < 1e-3

    @pytest.mark.parametrize("iterates", [12, 20, 64])
    @pytest.mark.parametrize("correlation", [-0.9, 0.0, 0.9, 0.999])
    def test_noise_is_irregular_whatever_its_correlation(self, iterates: int, correlation: float):
        """200 runs xₖ₊₁ = φ xₖ + noise."""
        random = np.random.default_rng(3)
        x = [random.standard_normal(200)]
        for _ in range(iterates + 50):
            x.append(correlation * x[-1] + random.standard_normal(200))
        assert irregularity(np.square(x[-iterates:]).T).min() > 0.03

    def test_rounding_beside_a_constant_is_no_noise(self):
        random = np.random.default_rng(3)
        assert irregularity(1 + 1e-14 * random.standard_normal((20, 64))).max() < 1e-3

    def test_noise_is_seen_in_f_if_the_gradient_has_a_fixed_length(self):
        random = np.random.default_rng(3)

        @dataclass(frozen=True)
        class NoisySigns(GradientBackend):
            def gradient(self, objective: Objective, x: Array) -> Array:
                return np.sign(objective.gradient(x) + random.standard_normal(x.shape))

        batch = make_batch(Quadratic(), GradientDescent(0.05), [[1.0]])
        assert behaviours(replace(batch, gradient=NoisySigns())) == [UNKNOWN]
        descending = replace(batch, gradient=SignsOnly())
        assert behaviours(descending) == [OSCILLATING]

    def test_runs_do_not_influence_each_other(self):
        random = np.random.default_rng(3)
        norms = np.abs(random.standard_normal((50, 64))) * np.geomspace(1e-100, 1e100, 50)[:, None]
        alone = np.concatenate([irregularity(norms[row : row + 1]) for row in range(50)])
        np.testing.assert_array_equal(irregularity(norms), alone)
