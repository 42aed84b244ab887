"""The columns of runs, as they are asked for: those of the view `runs`, by the same names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Double, FromClause, case, literal, null

from runner.errors import StoreError
from runner.store import schema
from runner.tables.frame import ColumnKind

run, landmark = schema.run, schema.landmark
settings = {axis: schema.setting.alias(axis) for axis in ("objective", "gradient", "optimizer")}


@dataclass(frozen=True, eq=False)
class RunColumn:
    """One column.

    Attributes:
        kind: what its values are.
        expression: what it is in SQL.
        number_class: where the number may be one that SQL does not hold, what says so; null where there is no number.
    """

    kind: ColumnKind
    expression: ColumnElement[Any]
    number_class: ColumnElement[Any] | None = None


def _classed(name: str) -> dict[str, RunColumn]:
    number_class = run.c[f"{name}_class"]
    # Whoever asks for what is finite means −0.0 too, and NaN has no sign for those who ask for it.
    told = case((number_class == "-0.0", "finite"), (number_class == "-nan", "nan"), else_=number_class)
    return {name: RunColumn("number", run.c[name], number_class), f"{name}_class": RunColumn("text", told)}


def _final_gap() -> RunColumn:
    """Return f − f* at the last iterate: missing where f* is unknown, NaN where f is."""
    final_value = case((run.c.final_value_class == "-0.0", literal(-0.0, Double())), else_=run.c.final_value)
    gap = final_value - landmark.c.minimum_value
    return RunColumn("number", gap, case((landmark.c.minimum_value.is_(None), null()), (gap.is_(None), "nan"), else_="finite"))


RUN_COLUMNS: Mapping[str, RunColumn] = {
    "id": RunColumn("integer", run.c.id),
    "identity": RunColumn("text", run.c.identity),
    **{axis: RunColumn("text", setting.c.name) for axis, setting in settings.items()},
    "start_id": RunColumn("integer", run.c.start_id),
    "dimension": RunColumn("integer", run.c.dimension),
    "outcome": RunColumn("text", run.c.outcome),
    "behaviour": RunColumn("text", run.c.behaviour),
    "error": RunColumn("text", run.c.error),
    "steps": RunColumn("integer", run.c.steps),
    **{f"{name}_evaluations": RunColumn("integer", run.c[f"{name}_evaluations"]) for name in ("value", "gradient", "hessian")},
    **_classed("final_value"),
    **_classed("final_gradient_norm"),
    **_classed("best_value"),
    "best_step": RunColumn("integer", run.c.best_step),
    "final_gap": _final_gap(),
    "seconds": RunColumn("number", run.c.seconds),
    "finished_at": RunColumn("number", run.c.finished_at),
}


def joined() -> FromClause:
    """Return `run` with all that the columns are taken from."""
    tables: FromClause = run
    for axis, setting in settings.items():
        tables = tables.join(setting, setting.c.id == run.c[f"{axis}_id"])
    return tables.outerjoin(landmark, landmark.c.setting_id == run.c.objective_id)


def from_class(number: float | None, number_class: str) -> float:
    """Return a number as it was before the database took it, which has no NaN and no −0.0.

    Raises:
        StoreError: the class is none.
    """
    if number is not None and number_class == "finite":
        return number
    try:
        return float(number_class)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"the database is damaged: a number of a run is of the class {number_class!r}; `runner verify` says of which"
        ) from error


def among(column: str, numbers: Iterable[int]) -> str:
    """Return the SQL for `column` being one of some row numbers, which are written out: thousands of parameters take long."""
    return f"{column} IN ({','.join(str(int(number)) for number in numbers)})"


def rows_of(connection: Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """Give the rows of a query as the driver does: what SQLAlchemy makes of each takes longer than the reading itself."""
    cursor: Any = connection.exec_driver_sql(query).cursor
    return iter(cursor)
