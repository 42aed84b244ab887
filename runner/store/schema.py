"""The layout of the results database: its tables, its views, and the values that each column may hold.

    experiment ──< experiment_run >── run ──< chunk
                                       │
            objective, gradient, optimizer, rules: setting ──< parameter,  setting ── landmark
            start,  environment

    worker ──< claim: the runs that each process is computing now

A setting is one plugin with a value for each parameter and one state of its code. Runs share settings: a sweep of 200 learning
rates over 5 starts stores 200 optimizer settings, not 1,000 copies of their parameters.

A run is current while `superseded_by` is null; each identity has at most one current run. A trajectory is stored as bytes, bit
for bit. SQLite turns NaN into NULL and −0.0 into 0, so each number of a run has a second column with its class. The views restore
−0.0, and give it the class `finite`. The canonical text of a setting holds its parameters exactly. Known minima lose the sign of
zero.

The tables are internal to the store. Users query the views `experiments`, `runs`, `parameters` and `steps`.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from runner.contracts.reached import GAP_ROUNDING
from runner.store.run_columns import DEFERRED, NUMBER_CLASSES, ROW_NUMBER, RUN_COLUMNS, SETTING_KINDS

SCHEMA_VERSION = "0004"

metadata = MetaData()

schema_version = Table("runner_schema", metadata, Column("version_num", String(32), primary_key=True))

experiment = Table(
    "experiment",
    metadata,
    Column("id", ROW_NUMBER, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("digest", String(64), nullable=False, comment="SHA-256 of the sorted identities of its grid"),
    Column("description", Text, nullable=False),
    Column("source", Text, nullable=False, comment="the TOML text, with overrides named in comments behind it"),
    Column("created_at", Double, nullable=False, comment="seconds since 1970, UTC"),
    Column("last_run_at", Double, nullable=False, comment="seconds since 1970, UTC"),
    Column("target", Double, comment="the largest f − f* of a run that reached the minimum", info={"least": 0.0}),
    Index("experiment_by_name", "name", "digest", unique=True),
)

environment = Table(
    "environment",
    metadata,
    Column("id", ROW_NUMBER, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("python", Text, nullable=False),
    Column("platform", Text, nullable=False),
    Column("cpu", Text, nullable=False),
    Column("packages", Text, nullable=False, comment="JSON, versions by distribution"),
    Column("git_commit", Text, nullable=False),
)

setting = Table(
    "setting",
    metadata,
    Column("id", ROW_NUMBER, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False, unique=True, comment="SHA-256 of kind, canonical and fingerprint"),
    Column(
        "kind", String(16), nullable=False, comment="objective, gradient, optimizer or rules", info={"allowed": SETTING_KINDS}
    ),
    Column("name", Text, nullable=False),
    Column("canonical", Text, nullable=False, comment="JSON of name and parameters, floats in hexadecimal"),
    Column("fingerprint", String(64), nullable=False, comment="of the plugin's code"),
)

parameter = Table(
    "parameter",
    metadata,
    Column("setting_id", ROW_NUMBER, ForeignKey("setting.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("number", Double, comment="of a number", info={"may_be_infinite": True}),
    Column("text", Text, comment="of anything else; true or false of a truth value"),
    Index("parameter_by_number", "name", "number"),
    Index("parameter_by_text", "name", "text"),
)

landmark = Table(
    "landmark",
    metadata,
    Column("setting_id", ROW_NUMBER, ForeignKey("setting.id", ondelete="CASCADE"), primary_key=True),
    Column("minimum_value", Double, nullable=False),
    Column("minimiser", LargeBinary, nullable=False, comment="big-endian float64"),
    Column("curvature_min", Double, comment="smallest eigenvalue of the Hessian at the minimiser"),
    Column("curvature_max", Double, comment="largest eigenvalue of the Hessian at the minimiser"),
)

start = Table(
    "start",
    metadata,
    Column("id", ROW_NUMBER, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("dimension", Integer, nullable=False),
    Column("x", LargeBinary, nullable=False, comment="big-endian float64"),
)


def _run_columns() -> Iterator[Column[Any]]:
    """Yield the columns of the table `run`."""
    for each in sorted(RUN_COLUMNS, key=lambda column: column.since):
        if each.type is None:
            continue
        reference = ForeignKey("setting.id") if each.is_setting else each.reference
        yield Column(
            f"{each.name}_id" if each.is_setting else each.name,
            each.type,
            *([] if reference is None else [reference]),
            primary_key=each.name == "id",
            autoincrement=False if each.name == "id" else "auto",
            nullable=each.nullable or each.is_classed,
            server_default=each.default,
            comment=each.description if each.is_commented else None,
            info={"allowed": each.allowed, "least": each.least, "may_be_infinite": each.is_classed},
        )
        if each.is_classed:
            yield Column(f"{each.name}_class", String(8), nullable=False, info={"allowed": NUMBER_CLASSES})


run = Table(
    "run",
    metadata,
    *_run_columns(),
    CheckConstraint("superseded_by IS NULL OR superseded_by <> id", name="run_supersedes_another"),
)
_current = run.c.superseded_by.is_(None)
Index("run_current", run.c.identity, unique=True, sqlite_where=_current, postgresql_where=_current)
Index("run_by_optimizer", run.c.optimizer_id)
Index("run_superseded", run.c.superseded_by, sqlite_where=~_current, postgresql_where=~_current)

experiment_run = Table(
    "experiment_run",
    metadata,
    Column("experiment_id", ROW_NUMBER, ForeignKey("experiment.id", ondelete="CASCADE"), primary_key=True),
    Column("run_id", ROW_NUMBER, ForeignKey("run.id", ondelete="CASCADE", **DEFERRED), primary_key=True),
    Column("position", Integer, nullable=False, comment="place in the experiment's grid, from 0"),
    Column("start_number", Integer, nullable=False, comment="number of the start within the experiment, from 0"),
    Index("experiment_run_by_run", "run_id"),
    sqlite_with_rowid=False,
)

chunk = Table(
    "chunk",
    metadata,
    Column("run_id", ROW_NUMBER, ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    Column("first_step", BigInteger, primary_key=True),
    Column("count", Integer, nullable=False, comment="how many iterates"),
    Column("checksum", BigInteger, nullable=False, comment="CRC-32 of identity, first_step, count and data"),
    Column(
        "data",
        LargeBinary,
        nullable=False,
        comment="big-endian float64, series after series: f, gradient norm, then x and the gradient where recorded",
    ),
)

worker = Table(
    "worker",
    metadata,
    Column("id", ROW_NUMBER, primary_key=True, autoincrement=False),
    Column("token", String(32), nullable=False, unique=True, comment="random, of one process and one sweep"),
    Column("host", Text, nullable=False),
    Column("boot", Text, nullable=False, comment="which start of that machine, so that process numbers mean something"),
    Column("process", BigInteger, nullable=False),
    Column("process_started", Double, nullable=False, comment="seconds since that start of the machine"),
    Column("seen_at", Double, nullable=False, comment="its last sign of life, seconds since 1970, UTC"),
)

claim = Table(
    "claim",
    metadata,
    Column("identity", String(64), primary_key=True, comment="of a run that is being computed"),
    Column("worker_id", ROW_NUMBER, ForeignKey("worker.id", ondelete="CASCADE"), nullable=False),
    sqlite_with_rowid=False,
)


def _signed(name: str) -> str:
    """Return the SQL for a number of a run, with its −0.0 restored."""
    return f"CASE WHEN r.{name}_class = '-0.0' THEN CAST('-0.0' AS DOUBLE PRECISION) ELSE r.{name} END"


def _classed(name: str) -> str:
    """Return the SQL for the two columns of a number of a run: the number and its class."""
    number_class = f"CASE r.{name}_class WHEN '-0.0' THEN 'finite' WHEN '-nan' THEN 'nan' ELSE r.{name}_class END"
    return f"{_signed(name)} AS {name}, {number_class} AS {name}_class"


_SCALE = "CASE WHEN abs(l.minimum_value) > 1.0 THEN abs(l.minimum_value) ELSE 1.0 END"
_TARGET = f"""coalesce(
                   (SELECT min(e.target) FROM experiment_run m JOIN experiment e ON e.id = m.experiment_id WHERE m.run_id = r.id),
                   (SELECT q.number FROM parameter q WHERE q.setting_id = r.rules_id AND q.name = 'gap'),
                   1e-6 * {_SCALE})"""
_REACHED = f"""
               CASE WHEN l.minimum_value IS NULL THEN 'unknown'
                    WHEN r.best_value - l.minimum_value < -{_TARGET}
                     AND r.best_value - l.minimum_value < -{GAP_ROUNDING!r} * {_SCALE}
                    THEN CASE WHEN r.best_value - l.minimum_value >= -r.value_error THEN 'unknown' ELSE 'below' END
                    WHEN r.final_value - l.minimum_value <= {_TARGET} THEN 'minimum'
                    WHEN r.at_rest IS NULL THEN 'unknown'
                    WHEN NOT r.at_rest THEN 'not at rest'
                    WHEN r.final_value - l.minimum_value > r.convex_gap_bound
                    THEN CASE r.curvature_sign WHEN 'positive' THEN 'local minimum' WHEN 'negative' THEN 'maximum'
                                               WHEN 'indefinite' THEN 'saddle' ELSE 'elsewhere' END
                    ELSE 'unknown' END"""
"""The SQL of the place that a run reached; `runner.contracts.reached.place_reached` is the same rule in Python."""

VIEWS = {
    "experiments": """
        SELECT e.id, e.name, e.description, e.created_at, e.last_run_at,
               (SELECT count(*) FROM experiment_run m WHERE m.experiment_id = e.id) AS runs
        FROM experiment e""",
    "runs": f"""
        SELECT r.id, r.identity, o.name AS objective, g.name AS gradient, p.name AS optimizer, r.start_id, r.dimension, r.outcome,
               r.behaviour, r.error, r.failed_plugin, r.failed_method, r.failed_place, r.traceback, r.remark, r.steps,
               r.value_evaluations, r.gradient_evaluations, r.hessian_evaluations,
               {_classed("final_value")},
               {_classed("final_gradient_norm")},
               {_classed("best_value")}, r.best_step,
               {_signed("final_value")} - l.minimum_value AS final_gap,{_REACHED} AS reached,
               r.at_rest, r.convex_gap_bound, r.value_error, r.curvature_sign, r.curvature_min,
               r.curvature_max, r.curvature_error, r.seconds, r.finished_at
        FROM run r
        JOIN setting o ON o.id = r.objective_id
        JOIN setting g ON g.id = r.gradient_id
        JOIN setting p ON p.id = r.optimizer_id
        LEFT JOIN landmark l ON l.setting_id = r.objective_id
        WHERE r.superseded_by IS NULL""",
    "parameters": """
        SELECT r.id AS run_id, s.kind, q.name, q.number, q.text
        FROM run r
        JOIN setting s ON s.id IN (r.objective_id, r.gradient_id, r.optimizer_id, r.rules_id)
        JOIN parameter q ON q.setting_id = s.id
        WHERE r.superseded_by IS NULL""",
}
"""The query of each view that every database has, by name."""

_SQLITE_STEPS = """
    WITH RECURSIVE place(i) AS (
        SELECT 0 UNION ALL SELECT i + 1 FROM place WHERE i + 1 < (SELECT max(count) FROM chunk)
    )
    SELECT c.run_id, c.first_step + place.i AS step,
           ieee754_from_blob(substr(c.data, 8 * place.i + 1, 8)) AS value,
           ieee754_from_blob(substr(c.data, 8 * (c.count + place.i) + 1, 8)) AS gradient_norm,
           CASE WHEN r.records_x THEN ieee754_from_blob(substr(c.data, 8 * (2 * c.count + place.i) + 1, 8)) END AS x0,
           CASE WHEN r.records_x AND r.dimension > 1
                THEN ieee754_from_blob(substr(c.data, 8 * (3 * c.count + place.i) + 1, 8)) END AS x1
    FROM chunk c
    JOIN run r ON r.id = c.run_id AND r.superseded_by IS NULL
    JOIN place ON place.i < c.count"""
"""One row for each iterate. The `sqlite3` shell has the function `ieee754_from_blob`; other programs must define it."""


def views(dialect: str) -> Mapping[str, str]:
    """Return the query of each view, by name, for a dialect (`sqlite` or `postgresql`)."""
    return {**VIEWS, "steps": _SQLITE_STEPS} if dialect == "sqlite" else VIEWS


RowT = TypeVar("RowT", bound=Sequence[Any])
LAST_SECOND = 253_402_300_799.0
"""The end of the year 9999, in seconds since 1970. Python has no later date."""
LARGEST_NUMBER = sys.float_info.max
HASHES = ("digest", "identity")
"""Columns that hold SHA-256 in hexadecimal, always of the same length."""


class ImpossibleValue(ValueError):
    """A stored value is not among those that its column may hold."""


@dataclass(frozen=True)
class AllowedValues:
    """The values that a column may hold.

    Attributes:
        type: their type in Python.
        sqlite_type: the name of that type in SQLite.
        noun: the description of such a value in messages.
        nullable: whether a value may be missing.
        bounds: the smallest and the largest value; None if there is no limit.
        texts: the only texts that are allowed; empty if any text is allowed.
        lengths: the smallest and the largest number of characters of a text; None if there is no limit.
    """

    type: type
    sqlite_type: str
    noun: str
    nullable: bool
    bounds: tuple[int | float, int | float] | None = None
    texts: Sequence[str] = ()
    lengths: tuple[int, int] | None = None

    def __str__(self) -> str:
        description = self.noun
        if self.texts:
            description = f"one of {', '.join(self.texts)}"
        elif self.bounds is not None:
            description += " from {} to {}".format(*(each if self.type is int else f"{each:.15g}" for each in self.bounds))
        elif self.lengths is not None:
            description += f" of {'at most ' if self.lengths[0] == 0 else ''}{self.lengths[1]} characters"
        return f"{description}, or null" if self.nullable else description

    def include(self, values: Sequence[Any]) -> bool:
        """Return whether all the given values are allowed."""
        if not set(map(type, values)) <= {self.type, *([type(None)] if self.nullable else ())}:
            return False
        present = [value for value in values if value is not None] if self.nullable else values
        if self.bounds is not None and present:
            low, high = self.bounds
            return all(low <= value <= high for value in present)
        return not self.texts or set(present) <= set(self.texts)


@functools.cache
def allowed_values(column: Column[Any]) -> AllowedValues:
    """Return the values that a column of the schema may hold."""
    kind, nullable = column.type, bool(column.nullable)
    if isinstance(kind, Boolean):
        return AllowedValues(bool, "integer", "a truth value, 0 or 1", nullable)
    if isinstance(kind, Integer):
        wide = isinstance(kind, BigInteger) or column.primary_key or column.foreign_keys
        return AllowedValues(int, "integer", "a whole number", nullable, (0, 2**63 - 1 if wide else 2**31 - 1))
    if isinstance(kind, Double):
        least = column.info.get("least")
        bounds: tuple[float, float] | None = (-LARGEST_NUMBER if least is None else least, LARGEST_NUMBER)
        if column.name.endswith("_at"):
            bounds = (0.0, LAST_SECOND)
        elif column.info.get("may_be_infinite"):
            bounds = None
        return AllowedValues(float, "real", "a number", nullable, bounds)
    if isinstance(kind, LargeBinary):
        return AllowedValues(bytes, "blob", "numbers of 8 bytes each", nullable)
    texts = tuple(map(str, column.info.get("allowed", ())))
    longest = kind.length if isinstance(kind, String) else None
    lengths = None if longest is None else (longest if column.name in HASHES else 0, longest)
    return AllowedValues(str, "text", "a text in UTF-8", nullable, texts=texts, lengths=lengths)


def check_columns(columns: Iterable[tuple[ColumnElement[Any], Sequence[Any]]]) -> None:
    """Check the values that were read from some columns. Expressions that are not columns of a table are skipped.

    Raises:
        ImpossibleValue: a value is not allowed in its column.
    """
    for column, values in columns:
        if not isinstance(column, Column):
            continue
        allowed = allowed_values(column)
        if not allowed.include(values):
            wrong = next(value for value in values if not allowed.include([value]))
            raise ImpossibleValue(f"{column} is {short_repr(wrong)}, and must be {allowed}")


def checked_rows(columns: Iterable[ColumnElement[Any]], rows: Iterable[RowT]) -> list[RowT]:
    """Check rows that hold the values of some columns, and return them as a list.

    Raises:
        ImpossibleValue: a value is not allowed in its column.
    """
    listed = list(rows)
    check_columns(zip(columns, zip(*listed, strict=True), strict=bool(listed)))
    return listed


def check_row(table: Table, row: Mapping[Any, Any]) -> None:
    """Check a row of a table.

    Raises:
        ImpossibleValue: a value is not allowed in its column.
    """
    check_columns((column, [row[column.name]]) for column in table.columns)


def short_repr(value: object) -> str:
    """Return a value for messages, in at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
