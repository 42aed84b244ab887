"""Quantiles over runs at each step."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import Array, quantile_band
from runner.analysis import quantiles
from runner.analysis.quantiles import DRAWN_POINTS, drawn_steps

INF, NAN = math.inf, math.nan
ANY_FLOAT = st.floats(width=64)


def held(curve: list[float], step: int, lost: bool) -> float:
    """The value that a run contributes at a step, computed one step at a time."""
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


def test_converged_run_keeps_its_last_value_and_lost_run_is_infinite() -> None:
    short, long = np.array([4.0, 1.0]), np.array([4.0, 3.0, 2.0])
    assert quantile_band([short, long], 0, 1).low.tolist() == [4, 1, 1]
    assert quantile_band([short, long], 0, 1, lost=[True, False]).high.tolist() == [4, 3, INF]
    assert quantile_band([np.array([4.0, NAN]), long], 0, 1).high.tolist() == [4, INF, INF]
    assert quantile_band([np.array([4.0, -INF]), long], 0, 1).high.tolist() == [4, INF, INF]


def test_the_median_of_huge_values_does_not_overflow() -> None:
    assert quantile_band([np.array([1.7e308]), np.array([1.6e308])]).median[0] == pytest.approx(1.65e308)


def test_input_curves_are_not_changed() -> None:
    curve = np.array([1.0, NAN])
    quantile_band([curve, np.ones(4)], lost=[True, False])
    assert curve[0] == 1
    assert np.isnan(curve[1])


def test_block_size_does_not_change_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    curves = list(np.random.default_rng(0).random((7, 100)))
    whole = quantile_band(curves)
    monkeypatch.setattr(quantiles, "BLOCK", 15)
    parts = quantile_band(curves)
    for name in ("median", "low", "high"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))


def test_long_curves_are_thinned_one_by_one_and_not_kept() -> None:
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
