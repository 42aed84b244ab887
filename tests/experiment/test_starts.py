"""Mistakes in the start of an experiment."""

from __future__ import annotations

import pytest
from _pytest.mark import ParameterSet

from tests.support.refused_experiments import START, WHOLE, case, experiment

COORDINATES = "coordinates, but the objective has dimension 2; give 2, or one number for all"
FINITE = "must be a finite number, or a list of them, not"
HUGE = "1" + 400 * "0"


def started(start: str, *problems: str) -> ParameterSet:
    """Return an experiment with starts in two dimensions, and the problems with these."""
    return case(*(f"start{problem}" for problem in problems), start=start, objective='name = "quadratic"\ndimension = 2')


class TestStarts:
    @pytest.mark.parametrize(
        ("text", "problems"),
        [
            started("", f": {START} empty"),
            started("unifrom = {}", f": {START} unifrom"),
            started("points = [1.0]\nnormal = {}", f": {START} normal, points"),
            started("points = []", ".points: must be a list of at least one point, not []"),
            started("points = 3", ".points: must be a list of at least one point, not 3"),
            started("points = [[1, 2], [1]]", f".points[1]: has 1 {COORDINATES}"),
            started("points = [[1, 2, 3]]", f".points[0]: has 3 {COORDINATES}"),
            started("points = ['a']", f".points[0]: {FINITE} 'a'"),
            started("points = [[1, inf]]", f".points[0]: {FINITE} inf"),
            started("points = [true]", f".points[0]: {FINITE} true"),
            started(f"points = [{HUGE}]", f".points[0]: {FINITE} {HUGE[:57]}..."),
            started("uniform = 3", ".uniform: must be a table with low, high, count, seed, not 3"),
            started("uniform = { sede = 1 }", ".uniform.sede: there is no such key; allowed: low, high, count, seed"),
            started("uniform = { low = 1, high = 0 }", ".uniform: low must not lie above high, but 1 > 0"),
            started("uniform = { low = 5 }", ".uniform: low must not lie above high, but 5 > 3.0"),
            started("uniform = { low = [0, 0], high = [1, -1] }", ".uniform: low must not lie above high, but [0, 0] > [1, -1]"),
            started("uniform = { low = [0] }", f".uniform.low: has 1 {COORDINATES}"),
            started("uniform = { high = 'a' }", f".uniform.high: {FINITE} 'a'"),
            started("uniform = { count = 0 }", f".uniform.count: {WHOLE} 0"),
            started("uniform = { count = 2.0 }", f".uniform.count: {WHOLE} 2.0"),
            started("uniform = { count = true }", f".uniform.count: {WHOLE} true"),
            started("uniform = { seed = -1 }", ".uniform.seed: must be a whole number >= 0, not -1"),
            started(
                "uniform = { count = 1000000000000000 }", ".uniform.count: 1,000,000,000,000,000 points do not fit into memory"
            ),
            started(
                "uniform = { low = -1e308, high = 1e308 }",
                ": the points are not all finite numbers; choose smaller bounds, or a smaller spread",
            ),
            started("normal = { low = 1 }", ".normal.low: there is no such key; allowed: mean, std, count, seed"),
            started("normal = { mean = [1, 2, 3] }", f".normal.mean: has 3 {COORDINATES}"),
            started("normal = { std = -1 }", ".normal.std: must be >= 0, not -1"),
            started("normal = { seed = 0.5 }", ".normal.seed: must be a whole number >= 0, not 0.5"),
            started(
                "initialisation = {}",
                ".initialisation: objective quadratic does not draw starts itself; use uniform, normal or points",
            ),
        ],
    )
    def test_starts(self, refused, text: str, problems: list[str]):
        refused(text, *problems)

    def test_too_many_points_for_the_memory(self, refused):
        refused(
            experiment(objective=f'name = "quadratic"\ndimension = {10**18}'),
            "start: the points do not fit into memory, because the objective has dimension 1,000,000,000,000,000,000",
        )

    def test_each_objective_of_another_dimension_is_reported(self, refused):
        objectives = 'name = "quadratic"\ndimension = { values = [1, 2, 3] }'
        expected = "coordinates, but the objective has dimension"
        refused(
            experiment(objective=objectives, start="points = [[1.0, 2.0]]"),
            f"start.points[0]: has 2 {expected} 1; give 1, or one number for all",
            f"start.points[0]: has 2 {expected} 3; give 3, or one number for all",
        )
