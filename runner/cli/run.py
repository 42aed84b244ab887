"""`runner run`."""

from __future__ import annotations

import json
import shlex
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.analysis.learning_rates import rate_sweeps
from runner.analysis.summary import count_outcomes, summarize
from runner.cli.terminal.database_option import RESULTS, db_option
from runner.cli.terminal.option_types import WholeNumber
from runner.cli.terminal.output_options import brief_format_option
from runner.cli.terminal.progress import QuietProgress, many_runs, progress_observer
from runner.cli.terminal.run_summary import as_dict, changed_lines, more_rows, plan_lines, rates_as_dict, row_as_dict, table_lines
from runner.contracts.figure import Results
from runner.contracts.outcomes import Outcome
from runner.errors import ExperimentError
from runner.pipeline.execute import Finished, execute
from runner.pipeline.plan import Choices, Plan, make_plan, read
from runner.registry.registry import Registry
from runner.report.experiment_report import find_figures, report
from runner.store.reading.stored_results import read_results
from runner.store.writing.recording import Store

if TYPE_CHECKING:
    from runner.report.page import WrittenReport


SOME_FAILED = 1


@dataclass(frozen=True)
class _Told:
    """How much is said, and how."""

    quiet: bool
    as_json: bool

    def observer(self) -> QuietProgress:
        return QuietProgress() if self.quiet or self.as_json else progress_observer()


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@db_option
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    default=RESULTS,
    show_default=True,
    help="The reports' folder.",
)
@click.option("--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change the experiment; may be repeated.")
@click.option("--dry-run", is_flag=True, help="Report what would be computed, and compute no run. Plugin files are executed.")
@click.option("--executor", metavar="NAME", help="Where to compute, instead of where [execution] says; e.g. processes.")
@click.option("--jobs", type=WholeNumber(), metavar="N", help="How many worker processes; for an executor with that parameter.")
@click.option("--rerun", is_flag=True, help="Compute every run again; the old ones are kept as superseded.")
@click.option("--retry-failed", is_flag=True, help="Compute failed and timed-out runs again.")
@click.option("--fail-fast", is_flag=True, help="Stop after the first batch with a failed run.")
@click.option("--no-report", is_flag=True, help="Write no report.")
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but warnings and errors.")
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
    """Run an experiment: compute what is missing, store every step, write the report.

    The same command again computes only what is not stored yet, so it also goes on after an interruption.

    \b
    Examples:
      runner run experiments/lr_sweep.toml
      runner run experiments/lr_sweep.toml --dry-run
      runner run experiments/lr_sweep.toml --executor processes --jobs 4
      runner run experiments/lr_sweep.toml --set optimizer.gradient_descent.learning_rate=0.1,0.2
    """
    told = _Told(quiet, form == "json")
    choices = Choices(overrides, rerun, retry_failed, fail_fast, executor, jobs)
    catalogue = Registry()
    with closing(Store(db)) as store:
        plan = make_plan(read(file, catalogue, choices), store, choices)
        figures, errors = find_figures(() if no_report else plan.experiment.figures, catalogue)
        if errors:
            raise ExperimentError(str(plan.experiment.path), [f"report.figures[{place}]: {error}" for place, error in errors])
        if dry_run:
            _say_plan(plan, store.database.name, told)
            return 0
        _say_changes(plan, told)
        with told.observer() as observer:
            finished = execute(plan, store, catalogue, choices, observer)
        stored = read_results(store.database, finished.experiment, catalogue)
        folder = results / plan.experiment.name
        written = None if no_report else report(stored, figures, folder, _command(file, overrides))
        _say_results(plan, finished, stored, written, store.database.name, told)
        return SOME_FAILED if any(each.outcome == Outcome.FAILED for each in stored.runs) else 0


def _command(file: Path, overrides: tuple[str, ...]) -> str:
    return shlex.join(["runner", "run", str(file), *(word for each in overrides for word in ("--set", each))])


def _say_changes(plan: Plan, told: _Told) -> None:
    if not told.as_json and not told.quiet:
        for line in changed_lines(plan):
            click.echo(line, err=True)


def _say_plan(plan: Plan, database: str, told: _Told) -> None:
    if told.as_json:
        click.echo(json.dumps(as_dict(plan, None, database), indent=2))
    elif not told.quiet:
        click.echo("\n".join(plan_lines(plan, database)))


def _say_results(
    plan: Plan, finished: Finished, stored: Results, written: WrittenReport | None, database: str, told: _Told
) -> None:
    rows = summarize(stored.runs)
    complaints = written.warnings if written else ()
    for warning in complaints:
        click.echo(f"warning: {warning}", err=True)
    if told.as_json:
        page = str(written.page) if written else None
        summary = {**as_dict(plan, finished, database), "summary": [row_as_dict(row) for row in rows], "report": page}
        summary["rates"] = [rates_as_dict(sweep) for sweep in rate_sweeps(stored)]
        summary["warnings"] = [*finished.warnings, *complaints]
        click.echo(json.dumps(summary, indent=2))
    elif not told.quiet:
        more = more_rows(rows, written.page if written else None)
        click.echo("\n".join([*table_lines(rows), *more, *_closing_lines(plan, finished, stored, written, database)]))


def _closing_lines(plan: Plan, finished: Finished, stored: Results, written: WrittenReport | None, database: str) -> list[str]:
    computed = finished.outcomes.total()
    outcomes = ", ".join(f"{count:,} {outcome}" for outcome, count in count_outcomes(stored.runs).items())
    lines = ["", f"{many_runs(len(stored.runs))}: {outcomes}"]
    lines += [f"{many_runs(computed)} computed, {len(stored.runs) - computed:,} stored already; database: {database}"]
    lines += [f"skipped {each.runs:,}: {each.combination}: {each.reason}" for each in plan.skipped]
    left = len(plan.runs) - len(stored.runs)
    if left > 0:
        lines.append(f"{many_runs(left)} still to compute; the same command again does")
    failed = count_outcomes(stored.runs).get(Outcome.FAILED, 0)
    if failed:
        lines.append(f"{many_runs(failed)} failed; the errors are stored, and --retry-failed computes again")
    if written:
        lines.append(f"report: {written.page}")
    return lines
