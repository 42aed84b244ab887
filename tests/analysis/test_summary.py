"""The ranking of settings and the summary table."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from runner import Behaviour, Outcome, StoredRun, Surprise
from runner.analysis.summary import (
    choose_best,
    count_endings,
    effort_in_words,
    evaluation_count,
    resting_above,
    rounding_level,
    settings_table,
    smallest_seen,
    succeeded,
    summarize,
    summarize_settings,
    summary_table,
    surprises_in_words,
    without_seed,
)
from tests.support.stored_runs import stored

INF, NAN = math.inf, math.nan


def best_rate(*runs: StoredRun) -> float | None:
    (row,) = summarize(runs)
    return None if row.best is None else row.best.parameters["optimizer.learning_rate"]  # type: ignore[return-value]


def test_more_successes_are_better_than_fewer_evaluations() -> None:
    slow = [stored(rate=0.1, steps=90), stored(rate=0.1, steps=80, start=1)]
    quick = [stored(rate=0.5, steps=2), stored(Outcome.MAX_STEPS, rate=0.5, start=1, final_value=1.0)]
    assert best_rate(*quick, *slow) == 0.1


def test_fewer_lost_runs_break_a_tie_in_successes() -> None:
    risky = [
        stored(Outcome.DIVERGED, 0.5, final_value=1e13),
        *(stored(Outcome.MAX_STEPS, 0.5, start=n, final_value=1.0) for n in (1, 2)),
    ]
    safe = [stored(Outcome.MAX_STEPS, 0.1, start=n, final_value=1.0) for n in range(3)]
    assert best_rate(*risky, *safe) == 0.1


def test_labels_distinguish_settings_from_each_other_and_from_the_limit() -> None:
    rates = (0.1, 0.48861, 0.4886, 1.00052, 1.5)
    settings = summarize_settings(stored(rate=rate) for rate in rates)
    shown = [setting.label.removeprefix("learning_rate = ") for setting in settings]
    assert shown == ["0.1", "0.48861", "0.4886", "1.001", "1.5"]
    (setting, *_) = summarize_settings([stored(rate=1.00052, curvature=None), stored(rate=1.5, curvature=None)])
    assert setting.label == "learning_rate = 1.00"


def test_fewer_evaluations_are_better_than_a_smaller_gap() -> None:
    cheap = {"value": 9, "gradient": 9, "hessian": 0}
    assert best_rate(stored(rate=0.1, final_value=0.0), stored(rate=0.5, evaluations=cheap, final_value=9e-7)) == 0.5


def test_smallest_gap_is_best_if_no_run_converged() -> None:
    runs = [
        stored(Outcome.MAX_STEPS, rate, final_value=value) for rate, value in ((0.1, 2.0), (0.2, 1.0), (0.3, NAN), (0.4, 3.0))
    ]
    assert best_rate(*runs) == 0.2


def test_smallest_value_is_best_if_the_minimum_is_unknown() -> None:
    runs = [
        stored(Outcome.MAX_STEPS, rate, final_value=value, best_value=value, minimum_value=None)
        for rate, value in ((0.1, -2.0), (0.2, -3.0))
    ]
    assert best_rate(*runs) == 0.2


def test_a_run_that_converged_far_above_the_others_is_not_best_if_the_minimum_is_unknown() -> None:
    """Dead units give a network a gradient of zero at f = ln 2, while other runs are still falling."""
    dead = stored(Outcome.CONVERGED, 4.33, final_value=0.693, best_value=0.693, minimum_value=None, at_rest=True)
    falling = stored(Outcome.MAX_STEPS, 0.1, final_value=0.02, best_value=0.02, minimum_value=None, at_rest=False)
    assert best_rate(dead, falling) == 0.1
    assert resting_above([dead, falling], smallest_seen([dead, falling])) == [dead]


def test_equal_last_values_are_ranked_by_cost_if_the_minimum_is_unknown() -> None:
    cheap, dear = {"value": 5, "gradient": 5, "hessian": 0}, {"value": 50, "gradient": 50, "hessian": 0}
    runs = [
        stored(rate=0.1, final_value=1.0, best_value=1.0, minimum_value=None, evaluations=dear),
        stored(rate=0.2, final_value=1.0 + 1e-9, best_value=1.0 + 1e-9, minimum_value=None, evaluations=cheap),
    ]
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
    assert summary_table([row])[1][0][2:6] == ("3", "1 diverged, 1 non_finite and 1 failed", "", "none")


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
        "optimizer": "gradient_descent",
        "runs": "3",
        "outcomes": "2 converged and 1 max_steps",
        "behaviour": "1 monotone and 1 crawling",
        "best setting": "learning_rate = 0.489",
        "reached": "2 of 2 runs",
        "expected evaluations": "22",
        "median gap": "1e-12",
        "median value": "1e-12",
        "judged on": "the same runs",
    }
    _, rows = summary_table(summarize([stored(Outcome.MAX_STEPS, minimum_value=None, final_value=-2.0)]))
    assert rows[0][4:] == ("", "the only one", "0 of 1 run converged", "unknown", "unknown", "-2", "start 0 (all)")


def test_gradient_backends_have_a_column_only_if_there_are_several() -> None:
    header, rows = summary_table(summarize([stored(), stored(gradient="forward")]))
    assert header[1] == "gradient"
    assert [row[1] for row in rows] == ["analytic", "forward"]
    assert "gradient" not in summary_table(summarize([stored()]))[0]


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


def paid(count: int, **changes: object) -> StoredRun:
    """Return a run that paid for `count` evaluations of f."""
    return stored(evaluations={"value": count, "gradient": 0, "hessian": 0}, **changes)  # type: ignore[arg-type]


class TestExpectedRunningTime:
    def test_failed_runs_are_paid_for(self):
        """Ten runs spend 3 · 20 + 7 · 100 = 760 evaluations for three successes."""
        runs = [paid(20, start=n) for n in range(3)] + [paid(100, start=n, final_value=1.0) for n in range(3, 10)]
        (setting,) = summarize_settings(runs)
        assert (setting.successes, setting.expected_evaluations) == (3, pytest.approx(760 / 3))
        assert effort_in_words(setting) == "3 of 10 runs came within 1e-6 of f*, for 253 evaluations per success"

    def test_a_sure_method_beats_a_quick_gamble(self):
        gamble = [paid(10, rate=0.9), paid(1000, rate=0.9, start=1, final_value=1.0)]
        sure = [paid(100, rate=0.1, start=n) for n in range(2)]
        assert best_rate(*gamble, *sure) == 0.1

    def test_rows_of_the_hessian_are_counted(self):
        run = stored(dimension=3, evaluations={"value": 2, "gradient": 5, "hessian": 4})
        assert evaluation_count(run) == 2 + 5 + 3 * 4

    def test_no_success_is_infinite_and_said_in_words(self):
        (row,) = summarize([paid(5, final_value=1.0)])
        assert row.best is not None
        assert row.best.expected_evaluations == INF
        assert summary_table([row])[1][0][6:8] == ("0 of 1 run", "not reached")


@pytest.mark.parametrize(
    ("reached", "changes"),
    [
        (True, {"final_value": 9e-7}),
        (False, {"final_value": 2e-6}),
        (True, {"final_value": 2e-6, "target": 1e-5}),
        (False, {"final_value": 9e-7, "target": 1e-9}),
        (True, {"final_value": 1000.0005, "minimum_value": 1000.0}),
        (False, {"final_value": -1.6e61}),
        (False, {"final_value": 181.6, "outcome": Outcome.CONVERGED}),
        (True, {"final_value": 3.81e-28, "outcome": Outcome.MAX_STEPS}),
        (False, {"final_value": 0.0, "outcome": Outcome.FAILED}),
        (True, {"final_value": 5.0, "minimum_value": None}),
        (False, {"final_value": 5.0, "minimum_value": None, "outcome": Outcome.STALLED}),
        (True, {"final_value": -1e-16, "target": 0.0}),
        (False, {"final_value": -9e-13, "target": 1e-15}),
        (True, {"final_value": 1e6 - 1e-10, "minimum_value": 1e6, "target": 1e-15}),
    ],
)
def test_success_is_a_small_gap_where_the_minimum_is_known(reached, changes):
    assert succeeded(stored(best_value=changes["final_value"], **changes)) is reached


@pytest.mark.parametrize(
    ("ending", "outcome", "facts"),
    [
        ("converged", Outcome.CONVERGED, {"final_value": 1e-9}),
        ("converged", Outcome.CONVERGED, {"final_value": 5.0}),
        ("converged elsewhere", Outcome.CONVERGED, {"final_value": 5.0, "at_rest": True, "convex_gap_bound": 1e-3}),
        ("stalled elsewhere", Outcome.STALLED, {"final_value": 5.0, "at_rest": True, "convex_gap_bound": 1e-3}),
        ("converged", Outcome.CONVERGED, {"final_value": 5.0, "at_rest": True, "convex_gap_bound": 7.0}),
        ("max_steps", Outcome.MAX_STEPS, {"final_value": 5.0, "at_rest": True, "convex_gap_bound": 1e-3}),
        ("below f*", Outcome.MAX_STEPS, {"final_value": -2.0}),
        ("diverged", Outcome.DIVERGED, {"final_value": -1e61}),
        ("converged", Outcome.CONVERGED, {"final_value": 5.0, "minimum_value": None, "at_rest": True}),
    ],
)
def test_an_ending_tells_a_rest_elsewhere_from_a_success(ending, outcome, facts):
    run = stored(outcome=outcome, best_value=facts["final_value"], **facts)
    assert run.ending == ending
    assert count_endings([run, run]) == {ending: 2}


class TestOtherStarts:
    def test_even_starts_choose_and_odd_starts_judge(self):
        """At rate 0.5, even starts cost 10 and odd starts 50; at rate 0.1, all cost 20. So 0.5 is chosen at cost 10, and judged at cost 50."""
        runs = [paid(50 if start % 2 else 10, rate=0.5, start=start) for start in range(4)]
        runs += [paid(20, rate=0.1, start=start) for start in range(4)]
        choice = choose_best(summarize_settings(runs))
        assert (choice.setting.label, len(choice.setting.runs)) == ("learning_rate = 0.5", 4)
        assert (choice.chosen_on, choice.judged_on) == ("starts 0, 2", "starts 1, 3")
        assert choice.judged.expected_evaluations == 50
        assert choice.note == "chosen on starts 0, 2, judged on starts 1, 3"

    def test_three_starts_are_too_few(self):
        runs = [paid(10 * (1 + start), rate=rate, start=start) for rate in (0.1, 0.5) for start in range(3)]
        choice = choose_best(summarize_settings(runs))
        assert (choice.chosen_on, choice.judged_on, bool(choice.undivided)) == ("starts 0, 1, 2", "starts 0, 1, 2", True)
        assert "judged on the runs it was chosen on" in choice.note

    def test_a_single_setting_is_not_chosen(self):
        choice = choose_best(summarize_settings(stored(start=start) for start in range(9)))
        assert (choice.chosen_on, choice.judged_on, choice.note) == ("no choice", "9 starts: 0, 1, 2, …, 8", "")

    def test_a_setting_without_one_half_is_not_split(self):
        runs = [stored(rate=0.1, start=start) for start in range(6)] + [stored(rate=0.2, start=0)]
        choice = choose_best(summarize_settings(runs))
        assert choice.undivided == "a setting has no runs on one half of the starts"
        assert "fewer than four" not in choice.note

    def test_the_csv_names_the_starts(self):
        runs = [stored(rate=rate, start=start) for rate in (0.1, 0.5) for start in range(4)]
        header, rows = settings_table(summarize_settings(runs))
        first, second = (dict(zip(header, row, strict=True)) for row in rows)
        assert (first["best"], second["best"]) == ("true", "false")
        assert (first["chosen_on"], first["judged_on"]) == ("starts 0, 2", "starts 1, 3")
        assert (first["reached"], first["expected_evaluations"]) == ("4", "22.0")


class TestSeeds:
    @pytest.mark.parametrize("key", ["optimizer.seed", "objective.seed", "optimizer.inner.seed"])
    def test_a_seed_is_a_replicate(self, key):
        runs = [
            paid(100 - seed, rate=rate, parameters={"optimizer.learning_rate": rate, key: seed})
            for rate in (0.1, 0.2, 0.3)
            for seed in range(10)
        ]
        settings = summarize_settings(runs)
        assert [len(setting.runs) for setting in settings] == [10, 10, 10]
        assert [setting.label for setting in settings] == [f"learning_rate = {rate}" for rate in (0.1, 0.2, 0.3)]
        assert choose_best(settings).note == "chosen on seeds 0, 2, 4, 6, 8, judged on seeds 1, 3, 5, 7, 9"

    def test_seeds_are_ordered_by_size(self):
        runs = [
            paid(1, rate=r, parameters={"optimizer.learning_rate": r, "optimizer.seed": s}) for r in (1, 2) for s in (9, 10, 2, 1)
        ]
        assert choose_best(summarize_settings(runs)).note == "chosen on seeds 1, 9, judged on seeds 2, 10"

    def test_seeds_in_labels_are_left_out(self):
        runs = [stored(objective=f"noisy(level=2, seed={seed})") for seed in range(3)]
        (row,) = summarize(runs)
        assert (row.objective, row.runs) == ("noisy(level=2)", 3)

    @pytest.mark.parametrize(
        ("label", "wanted"),
        [
            ("noisy(seed=1)", "noisy"),
            ("noisy(seed=1, level=2)", "noisy(level=2)"),
            ("noisy(level=2, seed=1)", "noisy(level=2)"),
            ("noisy(noisy.seed=-3)", "noisy"),
            ("noisy(random_seed=1)", "noisy(random_seed=1)"),
            ("plain", "plain"),
        ],
    )
    def test_label_without_its_seed(self, label, wanted):
        assert without_seed(label) == wanted


def test_without_a_convergence_test_no_run_is_said_to_have_failed_it():
    (row,) = summarize([stored(Outcome.MAX_STEPS, minimum_value=None, convergence_test=False)])
    assert summary_table([row])[1][0][6] == "no convergence test was set"
    (row,) = summarize([stored(Outcome.MAX_STEPS, final_value=3.81e-28, convergence_test=False)])
    assert summary_table([row])[1][0][6] == "1 of 1 run"


@pytest.mark.parametrize(
    ("run", "surprise"),
    [
        (stored(steps=0), Surprise.NO_STEP),
        (stored(steps=1), None),
        (stored(Outcome.MAX_STEPS, steps=0), None),
        (stored(Outcome.DIVERGED, final_value=-1e13, best_value=-1e13, best_step=10), Surprise.FELL_WITHOUT_END),
        (stored(Outcome.NON_FINITE, final_value=-INF, best_value=-INF, best_step=10), Surprise.FELL_WITHOUT_END),
        (stored(Outcome.NON_FINITE, final_value=NAN, best_value=-INF, best_step=9), Surprise.FELL_WITHOUT_END),
        (stored(Outcome.DIVERGED, final_value=1e13, best_value=-2.0, best_step=3), None),
        (stored(Outcome.NON_FINITE, final_value=NAN, best_value=-2.0, best_step=3), None),
        (stored(Outcome.MAX_STEPS, final_value=-1e13, best_value=-1e13, best_step=10), None),
        (stored(Outcome.MAX_STEPS, final_value=24_893.0, best_value=0.9), Surprise.ROSE),
        (stored(Outcome.CONVERGED, final_value=-1.0, best_value=-2.0), Surprise.ROSE),
        (stored(Outcome.MAX_STEPS, final_value=24_893.0, best_value=0.9, best_step=1), None),
        (stored(Outcome.MAX_STEPS, final_value=1 + 1e-15, best_value=1.0), None),
        (stored(Outcome.FAILED, final_value=2.0, best_value=1.0), None),
    ],
)
def test_surprise_says_what_the_outcome_does_not(run: StoredRun, surprise: Surprise | None) -> None:
    assert run.surprise == surprise


def test_surprises_are_put_into_words_with_optimizers_and_the_largest_rise() -> None:
    runs = [
        *(stored(steps=0, start=start) for start in range(2)),
        stored(Outcome.DIVERGED, optimizer="bfgs", final_value=-1e13, best_value=-1e13, best_step=10),
        stored(Outcome.MAX_STEPS, id=7, optimizer="newton", final_value=24_893.0, best_value=0.9),
        stored(Outcome.MAX_STEPS, id=8, optimizer="adam", final_value=1.5, best_value=0.9),
        stored(),
    ]
    assert surprises_in_words(runs) == [
        "2 runs converged without a step: a rule for convergence already held at the start",
        "1 run of bfgs fell without end: f went to −∞ or beyond the divergence limit, and medians count it as -infinite",
        "2 runs of adam and newton ended above the start and never fell below it (run 7 went from 0.9 to 24893): "
        "no line search or other rule kept f from rising",
    ]
    assert surprises_in_words([stored()]) == []


@pytest.mark.parametrize(("fell", "median"), [(3, -INF), (2, NAN), (1, INF)])
def test_median_of_runs_that_fell_without_end_has_its_sign(fell: int, median: float) -> None:
    down = [stored(Outcome.DIVERGED, start=start, final_value=-1e13, best_value=-1e13, best_step=10) for start in range(fell)]
    up = [stored(Outcome.DIVERGED, start=start, final_value=1e13, best_value=1.0) for start in range(fell, 4)]
    (setting,) = summarize_settings([*down, *up])
    assert repr(setting.median_value) == repr(median)


def test_setting_whose_runs_fell_without_end_is_not_preferred() -> None:
    fell = [stored(Outcome.DIVERGED, rate=0.9, minimum_value=None, final_value=-1e13, best_value=-1e13, best_step=10)]
    rests = [stored(Outcome.MAX_STEPS, rate=0.1, minimum_value=None, final_value=3.0, best_value=3.0, best_step=10)]
    assert best_rate(*fell, *rests) == 0.1
