"""`runner run`, and the plan and the summary that it prints."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.analysis.learning_rates import rate_sweeps, rates_row
from runner.analysis.summary import SummaryRow, count_endings, count_outcomes, summarize, summary_table, surprises_in_words
from runner.cli.terminal.options import RESULTS_FOLDER, WholeNumber, brief_format_option, db_option
from runner.cli.terminal.progress import QuietProgress, progress_observer
from runner.cli.terminal.tables import NarrowLayout, table_lines
from runner.contracts.figure import Results
from runner.contracts.outcomes import Outcome
from runner.errors import ExperimentError
from runner.pipeline.execute import ExecutionResult, execute, some_of, trial
from runner.pipeline.first_steps import FirstSteps
from runner.pipeline.plan import Choices, Plan, make_plan, read
from runner.registry.registry import Registry
from runner.report.experiment_report import find_figures, report
from runner.store.reading.stored_results import read_results
from runner.store.writing.recording import Store
from runner.tables.readable import counted
from runner.tables.text_formats import json_value

if TYPE_CHECKING:
    from runner.report.page import WrittenReport


SOME_FAILED = 1
MOST_SUMMARY_ROWS = 24
"""Largest number of rows of the summary, so that the lines below it stay on the screen."""
HIDE_FIRST = ("behaviour", "median value", "outcomes", "judged on", "runs", "median gap")
NUMBERS = ("runs", "reached", "expected evaluations", "median gap", "median value")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@db_option
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    default=RESULTS_FOLDER,
    show_default=True,
    help="The folder for the reports.",
)
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change the experiment; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Print the plan, try the first steps, store nothing. Plugin files are executed.")
@click.option("--executor", metavar="NAME", help="Use this executor, e.g. processes, instead of the one in the file.")
@click.option(
    "--jobs", type=WholeNumber(), metavar="N", help="Number of worker processes, for an executor with a parameter `jobs`."
)
@click.option("--rerun", is_flag=True, help="Compute every run again; the old runs are kept as superseded.")
@click.option("--retry-failed", is_flag=True, help="Compute failed and timed-out runs again.")
@click.option("--fail-fast", is_flag=True, help="Stop after the first batch with a failed run.")
@click.option("--no-report", is_flag=True, help="Write no report.")
@click.option("--quiet", "-q", is_flag=True, help="Print only warnings and errors.")
@brief_format_option
def run(
    file: Path,
    db: str,
    results: Path,
    overrides: tuple[str, ...],
    executor: str | None,
    jobs: int | None,
    dry_run: bool,
    rerun: bool,
    retry_failed: bool,
    fail_fast: bool,
    no_report: bool,
    quiet: bool,
    form: str,
) -> int:
    """Run an experiment: compute the missing runs, store every step, write the report.

    If you repeat the command, it computes only the runs that are not stored yet, for example after an interruption.

    \b
    Examples:
      runner run experiments/lr_sweep.toml
      runner run experiments/lr_sweep.toml --dry-run
      runner run experiments/lr_sweep.toml --executor processes --jobs 4
      runner run experiments/lr_sweep.toml --set optimizer.gradient_descent.learning_rate=0.1,0.2
    """
    choices = Choices(overrides, rerun, retry_failed, fail_fast, executor, jobs)
    registry = Registry()
    as_json = form == "json"
    as_text = not as_json and not quiet
    with closing(Store(db)) as store:
        database = store.database.name
        plan = make_plan(read(file, registry, choices), store, choices)
        figures, errors = find_figures(() if no_report else plan.experiment.figures, registry)
        if errors:
            raise ExperimentError(str(plan.experiment.path), [f"report.figures[{place}]: {error}" for place, error in errors])
        if dry_run:
            first = trial(plan, registry)
            if as_json:
                click.echo(json.dumps(_to_json(plan, None, database, first=first), indent=2))
            elif as_text:
                click.echo("\n".join(_plan_lines(plan, database, first)))
            return 0
        if as_text:
            for line in _changed_lines(plan):
                click.echo(line, err=True)
        with progress_observer() if as_text else QuietProgress() as observer:
            finished = execute(plan, store, registry, choices, observer)
        stored = read_results(store.database, finished.experiment, registry)
        written = None
        if not no_report:
            settings = [word for override in overrides for word in ("--set", override)]
            command = shlex.join(["runner", "run", str(file), *settings])
            written = report(stored, figures, results / plan.experiment.name, command)
            for warning in written.warnings:
                click.echo(f"warning: {warning}", err=True)
        if as_json:
            click.echo(json.dumps(_to_json(plan, finished, database, stored, written), indent=2))
        elif as_text:
            click.echo("\n".join(_result_lines(plan, finished, database, stored, written)))
        return SOME_FAILED if any(each.outcome == Outcome.FAILED for each in stored.runs) else 0


def _plan_lines(plan: Plan, database: str, first: FirstSteps) -> list[str]:
    """Return the plan as text: the size of the grid, and the number of runs that are stored, to compute, stuck and skipped."""
    experiment = plan.experiment
    axes = (
        (len(experiment.objectives), "objective"),
        (len(experiment.gradients), "gradient backend"),
        (len(experiment.optimizers), "optimizer setting"),
        (len(experiment.starts[0]), "start"),
    )
    lines = [
        f"{experiment.name}: {counted(len(plan.runs), 'run')} ({' × '.join(counted(*axis) for axis in axes)})",
        f"  stored      {len(plan.stored):,} in {database}",
        f"  to compute  {len(plan.todo):,}",
    ]
    if plan.repeated:
        lines.append(f"  repeated    {plan.repeated:,} grid points that repeat others")
    lines += some_of([f"  cannot step {each.runs:,} of these: {each}" for each in first.stuck])
    if first.untried:
        lines.append(f"  not tried   {first.untried:,} of these, with further settings of these plugins")
    lines += some_of([f"  warning     {each}" for each in first.unrepeatable])
    lines += some_of([f"  skipped     {each.runs:,}: {each.combination}: {each.reason}" for each in plan.skipped])
    return lines + [f"  {line}" for line in _changed_lines(plan)]


def _changed_lines(plan: Plan) -> list[str]:
    """Return a line for each plugin whose code has changed since runs of the grid were stored."""
    return [
        f"the code of {plugin} has changed: {counted(count, 'stored run')} will be computed again and superseded"
        for plugin, count in plan.changed.items()
    ]


def _result_lines(
    plan: Plan, finished: ExecutionResult, database: str, stored: Results, written: WrittenReport | None
) -> list[str]:
    """Return the results as text: a table of the best settings, and the counts of runs."""
    lines = summary_lines(summarize(stored.runs), "--format json" if written is None else "the report")
    computed, outcomes = finished.outcomes.total(), count_outcomes(stored.runs)
    endings = ", ".join(f"{count:,} {name}" for name, count in count_endings(stored.runs).items())
    lines += ["", f"{counted(len(stored.runs), 'run')}: {endings}"]
    lines += surprises_in_words(stored.runs)
    if stored.runs and not any(run.convergence_test for run in stored.runs):
        lines.append("no convergence test was set: to stop runs that have converged, add `gradient_norm = 1e-8` to [stop]")
    lines.append(f"{counted(computed, 'run')} computed, {len(stored.runs) - computed:,} already stored; database: {database}")
    lines += some_of([f"skipped {each.runs:,}: {each.combination}: {each.reason}" for each in plan.skipped])
    missing = len(plan.runs) - len(stored.runs)
    if missing > 0:
        lines.append(f"{counted(missing, 'run')} still to compute; to compute the rest, repeat the command")
    failed = outcomes.get(Outcome.FAILED, 0)
    if failed:
        lines.append(f"{counted(failed, 'run')} failed; the errors are stored; to compute these runs again, use --retry-failed")
    return [*lines, f"report: {written.page}"] if written else lines


def summary_lines(rows: Sequence[SummaryRow], full_table: str) -> list[str]:
    """Return the table of the best settings, with a row for each objective, gradient backend and optimizer.

    A terminal that is too narrow gets fewer columns. Only the first `MOST_SUMMARY_ROWS` rows are shown.

    Args:
        rows: the rows.
        full_table: the place that shows all rows, in words.
    """
    header, cells = summary_table(rows)
    lines = table_lines([header, *cells[:MOST_SUMMARY_ROWS]], NarrowLayout(HIDE_FIRST), [name in NUMBERS for name in header])
    more = len(rows) - MOST_SUMMARY_ROWS
    return [*lines, f"… and {counted(more, 'more row')}; {full_table} shows all"] if more > 0 else lines


def _to_json(
    plan: Plan,
    finished: ExecutionResult | None,
    database: str,
    stored: Results | None = None,
    written: WrittenReport | None = None,
    first: FirstSteps | None = None,
) -> dict[str, object]:
    """Return the plan for JSON, with the results if the sweep has finished. Missing numbers are null."""
    computed = finished.outcomes if finished else {}
    summary: dict[str, object] = {
        "experiment": plan.experiment.name,
        "database": database,
        "runs": len(plan.runs),
        "stored_before": len(plan.stored),
        "to_compute": len(plan.todo),
        "repeated": plan.repeated,
        "skipped": [{"combination": each.combination, "reason": each.reason, "runs": each.runs} for each in plan.skipped],
        "changed": dict(plan.changed),
        "computed": {outcome.value: count for outcome, count in computed.items()},
        "warnings": [
            *(first.warnings if first else ()),
            *(finished.warnings if finished else ()),
            *(written.warnings if written else ()),
        ],
    }
    if stored is not None:
        summary["summary"] = [
            {
                "objective": row.objective,
                "gradient": row.gradient,
                "optimizer": row.optimizer,
                "runs": row.runs,
                "outcomes": dict(row.outcomes),
                "endings": dict(row.endings),
                "behaviours": dict(row.behaviours),
                "best": row.best
                and {
                    "setting": {key: json_value(row.best.parameters[key]) for key in row.best.varied},
                    "runs": len(row.best.runs),
                    "reached": row.best.successes if row.best.knows_minimum else None,
                    "converged": row.best.converged,
                    "convergence_test": row.best.tests_convergence,
                    "expected_evaluations": _finite(row.best.expected_evaluations),
                    "median_steps": _finite(row.best.median_steps),
                    "median_gap": _finite(row.best.median_gap),
                    "median_value": _finite(row.best.median_value),
                    "chosen_on": row.choice.chosen_on,
                    "judged_on": row.choice.judged_on,
                },
            }
            for row in summarize(stored.runs)
        ]
        summary["surprises"] = surprises_in_words(stored.runs)
        summary["report"] = str(written.page) if written else None
        summary["rates"] = [{key: _finite(value) for key, value in rates_row(sweep).items()} for sweep in rate_sweeps(stored)]
    return summary


def _finite(value: str | float) -> str | float | None:
    return value if isinstance(value, str) or math.isfinite(value) else None
