"""The SQL of the columns of runs, and the conversion of a row into the values of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Double,
    FromClause,
    Integer,
    String,
    and_,
    case,
    func,
    literal,
    not_,
    null,
    select,
)
from sqlalchemy.types import TypeEngine

from runner.contracts.reached import AWAY_FROM_THE_MINIMUM, GAP_ROUNDING, RELATIVE_TARGET, Reached
from runner.errors import StoreError
from runner.store import schema
from runner.store.run_columns import EVALUATION_KINDS, NUMBER_CLASSES, RUN_COLUMNS
from runner.tables.frame import ColumnKind

run, landmark = schema.run, schema.landmark
COLUMN_KINDS: Mapping[type[TypeEngine[Any]], ColumnKind] = {
    Boolean: "truth",
    Integer: "integer",
    Double: "number",
    String: "text",
}
"""The kind of a column that is shown as it is stored, by its SQL type."""
settings = {kind: schema.setting.alias(kind) for kind in ("objective", "gradient", "optimizer")}


@dataclass(frozen=True, eq=False)
class ColumnSQL:
    """A column of runs as SQL.

    Attributes:
        name: its name for users, as in the view `runs`.
        kind: the kind of its values.
        expression: its SQL.
        number_class: for a number that may be infinite, NaN or −0.0, the SQL of its class, which is null where the number is
            missing; None for other columns.
        allowed: the only texts that it may hold; any text if empty.
    """

    name: str
    kind: ColumnKind
    expression: ColumnElement[Any]
    number_class: ColumnElement[Any] | None = None
    allowed: tuple[str, ...] = ()


def _reached() -> ColumnElement[str]:
    """Return the SQL of the place that a run reached, as `runner.contracts.reached.place_reached` decides it.

    The target is the smallest target of the experiments to which the run belongs. If none of them has a target, it is the run's
    rule `gap`.
    """
    member, experiment, parameter = schema.experiment_run, schema.experiment, schema.parameter
    of_experiments = select(func.min(experiment.c.target)).join(member, member.c.experiment_id == experiment.c.id)
    own_rule = select(parameter.c.number).where(parameter.c.setting_id == run.c.rules_id, parameter.c.name == "gap")
    minimum = landmark.c.minimum_value
    scale = case((func.abs(minimum) > 1.0, func.abs(minimum)), else_=1.0)
    target = func.coalesce(
        of_experiments.where(member.c.run_id == run.c.id).correlate(run).scalar_subquery(),
        own_rule.correlate(run).scalar_subquery(),
        RELATIVE_TARGET * scale,
    )
    gap, best_gap = run.c.final_value - minimum, run.c.best_value - minimum
    below = and_(best_gap < -target, best_gap < -GAP_ROUNDING * scale)
    elsewhere = case(
        *((run.c.curvature_sign == sign, place) for sign, place in AWAY_FROM_THE_MINIMUM.items()), else_=Reached.ELSEWHERE
    )
    return case(
        (minimum.is_(None), Reached.UNKNOWN),
        (below & (best_gap >= -run.c.value_error), Reached.UNKNOWN),
        (below, Reached.BELOW),
        (gap <= target, Reached.MINIMUM),
        (run.c.at_rest.is_(None), Reached.UNKNOWN),
        (not_(run.c.at_rest), Reached.NOT_AT_REST),
        (gap > run.c.convex_gap_bound, elsewhere),
        else_=Reached.UNKNOWN,
    )


def _columns() -> Iterator[ColumnSQL]:
    for column in RUN_COLUMNS:
        name = column.name
        if column.shown == "never":
            continue
        if column.is_setting:
            yield ColumnSQL(name, "text", settings[name].c.name)
        elif column.is_classed:
            number_class = run.c[f"{name}_class"]
            yield ColumnSQL(name, "number", run.c[name], number_class)
            # Users see −0.0 as finite, and −nan as nan.
            shown_class = case((number_class == "-0.0", "finite"), (number_class == "-nan", "nan"), else_=number_class)
            yield ColumnSQL(f"{name}_class", "text", shown_class)
        elif name == "reached":
            yield ColumnSQL(name, "text", _reached(), allowed=column.allowed)
        elif name == "final_gap":
            final_value = case((run.c.final_value_class == "-0.0", literal(-0.0, Double())), else_=run.c.final_value)
            gap = final_value - landmark.c.minimum_value
            # The gap is null where f* is unknown, and NaN where f is NaN.
            gap_class = case((landmark.c.minimum_value.is_(None), null()), (gap.is_(None), "nan"), else_="finite")
            yield ColumnSQL(name, "number", gap, gap_class)
        else:
            kind = next(kind for sql_type, kind in COLUMN_KINDS.items() if isinstance(column.type, sql_type))
            yield ColumnSQL(name, kind, run.c[name], allowed=column.allowed)


COLUMN_SQL: Mapping[str, ColumnSQL] = {column.name: column for column in _columns()}
"""The columns that a filter, an order or a list of columns can name, in the order of the view `runs`."""
PLAIN = tuple(
    column.name for column in RUN_COLUMNS if column.type is not None and not column.is_classed and not column.is_setting
)
"""The columns whose values are used as they are stored."""
CLASSED = tuple(column.name for column in RUN_COLUMNS if column.is_classed)
"""The columns whose numbers are stored together with a class."""


def joined_tables() -> FromClause:
    """Return the table `run`, joined with the tables from which its columns are taken."""
    tables: FromClause = run
    for kind, setting in settings.items():
        tables = tables.join(setting, setting.c.id == run.c[f"{kind}_id"])
    return tables.outerjoin(landmark, landmark.c.setting_id == run.c.objective_id)


def columns_of_values(fields: Collection[str]) -> list[Column[Any]]:
    """Return the columns of the table `run` from which `run_values` takes the values of these fields."""
    evaluations = {f"{kind}_evaluations" for kind in EVALUATION_KINDS}
    needed = evaluations.union(fields, (f"{name}_class" for name in CLASSED if name in fields))
    return [column for column in run.c if column.name in needed]


def run_values(row: Mapping[Any, Any], fields: Collection[str]) -> dict[str, Any]:
    """Return the values of a row of the table `run`, by field.

    Numbers are restored, including NaN, infinity and −0.0. `evaluations` holds the three numbers of evaluations by kind.

    Args:
        row: the row.
        fields: the names of the columns to return. `evaluations` is always returned.

    Raises:
        StoreError: the class of a number is unknown.
    """
    values: dict[str, Any] = {name: row[name] for name in PLAIN if name in fields}
    for name in CLASSED:
        if name in fields:
            values[name] = restored_number(row[name], row[f"{name}_class"])
    values["evaluations"] = {kind: row[f"{kind}_evaluations"] for kind in EVALUATION_KINDS}
    return values


def restored_number(number: float | None, number_class: str) -> float:
    """Return a number of a run as it was before it was stored. The column of the number holds no NaN and no −0.0.

    Raises:
        StoreError: the class is unknown.
    """
    if number is not None and number_class == "finite":
        return number
    try:
        return float(number_class)
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"the database is damaged: the class of a run's number is {number_class!r}, and must be one of "
            f"{', '.join(NUMBER_CLASSES)}; `runner verify` names the run"
        ) from error


def has_row_number(column: str, numbers: Iterable[int]) -> str:
    """Return the SQL condition that a column holds one of the given row numbers.

    The numbers are part of the text, because binding thousands of parameters takes a long time.
    """
    return f"{column} IN ({','.join(str(int(number)) for number in numbers)})"


def driver_rows(connection: Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """Return the rows of a query as the driver returns them.

    Creating SQLAlchemy's row objects takes longer than reading the rows.
    """
    cursor: Any = connection.exec_driver_sql(query).cursor
    return iter(cursor)
