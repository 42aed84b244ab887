"""The layout of the results database.

    experiment ──< experiment_run >── run ──< chunk
                                       │
            objective, gradient, optimizer, rules: setting ──< parameter,  setting ── landmark
            start,  environment

    worker ──< claim: who is computing which runs just now

A setting is one plugin with one value for each parameter and one state of its code; runs share it. So a sweep of 200 learning
rates over 5 starts has 200 optimizer settings and not 1,000 copies of their parameters.

A run is current while `superseded_by` is null: at most one for each identity. Trajectories are bytes, bit for bit. Numbers of a
run have a class beside them (`finite`, `inf`, `-inf`, `nan`, `-0.0`, `-nan`), since SQLite turns NaN into NULL and −0.0 into 0;
the views give −0.0 back, and call it finite. Parameters are exact in the canonical text of their setting. What is known of a
minimum has no sign of zero.

The tables are the store's own. The views `experiments`, `runs`, `parameters` and `steps` are what people query.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Mapping, Sequence
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
    false,
)

from runner.contracts.outcomes import BEHAVIOURS, OUTCOMES

SCHEMA_VERSION = "0003"

metadata = MetaData()
_LATER: dict[str, Any] = {"deferrable": True, "initially": "DEFERRED"}
_Id = BigInteger().with_variant(Integer, "sqlite")

schema_version = Table("runner_schema", metadata, Column("version_num", String(32), primary_key=True))

experiment = Table(
    "experiment",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("digest", String(64), nullable=False, comment="SHA-256 of the sorted identities of its grid"),
    Column("description", Text, nullable=False),
    Column("source", Text, nullable=False, comment="the TOML text, with overrides named in comments behind it"),
    Column("created_at", Double, nullable=False, comment="seconds since 1970, UTC"),
    Column("last_run_at", Double, nullable=False, comment="seconds since 1970, UTC"),
    Index("experiment_by_name", "name", "digest", unique=True),
)

environment = Table(
    "environment",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
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
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False, unique=True, comment="SHA-256 of kind, canonical and fingerprint"),
    Column("kind", String(16), nullable=False, comment="objective, gradient, optimizer or rules"),
    Column("name", Text, nullable=False),
    Column("canonical", Text, nullable=False, comment="JSON of name and parameters, floats in hexadecimal"),
    Column("fingerprint", String(64), nullable=False, comment="of the plugin's code"),
)

parameter = Table(
    "parameter",
    metadata,
    Column("setting_id", _Id, ForeignKey("setting.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("number", Double, comment="of a number"),
    Column("text", Text, comment="of anything else; true or false of a truth value"),
    Index("parameter_by_number", "name", "number"),
    Index("parameter_by_text", "name", "text"),
)

landmark = Table(
    "landmark",
    metadata,
    Column("setting_id", _Id, ForeignKey("setting.id", ondelete="CASCADE"), primary_key=True),
    Column("minimum_value", Double, nullable=False),
    Column("minimiser", LargeBinary, nullable=False, comment="big-endian float64"),
    Column("curvature_min", Double, comment="smallest eigenvalue of the Hessian at the minimiser"),
    Column("curvature_max", Double, comment="largest eigenvalue of the Hessian at the minimiser"),
)

start = Table(
    "start",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("dimension", Integer, nullable=False),
    Column("x", LargeBinary, nullable=False, comment="big-endian float64"),
)

run = Table(
    "run",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=False),
    Column("identity", String(64), nullable=False, comment="SHA-256 over everything that decides the run's numbers"),
    Column("objective_id", _Id, ForeignKey("setting.id"), nullable=False),
    Column("gradient_id", _Id, ForeignKey("setting.id"), nullable=False),
    Column("optimizer_id", _Id, ForeignKey("setting.id"), nullable=False),
    Column("rules_id", _Id, ForeignKey("setting.id"), nullable=False),
    Column("start_id", _Id, ForeignKey("start.id"), nullable=False),
    Column("environment_id", _Id, ForeignKey("environment.id"), nullable=False),
    Column("dimension", Integer, nullable=False),
    Column("records_x", Boolean, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("error", Text, nullable=False),
    Column("steps", BigInteger, nullable=False),
    Column("value_evaluations", BigInteger, nullable=False),
    Column("gradient_evaluations", BigInteger, nullable=False),
    Column("hessian_evaluations", BigInteger, nullable=False),
    Column("final_value", Double),
    Column("final_value_class", String(8), nullable=False),
    Column("final_gradient_norm", Double),
    Column("final_gradient_norm_class", String(8), nullable=False),
    Column("best_value", Double),
    Column("best_value_class", String(8), nullable=False),
    Column("best_step", BigInteger, nullable=False),
    Column("seconds", Double, nullable=False, comment="the run's share of its batch's time"),
    Column("finished_at", Double, nullable=False, comment="seconds since 1970, UTC"),
    Column("superseded_by", _Id, ForeignKey("run.id", ondelete="SET NULL", **_LATER)),
    Column("records_gradient", Boolean, nullable=False, server_default=false()),
    Column("behaviour", String(16), comment="how it moved; null where nobody measured it"),
    CheckConstraint("superseded_by IS NULL OR superseded_by <> id", name="run_supersedes_another"),
)
_current = run.c.superseded_by.is_(None)
Index("run_current", run.c.identity, unique=True, sqlite_where=_current, postgresql_where=_current)
Index("run_by_optimizer", run.c.optimizer_id)
Index("run_superseded", run.c.superseded_by, sqlite_where=~_current, postgresql_where=~_current)

experiment_run = Table(
    "experiment_run",
    metadata,
    Column("experiment_id", _Id, ForeignKey("experiment.id", ondelete="CASCADE"), primary_key=True),
    Column("run_id", _Id, ForeignKey("run.id", ondelete="CASCADE", **_LATER), primary_key=True),
    Column("position", Integer, nullable=False, comment="place in the experiment's grid, from 0"),
    Column("start_number", Integer, nullable=False, comment="number of the start within the experiment, from 0"),
    Index("experiment_run_by_run", "run_id"),
    sqlite_with_rowid=False,
)

chunk = Table(
    "chunk",
    metadata,
    Column("run_id", _Id, ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
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
    Column("id", _Id, primary_key=True, autoincrement=False),
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
    Column("worker_id", _Id, ForeignKey("worker.id", ondelete="CASCADE"), nullable=False),
    sqlite_with_rowid=False,
)


def _signed(name: str) -> str:
    """Return the SQL for a number of a run with the sign of its zeros."""
    return f"CASE WHEN r.{name}_class = '-0.0' THEN CAST('-0.0' AS DOUBLE PRECISION) ELSE r.{name} END"


def _classed(name: str) -> str:
    """Return the SQL for a number of a run, and the class beside it."""
    told = f"CASE r.{name}_class WHEN '-0.0' THEN 'finite' WHEN '-nan' THEN 'nan' ELSE r.{name}_class END"
    return f"{_signed(name)} AS {name}, {told} AS {name}_class"


VIEWS = {
    "experiments": """
        SELECT e.id, e.name, e.description, e.created_at, e.last_run_at,
               (SELECT count(*) FROM experiment_run m WHERE m.experiment_id = e.id) AS runs
        FROM experiment e""",
    "runs": f"""
        SELECT r.id, r.identity, o.name AS objective, g.name AS gradient, p.name AS optimizer, r.start_id, r.dimension, r.outcome,
               r.behaviour, r.error, r.steps, r.value_evaluations, r.gradient_evaluations, r.hessian_evaluations,
               {_classed("final_value")},
               {_classed("final_gradient_norm")},
               {_classed("best_value")}, r.best_step,
               {_signed("final_value")} - l.minimum_value AS final_gap, r.seconds, r.finished_at
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
"""What people query, in any database."""

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
"""Every iterate as a row; `ieee754_from_blob` is built into the `sqlite3` shell."""


