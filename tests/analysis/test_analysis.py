"""Quantiles over runs, curvature, the ranking of settings, and numbers in words."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import Array, Behaviour, Outcome, StoredRun, quantile_band, stability_limit
from runner.analysis import quantiles
from runner.analysis.curvature import hessian_spectrum
from runner.analysis.quantiles import DRAWN_POINTS, drawn_steps
from runner.analysis.summary import rounding_level, settings_table, summarize, summarize_settings, summary_table
from runner.tables.readable import counted, listed, number, part

INF, NAN = math.inf, math.nan
ANY_FLOAT = st.floats(width=64)


def stored(outcome: Outcome = Outcome.CONVERGED, rate: float = 0.1, **changes: object) -> StoredRun:
    run = StoredRun(
        id=1,
        identity="",
        objective="quadratic",
        gradient="analytic",
        optimizer="gradient_descent",
        parameters={"objective.size": 2, "optimizer.learning_rate": rate},
        start=0,
        dimension=1,
        outcome=outcome,
        error="",
        steps=10,
        final_value=1e-12,
        best_value=1e-12,
        final_gradient_norm=1e-6,
        evaluations={"value": 11, "gradient": 11, "hessian": 0},
        seconds=0.0,
        minimum_value=0.0,
        curvature=(2.0, 2.0),
    )
    return replace(run, **changes)  # type: ignore[arg-type]


def held(curve: list[float], step: int, lost: bool) -> float:
    """What a run counts as at a step, said slowly."""
    if not curve or (lost and step >= len(curve)):
        return INF
    value = curve[min(step, len(curve) - 1)]
    return value if math.isfinite(value) else INF


@given(
    st.lists(st.tuples(st.lists(ANY_FLOAT, max_size=6), st.booleans()), min_size=1, max_size=8), st.sampled_from([0.0, 0.1, 0.25])
)
def test_band_is_the_order_statistics_at_each_step(runs: list[tuple[list[float], bool]], low: float) -> None:
    band = quantile_band([np.array(curve) for curve, _ in runs], low, 1 - low, lost=[lost for _, lost in runs])
    assert list(band.steps) == list(range(max(1, *(len(curve) for curve, _ in runs))))
    for step in band.steps:
        values = sorted(held(curve, step, lost) for curve, lost in runs)
        last = len(values) - 1
        assert band.median[step] == 0.5 * values[last // 2] + 0.5 * values[(last + 1) // 2]
        assert band.low[step] == values[math.floor(low * last)]
        assert band.high[step] == values[math.ceil((1 - low) * last)]
    assert band.runs == len(runs)


def test_a_converged_run_stays_and_a_lost_one_is_infinite() -> None:
    short, long = np.array([4.0, 1.0]), np.array([4.0, 3.0, 2.0])
    assert quantile_band([short, long], 0, 1).low.tolist() == [4, 1, 1]
    assert quantile_band([short, long], 0, 1, lost=[True, False]).high.tolist() == [4, 3, INF]
    assert quantile_band([np.array([4.0, NAN]), long], 0, 1).high.tolist() == [4, INF, INF]
    assert quantile_band([np.array([4.0, -INF]), long], 0, 1).high.tolist() == [4, INF, INF]


def test_the_median_of_huge_values_does_not_overflow() -> None:
    assert quantile_band([np.array([1.7e308]), np.array([1.6e308])]).median[0] == pytest.approx(1.65e308)


def test_the_curves_are_not_changed() -> None:
    curve = np.array([1.0, NAN])
    quantile_band([curve, np.ones(4)], lost=[True, False])
    assert curve[0] == 1
    assert np.isnan(curve[1])


def test_blocks_do_not_change_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    curves = list(np.random.default_rng(0).random((7, 100)))
    whole = quantile_band(curves)
    monkeypatch.setattr(quantiles, "BLOCK", 15)
    parts = quantile_band(curves)
    for name in ("median", "low", "high"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))


def test_long_curves_are_thinned_as_they_come_and_none_is_kept() -> None:
    seen: list[weakref.ref[Array]] = []

    def curves() -> Iterator[Array]:
        for shift in range(4):
            curve = np.arange(1e5) + shift
            seen.append(weakref.ref(curve))
            yield curve
            del curve
            assert all(earlier() is None for earlier in seen[:-1])

    band = quantile_band(curves(), last_step=99_999)
    assert band.runs == len(seen) == 4
    assert len(band.steps) <= DRAWN_POINTS
    assert np.array_equal(band.median, band.steps + 1.5)


@given(st.integers(0, 10**9))
def test_drawn_steps_go_from_start_to_end(last: int) -> None:
    steps = drawn_steps(last)
    assert steps[0] == 0
    assert steps[-1] == last
    assert (np.diff(steps) > 0).all()
    assert len(steps) <= DRAWN_POINTS
    assert len(steps) == last + 1 or (len(steps) > DRAWN_POINTS // 2 and steps[1] == 1)


@pytest.mark.parametrize(
    ("curves", "settings", "message"),
    [
        ([], {}, "there are no curves"),
        ([np.ones(2)], {"low": 0.8, "high": 0.2}, "low = 0.8 and high = 0.2"),
        ([np.ones(2)], {"high": NAN}, "high = nan"),
        ([np.ones(2)], {"lost": [True, False]}, "longer"),
    ],
)
def test_impossible_bands_are_refused(curves: list[Array], settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        quantile_band(curves, **settings)  # type: ignore[arg-type]


def test_hessian_spectrum() -> None:
    rotation = np.array([[0.6, -0.8], [0.8, 0.6]])
    assert hessian_spectrum(rotation @ np.diag([-1.0, 4.0]) @ rotation.T) == pytest.approx((-1, 4))
    assert hessian_spectrum(np.array([[2.0, 1e-9], [0.0, 2.0]])) == pytest.approx((2, 2))
    assert hessian_spectrum(np.diag([1e308, 1.5e308])) == pytest.approx((1e308, 1.5e308))
    assert hessian_spectrum(np.array([[NAN]])) is None
    assert hessian_spectrum(np.array([[1.0, INF], [INF, 1.0]])) is None
    for shape in ((2,), (2, 3), (0, 0)):
        with pytest.raises(ValueError, match="has the shape"):
            hessian_spectrum(np.ones(shape))


@given(st.floats(1e-6, 1e6), st.floats(0.01, 1.99))
def test_gradient_descent_settles_exactly_below_the_stability_limit(curvature: float, share: float) -> None:
    limit = stability_limit(curvature)
    assert limit is not None
    start = x = 1.0
    for _ in range(10):
        x -= share * limit * curvature * x
    assert (abs(x) < start) == (share < 1) or share == 1


@pytest.mark.parametrize("curvature", [0.0, -1.0, NAN, INF, -INF, 5e-324])
def test_without_a_positive_finite_curvature_there_is_no_limit(curvature: float) -> None:
    assert stability_limit(curvature) is None


def best_rate(*runs: StoredRun) -> float | None:
    (row,) = summarize(runs)
    return None if row.best is None else row.best.parameters["optimizer.learning_rate"]  # type: ignore[return-value]


def test_more_converged_runs_are_better_than_fewer_steps() -> None:
    slow = [stored(rate=0.1, steps=90), stored(rate=0.1, steps=80, start=1)]
    quick = [stored(rate=0.5, steps=2), stored(Outcome.MAX_STEPS, rate=0.5, start=1)]
    assert best_rate(*quick, *slow) == 0.1


def test_where_as_many_converged_fewer_lost_runs_are_better() -> None:
    risky = [stored(Outcome.DIVERGED, 0.5, final_value=1e13), *(stored(Outcome.MAX_STEPS, 0.5, start=n) for n in (1, 2))]
    safe = [stored(Outcome.MAX_STEPS, 0.1, start=n, final_value=1.0) for n in range(3)]
    assert best_rate(*risky, *safe) == 0.1


def test_labels_tell_settings_apart_and_from_the_limit() -> None:
    rates = (0.1, 0.48861, 0.4886, 1.00052, 1.5)
    settings = summarize_settings(stored(rate=rate) for rate in rates)
    shown = [setting.label.removeprefix("learning_rate = ") for setting in settings]
    assert shown == ["0.1", "0.48861", "0.4886", "1.001", "1.5"]
    (setting, *_) = summarize_settings([stored(rate=1.00052, curvature=None), stored(rate=1.5, curvature=None)])
    assert setting.label == "learning_rate = 1.00"


@given(st.lists(st.floats(1e-9, 1e9), min_size=2, max_size=5, unique=True))
def test_numbers_beside_each_other_differ_in_text(values: list[float]) -> None:
    apart = [v for v in values if not any(v != other and math.isclose(v, other, rel_tol=1e-12) for other in values)]
    assert len({float(number(value, values)) for value in apart}) == len(apart)


def test_fewer_steps_are_better_than_a_smaller_gap() -> None:
    assert best_rate(stored(rate=0.1, steps=9, final_value=0.0), stored(rate=0.5, steps=8, final_value=1e-3)) == 0.5


def test_where_none_converged_the_smallest_gap_is_best() -> None:
    runs = [
        stored(Outcome.MAX_STEPS, rate, final_value=value) for rate, value in ((0.1, 2.0), (0.2, 1.0), (0.3, NAN), (0.4, 3.0))
    ]
    assert best_rate(*runs) == 0.2


def test_where_the_minimum_is_unknown_the_smallest_value_is_best() -> None:
    runs = [stored(Outcome.MAX_STEPS, rate, final_value=value, minimum_value=None) for rate, value in ((0.1, -2.0), (0.2, -3.0))]
    assert best_rate(*runs) == 0.2


def test_a_lost_run_is_worse_than_any_gap() -> None:
    assert best_rate(stored(Outcome.FAILED, 0.1, final_value=0.0), stored(Outcome.MAX_STEPS, 0.2, final_value=1e9)) == 0.2


def test_gaps_below_zero_are_rounding_and_tie_with_zero() -> None:
    assert best_rate(stored(rate=0.1, final_value=0.0), stored(rate=0.2, final_value=-1e-17)) == 0.1


def test_nothing_is_best_where_every_run_is_lost() -> None:
    runs = [
        stored(outcome, rate) for rate, outcome in ((0.1, Outcome.FAILED), (0.2, Outcome.DIVERGED), (0.3, Outcome.NON_FINITE))
    ]
    (row,) = summarize(runs)
    assert row.best is None
    assert row.outcomes == {"diverged": 1, "non_finite": 1, "failed": 1}
    assert summary_table([row])[1][0][3:7] == ("3", "1 diverged, 1 non_finite and 1 failed", "", "none")


def test_settings_are_grouped_over_starts_with_medians() -> None:
    runs = [
        stored(rate=0.1, start=start, steps=steps, final_value=value) for start, (steps, value) in enumerate([(4, 1.0), (8, 3.0)])
    ]
    runs += [stored(Outcome.DIVERGED, rate=0.9, start=start, final_value=1e13) for start in range(2)]
    first, second = summarize_settings(runs)
    assert (first.median_steps, first.median_gap, first.median_value, first.converged, first.lost) == (6, 2, 2, 2, 0)
    assert first.label == "learning_rate = 0.1"
    assert first.varied == ("optimizer.learning_rate",)
    assert math.isnan(second.median_steps)
    assert (second.median_gap, second.median_value, second.converged, second.lost) == (INF, INF, 0, 2)


def test_different_labels_are_different_rows_in_order() -> None:
    runs = [stored(objective="b"), stored(optimizer="newton"), stored(objective="b", gradient="forward"), stored(objective="b")]
    rows = summarize(runs)
    assert [(row.objective, row.gradient, row.optimizer, row.runs) for row in rows] == [
        ("b", "analytic", "gradient_descent", 2),
        ("quadratic", "analytic", "newton", 1),
        ("b", "forward", "gradient_descent", 1),
    ]
    assert summarize([]) == []


def test_summary_table_in_words() -> None:
    runs = [stored(rate=0.48861, start=0), stored(rate=0.48861, start=1, steps=13), stored(Outcome.MAX_STEPS, rate=0.001)]
    runs = [replace(run, behaviour=how) for run, how in zip(runs, ("monotone", None, "crawling"), strict=True)]
    header, rows = summary_table(summarize(runs))
    assert dict(zip(header, rows[0], strict=True)) == {
        "objective": "quadratic",
        "gradient": "analytic",
        "optimizer": "gradient_descent",
        "runs": "3",
        "outcomes": "2 converged and 1 max_steps",
        "behaviour": "1 monotone and 1 crawling",
        "best setting": "learning_rate = 0.489",
        "converged": "2 of 2 runs",
        "median steps": "11.5",
        "median gap": "1e-12",
        "median value": "1e-12",
    }
    _, rows = summary_table(summarize([stored(Outcome.MAX_STEPS, minimum_value=None, final_value=-2.0)]))
    assert rows[0][5:] == ("", "the only one", "0 of 1 run", "", "unknown", "-2")


def test_settings_table_keeps_every_digit() -> None:
    runs = [stored(rate=0.1 + 0.2, behaviour="oscillating"), stored(rate=0.5, final_value=NAN)]
    runs.append(replace(runs[0], optimizer="newton", parameters={"optimizer.damped": True, "optimizer.path": None}))
    header, rows = settings_table(summarize_settings(runs))
    first, second, newton = (dict(zip(header, row, strict=True)) for row in rows)
    assert float(first["optimizer.learning_rate"]) == 0.1 + 0.2
    assert (first["runs"], first["converged"], first["failed"], first["optimizer.damped"]) == ("1", "1", "0", "")
    assert float(first["median_steps_to_converge"]) == 10
    assert float(first["median_gradient_evaluations"]) == 11
    assert second["median_final_gap"] == "inf"
    assert (newton["optimizer.learning_rate"], newton["optimizer.damped"], newton["optimizer.path"]) == ("", "true", "")
    assert header[0] == "objective"
    assert set(Outcome) | set(Behaviour) <= set(header)
    assert (first["oscillating"], second["oscillating"], first["crawling"]) == ("1", "0", "0")


def test_rounding_level_grows_with_the_minimum() -> None:
    assert rounding_level(None) == rounding_level(0.5) == 2.0**-52
    assert rounding_level(-8.0) == 2.0**-49


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (12.0, "12"),
        (12.5, "12.5"),
        (0.5, "0.5"),
        (0.48861, "0.489"),
        (1.0023, "1.00"),
        (99.97, "100"),
        (123.4, "123"),
        (1234.5, "1234"),
        (123456.0, "123456"),
        (162513.7, "1.63e5"),
        (1e6, "1e6"),
        (-7.25, "-7.25"),
        (1.5e-9, "1.5e-9"),
        (2.0**-52, "2.22e-16"),
        (NAN, "unknown"),
        (INF, "infinite"),
        (-INF, "-infinite"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_counts_agree_with_their_nouns() -> None:
    assert [counted(count, "run") for count in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
    assert [part(count, 5, "run") for count in (0, 3, 5)] == ["none of the 5 runs", "3 of 5 runs", "all 5 runs"]
    assert [part(count, 1, "run") for count in (0, 1)] == ["0 of 1 run", "the only run"]
    assert [listed(items) for items in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
