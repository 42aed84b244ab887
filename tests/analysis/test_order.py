"""The order of convergence, measured on sequences of known order."""

from __future__ import annotations

import numpy as np
import pytest

import runner
from runner import Array, before_noise, curving_downwards, curving_upwards, order_of_convergence, polished
from runner_plugins.objectives.himmelblau import Himmelblau
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.objectives.styblinski_tang import StyblinskiTang


def sequence(power: float, factor: float, first: float, limit: float = 0.0, steps: int = 60) -> tuple[Array, Array]:
    errors = [first]
    while len(errors) <= steps and errors[-1] > 1e-20:
        errors.append(factor * errors[-1] ** power)
    return np.array(errors)[:, None] + limit, np.array([limit])


class Flat(runner.Objective):
    """f = x⁴."""

    @property
    def dimension(self) -> int:
        return 1

    def value(self, x: Array) -> Array:
        return x[:, 0] ** 4

    def gradient(self, x: Array) -> Array:
        return 4.0 * x**3

    def hessian(self, x: Array) -> Array:
        return 12.0 * x[:, :, None] ** 2


class TestOrder:
    @pytest.mark.parametrize("power", [1.0, 1.5, (1 + 5**0.5) / 2, 2.0, 3.0])
    def test_sequences_of_known_order(self, power: float):
        runs = [sequence(power, 0.5, first) for first in (9e-3, 7e-3, 5e-3, 2e-3, 9e-4)]
        order = order_of_convergence(runs)
        assert order is not None
        assert order.power == pytest.approx(power, abs=1e-6)
        assert order.factor == pytest.approx(0.5, rel=1e-6)
        assert order.uncertainty < 0.004 * power

    def test_far_iterates_and_rounding_are_left_out(self):
        x, limit = sequence(2.0, 1.0, 5e-3, limit=3.0)
        order = order_of_convergence([(np.concatenate([np.linspace(9, 4, 30)[:, None], x, x[-1:]]), limit)] * 2)
        assert order is not None
        assert order.power == pytest.approx(2.0, abs=0.01)
        assert order.pairs == 4

    @pytest.mark.parametrize(("noise", "stated"), [(0.05, 200), (0.15, 150), (0.25, 80), (1.0, 0)])
    def test_scatter_is_reported_as_uncertainty(self, noise: float, stated: int):
        """The true order lies within twice the uncertainty. If the scatter is large, no order is stated."""
        generator = np.random.default_rng(0)
        orders = []
        for _ in range(200):
            before = np.exp(generator.uniform(np.log(1e-6), np.log(9e-3), 30))
            runs = [(np.array([[e], [3 * e**1.5 * np.exp(generator.normal(0, noise))]]), np.zeros(1)) for e in before]
            order = order_of_convergence(runs)
            orders += [] if order is None else [order]
        assert sum(abs(order.power - 1.5) <= 2 * order.uncertainty for order in orders) >= 0.95 * len(orders)
        assert len(orders) >= stated
        assert stated or not orders

    @pytest.mark.parametrize("runs", [[], [sequence(2.0, 1.0, 5e-3)], [(np.full((5, 1), 0.005), np.zeros(1))]])
    def test_too_few_iterates_give_no_order(self, runs: list[tuple[Array, Array]]):
        assert order_of_convergence(runs) is None

    @pytest.mark.parametrize(("start", "end"), [([2.9, 2.1], [3.0, 2.0]), ([-0.27, -0.92], [-0.270845, -0.923039])])
    def test_polishing_finds_the_nearby_stationary_point(self, start: list[float], end: list[float]):
        point = polished(Himmelblau(), np.array(end) + 1e-3)
        assert np.abs(Himmelblau().gradient(point[None])).max() < 1e-12
        np.testing.assert_allclose(point, end, atol=1e-5)

    def test_polishing_gives_nothing_where_it_fails(self):
        """Polishing needs an objective with a Hessian, a nearby stationary point, and a regular Hessian there."""
        assert polished(None, np.zeros(2)) is None
        assert polished(Himmelblau(), np.array([2.0, 1.0])) is None
        assert polished(Flat(), np.array([1e-3])) is None

    def test_the_pairs_of_one_run_count_as_one(self):
        """The errors within one run are correlated, so the standard error follows the spread between runs."""
        generator = np.random.default_rng(0)
        within = 0
        for _ in range(200):
            runs = []
            for _ in range(12):
                steps = np.log(0.5) + np.repeat(generator.normal(0, 0.1, 5), 4)
                runs.append((9e-3 * np.exp(np.cumsum(steps))[:, None], np.zeros(1)))
            order = order_of_convergence(runs)
            assert order is not None
            within += abs(order.power - 1.0) <= 2 * order.uncertainty
        assert within >= 190

    def test_iterates_that_stand_still_in_noise_are_left_out(self):
        x, limit = sequence(2.0, 1.0, 5e-3, limit=3.0)
        noisy = np.concatenate([x[:2], limit + np.array([[3e-8], [2e-8]])])
        assert before_noise(noisy, limit).tolist() == x[:2].tolist()
        assert before_noise(x, limit) is x
        assert len(before_noise(limit + np.array([[2e-8], [3e-8]]), limit)) == 0

    def test_one_run_has_an_uncertainty_from_its_own_scatter(self):
        order = order_of_convergence([sequence(1.0, 0.5, 9e-3)])
        assert order is not None
        assert order.power == pytest.approx(1.0)
        assert order.uncertainty < 1e-3
        x, limit = sequence(1.0, 0.5, 9e-3)
        ripple = 1.0 + 0.05 * np.cos(np.arange(len(x)))[:, None]
        order = order_of_convergence([(x * ripple, limit)])
        assert order is not None
        assert 1e-3 < order.uncertainty < 0.02
        assert abs(order.power - 1.0) <= 2 * order.uncertainty

    @pytest.mark.parametrize(
        "errors",
        [
            9e-3 * 0.5 ** np.arange(9),  # less than three decades
            9e-3 * np.exp(-0.3 * np.arange(40) + 0.5 * np.cos(np.arange(40))),  # some errors grow
            9e-3 * np.cumprod(np.tile([0.9, 0.05, 0.6], 6)),  # linear, with a ratio that jumps
            9e-3 / np.arange(1, 60) ** 5.0,  # sublinear
        ],
    )
    def test_no_order_where_the_errors_follow_no_power_law(self, errors: Array):
        assert order_of_convergence([(errors[:, None], np.zeros(1))] * 3) is None

    @pytest.mark.parametrize(
        "errors",
        [
            9e-3 * np.exp(-0.3 * np.arange(9) ** 2),  # the damping of Levenberg and Marquardt falls by a factor in each step
            9e-3 / np.cumprod(np.arange(1.0, 11.0) ** 2),
            9e-3 * np.exp(-0.15 * np.arange(9) ** 2.2),
        ],
    )
    def test_superlinear_errors_without_a_power_law(self, errors: Array):
        order = order_of_convergence([(errors[:, None], np.zeros(1))] * 3)
        assert order is not None
        assert order.is_superlinear
        assert np.isnan(order.power)

    def test_saddles_and_maxima_are_distinguished_from_minima(self):
        one, two, three = -2.903534, 0.156731, 2.746803
        x = np.array([[one, one], [one, three], [one, two], [two, two]])
        assert curving_downwards(StyblinskiTang(2), x).tolist() == [False, False, True, True]
        assert curving_downwards(Quadratic(2), np.zeros((1, 2))).tolist() == [False]
        assert curving_downwards(None, x).tolist() == [False] * 4
        assert curving_upwards(StyblinskiTang(2), x).tolist() == [True, True, False, False]
        assert curving_upwards(None, x).tolist() == [False] * 4
        assert curving_upwards(Flat(), np.array([[0.0], [0.1]])).tolist() == [False, True], "an eigenvalue of zero tells nothing"