def views(dialect: str) -> Mapping[str, str]:
    """Return every view's query, by name."""
    return {**VIEWS, "steps": _SQLITE_STEPS} if dialect == "sqlite" else VIEWS


RowT = TypeVar("RowT", bound=Sequence[Any])
CLASSES = ("finite", "inf", "-inf", "nan", "-0.0", "-nan")
WORDS: Mapping[str, Sequence[str]] = {
    "kind": ("objective", "gradient", "optimizer", "rules"),
    "outcome": OUTCOMES,
    "behaviour": BEHAVIOURS,
    **{f"{number}_class": CLASSES for number in ("final_value", "final_gradient_norm", "best_value")},
}
"""By the names of columns, all that may be in them."""
LAST_SECOND = 253_402_300_799.0
"""The end of the year 9999, in seconds since 1970: no later date has a name."""
LARGEST = sys.float_info.max
MAY_BE_INFINITE = ("number", "final_value", "final_gradient_norm", "best_value")
ALWAYS_AS_LONG = ("digest", "identity")
"""SHA-256 in hexadecimal."""
LEAST = {"seconds": 0.0}


class Senseless(ValueError):
    """What is stored cannot be what anybody wrote."""


@dataclass(frozen=True)
class Domain:
    """What a column may hold.

    Attributes:
        type: of its values, in Python.
        name: what SQLite calls that type.
        words: what they are called.
        nullable: whether one may be missing.
        bounds: the least and the greatest, where there are such.
        allowed: the only ones, where it is a few.
        lengths: how many characters a text has at least and at most, where there is a limit.
    """

    type: type
    name: str
    words: str
    nullable: bool
    bounds: tuple[int | float, int | float] | None = None
    allowed: Sequence[str] = ()
    lengths: tuple[int, int] | None = None

    def __str__(self) -> str:
        said = self.words
        if self.allowed:
            said = f"one of {', '.join(self.allowed)}"
        elif self.bounds is not None:
            said += " from {} to {}".format(*(each if self.type is int else f"{each:.15g}" for each in self.bounds))
        elif self.lengths is not None:
            said += f" of {'at most ' if self.lengths[0] == 0 else ''}{self.lengths[1]} characters"
        return f"{said}, or null" if self.nullable else said

    def holds(self, values: Sequence[Any]) -> bool:
        """Whether all of some values are such."""
        if not set(map(type, values)) <= {self.type, *([type(None)] if self.nullable else ())}:
            return False
        there = [value for value in values if value is not None] if self.nullable else values
        if self.bounds is not None and there:
            low, high = self.bounds
            return all(low <= value <= high for value in there)
        return not self.allowed or set(there) <= set(self.allowed)


