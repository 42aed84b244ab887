"""The ranking of settings and the summary table."""

from __future__ import annotations

import math
from dataclasses import replace

from runner import Behaviour, Outcome, StoredRun
from runner.analysis.summary import rounding_level, settings_table, summarize, summarize_settings, summary_table
from tests.support.stored_runs import stored

INF, NAN = math.inf, math.nan


def best_rate(*runs: StoredRun) -> float | None:
    (row,) = summarize(runs)
    return None if row.best is None else row.best.parameters["optimizer.learning_rate"]  # type: ignore[return-value]


def test_more_converged_runs_are_better_than_fewer_steps() -> None:
    slow = [stored(rate=0.1, steps=90), stored(rate=0.1, steps=80, start=1)]
    quick = [stored(rate=0.5, steps=2), stored(Outcome.MAX_STEPS, rate=0.5, start=1)]
    assert best_rate(*quick, *slow) == 0.1


def test_fewer_lost_runs_break_a_tie_in_converged_runs() -> None:
    risky = [stored(Outcome.DIVERGED, 0.5, final_value=1e13), *(stored(Outcome.MAX_STEPS, 0.5, start=n) for n in (1, 2))]
    safe = [stored(Outcome.MAX_STEPS, 0.1, start=n, final_value=1.0) for n in range(3)]
    assert best_rate(*risky, *safe) == 0.1


def test_labels_distinguish_settings_from_each_other_and_from_the_limit() -> None:
    rates = (0.1, 0.48861, 0.4886, 1.00052, 1.5)
    settings = summarize_settings(stored(rate=rate) for rate in rates)
    shown = [setting.label.removeprefix("learning_rate = ") for setting in settings]
    assert shown == ["0.1", "0.48861", "0.4886", "1.001", "1.5"]
    (setting, *_) = summarize_settings([stored(rate=1.00052, curvature=None), stored(rate=1.5, curvature=None)])
    assert setting.label == "learning_rate = 1.00"


def test_fewer_steps_are_better_than_a_smaller_gap() -> None:
    assert best_rate(stored(rate=0.1, steps=9, final_value=0.0), stored(rate=0.5, steps=8, final_value=1e-3)) == 0.5


def test_smallest_gap_is_best_if_no_run_converged() -> None:
    runs = [
        stored(Outcome.MAX_STEPS, rate, final_value=value) for rate, value in ((0.1, 2.0), (0.2, 1.0), (0.3, NAN), (0.4, 3.0))
    ]
    assert best_rate(*runs) == 0.2


def test_smallest_value_is_best_if_the_minimum_is_unknown() -> None:
    runs = [stored(Outcome.MAX_STEPS, rate, final_value=value, minimum_value=None) for rate, value in ((0.1, -2.0), (0.2, -3.0))]
    assert best_rate(*runs) == 0.2


def test_a_lost_run_is_worse_than_any_gap() -> None:
    assert best_rate(stored(Outcome.FAILED, 0.1, final_value=0.0), stored(Outcome.MAX_STEPS, 0.2, final_value=1e9)) == 0.2


def test_gaps_below_zero_are_rounding_and_tie_with_zero() -> None:
    assert best_rate(stored(rate=0.1, final_value=0.0), stored(rate=0.2, final_value=-1e-17)) == 0.1


def test_no_setting_is_best_if_every_run_is_lost() -> None:
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
