"""What a person reads at the end of a sweep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.analysis.learning_rates import RateSweep, rates_row
from runner.analysis.summary import SummaryRow, summary_table
from runner.cli.terminal.progress import many_runs
from runner.cli.terminal.table_layout import Habits, fitted
from runner.pipeline.execute import Finished
from runner.pipeline.plan import Plan
from runner.tables.text_formats import json_value

MOST_ROWS = 24
"""More rows than these would scroll the end of the run out of sight."""
MISSABLE = ("behaviour", "median value", "outcomes", "runs", "median gap")
NUMBERS = ("runs", "converged", "median steps", "median gap", "median value")


def table_lines(rows: Sequence[SummaryRow]) -> list[str]:
    """Return the table of the best settings: a line for each objective, gradient backend and optimizer.

    Columns that can be missed are left out where the terminal is too narrow for all, and all rows but the first few where there
    are many (see `more_rows`); the report has them.
    """
    header, cells = summary_table(rows[:MOST_ROWS])
    # With one gradient backend the column says nothing.
    shown = [place for place, name in enumerate(header) if name != "gradient" or len({row.gradient for row in rows}) > 1]
    table = [[row[place] for place in shown] for row in (header, *cells)]
    return fitted(table, Habits(MISSABLE), [name in NUMBERS for name in table[0]])


def more_rows(rows: Sequence[SummaryRow], page: Path | None) -> list[str]:
    """Return a line that says how many rows the table leaves out and where they are; none if it has all."""
    left = len(rows) - MOST_ROWS
    where = "--format json has them all" if page is None else "the report has them all"
    return [f"… and {left:,} more {'row' if left == 1 else 'rows'}; {where}"] if left > 0 else []


def plan_lines(plan: Plan, database: str) -> list[str]:
    """Return what a plan would do, in lines."""
    experiment = plan.experiment
    axes = (
        ("objective", len(experiment.objectives)),
        ("gradient backend", len(experiment.gradients)),
        ("optimizer setting", len(experiment.optimizers)),
        ("start", len(experiment.starts[0])),
    )
    product = " × ".join(f"{count:,} {noun}{'' if count == 1 else 's'}" for noun, count in axes)
    lines = [
        f"{experiment.name}: {many_runs(len(plan.runs))} ({product})",
        f"  stored      {len(plan.stored):,} in {database}",
        f"  to compute  {len(plan.todo):,}",
    ]
    if plan.repeated:
        lines.append(f"  repeated    {plan.repeated:,} grid points are the same as others")
    lines += [f"  skipped     {skipped.runs:,}: {skipped.combination}: {skipped.reason}" for skipped in plan.skipped]
    return lines + [f"  {line}" for line in changed_lines(plan)]


def changed_lines(plan: Plan) -> list[str]:
    """Return a line for each plugin whose code changed since runs of the grid were stored."""
    return [
        f"the code of {plugin} changed: {count:,} stored runs are computed again, the old ones are kept as superseded"
        for plugin, count in plan.changed.items()
    ]


def as_dict(plan: Plan, finished: Finished | None, database: str) -> dict[str, object]:
    """Return the summary for programs."""
    computed = finished.outcomes if finished else {}
    return {
        "experiment": plan.experiment.name,
        "database": database,
        "runs": len(plan.runs),
        "stored_before": len(plan.stored),
        "to_compute": len(plan.todo),
        "repeated": plan.repeated,
        "skipped": [{"combination": each.combination, "reason": each.reason, "runs": each.runs} for each in plan.skipped],
        "changed": dict(plan.changed),
        "computed": {outcome.value: count for outcome, count in computed.items()},
        "warnings": finished.warnings if finished else [],
    }


def row_as_dict(row: SummaryRow) -> dict[str, object]:
    """Return a row of the table for programs; numbers that do not exist are null."""
    best = row.best
    return {
        "objective": row.objective,
        "gradient": row.gradient,
        "optimizer": row.optimizer,
        "runs": row.runs,
        "outcomes": dict(row.outcomes),
        "behaviours": dict(row.behaviours),
        "best": best
        and {
            "setting": {key: json_value(best.parameters[key]) for key in best.varied},
            "converged": best.converged,
            "median_steps": _finite(best.median_steps),
            "median_gap": _finite(best.median_gap),
            "median_value": _finite(best.median_value),
        },
    }


def rates_as_dict(sweep: RateSweep) -> dict[str, object]:
    """Return a row of the table of learning rates for programs; numbers that do not exist are null."""
    return {key: value if isinstance(value, str) else _finite(value) for key, value in rates_row(sweep).items()}


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
