"""What a person reads at the end of a sweep."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from runner.analysis.learning_rates import RateSweep, rates_row
from runner.analysis.summary import SummaryRow, summary_table
from runner.cli.progress import many_runs
from runner.pipeline import Finished, Plan

GAP = "  "
MOST_ROWS = 24
"""More rows than these would scroll the end of the run out of sight."""
MISSABLE = ("behaviour", "median value", "outcomes", "runs", "median gap")
NUMBERS = ("runs", "converged", "median steps", "median gap", "median value")


@dataclass(frozen=True)
class Folded:
    """A cell of a table that is folded after blanks, commas, brackets and equals signs, so that no number is torn in two."""

    text: str

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return how narrow and how wide it can be."""
        return Measurement(max(map(len, self._pieces()), default=0), len(self.text)).with_maximum(options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Fold it into the width there is; a piece that is wider than that is broken where it must be."""
        lines, line = [], ""
        for piece in self._pieces():
            if line and len((line + piece).rstrip()) > options.max_width:
                lines.append(line.rstrip())
                line = ""
            line += piece
            while len(line.rstrip()) > options.max_width:
                lines.append(line[: options.max_width])
                line = line[options.max_width :]
        yield Text("\n".join([*lines, line.rstrip()]))

    def _pieces(self) -> list[str]:
        return re.findall(r"[^\s,(\[=]*[\s,(\[=]+|[^\s,(\[=]+", self.text)


def table_of(rows: Sequence[SummaryRow], width: int) -> Table:
    """Return the table of the best settings: a line for each objective, gradient backend and optimizer.

    Columns that can be missed are left out where the terminal is too narrow for all, and all rows but the first few where there
    are many (see `more_rows`); the report has them.
    """
    header, cells = summary_table(rows[:MOST_ROWS])
    # With one gradient backend the column says nothing.
    shown = [place for place, name in enumerate(header) if name != "gradient" or len({row.gradient for row in rows}) > 1]
    widths = [max(len(cell) for cell in column) + len(GAP) for column in zip(header, *cells, strict=True)]
    for name in MISSABLE:
        if sum(widths[place] for place in shown) > width:
            shown = [place for place in shown if header[place] != name]
    table = Table(box=None, pad_edge=False, padding=(0, len(GAP), 0, 0), header_style="bold")
    for place in shown:
        table.add_column(header[place], justify="right" if header[place] in NUMBERS else "left", overflow="fold")
    for row in cells:
        table.add_row(*(Folded(row[place]) for place in shown))
    return table


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
            "setting": {key: best.parameters[key] for key in best.varied},
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
