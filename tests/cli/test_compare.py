"""`runner compare`: two experiments or two filters."""

from __future__ import annotations

import runner


def test_compare_two_experiments(ask, stored):
    done = ask("compare", "fifty", "twenty")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:4] == [
        "A: fifty",
        "B: twenty",
        "A and B differ in rules.max_steps: 50 | 20",
        "12 pairs; 0 runs only in A, 0 only in B",
    ]
    pairs = ask("compare", 1, 2, "--format", "json").json
    assert len(pairs) == 12
    with runner.open(str(stored)) as database:
        for pair in pairs:
            a, b = database.run(pair["id_a"]), database.run(pair["id_b"])
            assert (a.start, a.optimizer, a.objective) == (b.start, b.optimizer, b.objective)
            assert (pair["outcome_a"], pair["steps_b"]) == (a.outcome, b.steps)
            assert pair["difference"] == b.final_value - a.final_value


def test_compare_two_filters(ask):
    done = ask("compare", "experiment = 1 and learning_rate = 0.1", "experiment = 1 and learning_rate > 0.2")
    lines = done.out.splitlines()
    assert lines[2] == "A and B differ in optimizer.learning_rate: 0.1 | 0.3, 1.1"
    assert lines[3] == "0 pairs; 0 runs only in A, 0 only in B"
    assert lines[4] == (
        "not compared: 4 combinations of values for which A or B has several runs; a narrower filter may select one run"
    )


def test_compare_states_the_evaluations_that_both_sides_paid(ask):
    pairs = ask("runs", "--where", "id in (1, 2)", "--format", "json").json
    paid = [
        run["value_evaluations"] + run["gradient_evaluations"] + run["dimension"] * run["hessian_evaluations"] for run in pairs
    ]
    line = f"evaluations of f, ∇f and rows of ∇²f in these pairs: {paid[0]:,} in A, {paid[1]:,} in B"
    assert line in ask("compare", "id = 1", "id = 2").out.splitlines()


def test_compare_uses_the_singular_for_one_run(ask):
    done = ask("compare", "id = 1", "id = 2")
    assert done.out.splitlines()[2:4] == [
        "1 pair; 0 runs only in A, 0 only in B",
        "the final value is lower in A for 1 pair, in B for 0 pairs, in neither for 0 pairs",
    ]


def test_comparison_without_runs_is_refused(ask):
    done = ask("runs", "--where", "steps > 1e6")
    assert (done.code, done.err) == (0, "no run satisfies the filter\n")
    assert ask("runs", "--where", "steps > 1e6", "--format", "csv").err == ""