@functools.cache
def domain_of(column: Column[Any]) -> Domain:
    """Return what a column of the schema may hold."""
    kind, nullable = column.type, bool(column.nullable)
    if isinstance(kind, Boolean):
        return Domain(bool, "integer", "a truth value, 0 or 1", nullable)
    if isinstance(kind, Integer):
        wide = isinstance(kind, BigInteger) or column.primary_key or column.foreign_keys
        return Domain(int, "integer", "a whole number", nullable, (0, 2**63 - 1 if wide else 2**31 - 1))
    if isinstance(kind, Double):
        return Domain(float, "real", "a number", nullable, _bounds(column.name))
    if isinstance(kind, LargeBinary):
        return Domain(bytes, "blob", "numbers of 8 bytes each", nullable)
    allowed = tuple(map(str, WORDS.get(column.name, ())))
    longest = kind.length if isinstance(kind, String) else None
    lengths = None if longest is None else (longest if column.name in ALWAYS_AS_LONG else 0, longest)
    return Domain(str, "text", "a text in UTF-8", nullable, allowed=allowed, lengths=lengths)


def _bounds(name: str) -> tuple[float, float] | None:
    if name.endswith("_at"):
        return 0.0, LAST_SECOND
    return None if name in MAY_BE_INFINITE else (LEAST.get(name, -LARGEST), LARGEST)


def require(column: ColumnElement[Any], values: Sequence[Any]) -> None:
    """Look at what was read of a column; what is computed from columns is no column, and is let pass.

    Raises:
        Senseless: one of the values cannot be in it.
    """
    if not isinstance(column, Column):
        return
    domain = domain_of(column)
    if not domain.holds(values):
        wrong = next(value for value in values if not domain.holds([value]))
        raise Senseless(f"{column} is {shown(wrong)}, and must be {domain}")


def required(columns: Iterable[ColumnElement[Any]], rows: Iterable[RowT]) -> list[RowT]:
    """Return the rows of some columns, having looked at them.

    Raises:
        Senseless: one of the values cannot be in its column.
    """
    listed = list(rows)
    for column, values in zip(columns, zip(*listed, strict=True), strict=bool(listed)):
        require(column, values)
    return listed


def require_row(table: Table, row: Mapping[Any, Any]) -> None:
    """Look at a row of a table.

    Raises:
        Senseless: one of its values cannot be in its column.
    """
    for column in table.columns:
        require(column, [row[column.name]])


def shown(value: object) -> str:
    """Return a value for messages, not too long."""
    words = repr(value)
    return words if len(words) <= 60 else f"{words[:57]}..."
