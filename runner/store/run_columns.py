"""The columns of a stored run, in one table. The lists of columns elsewhere are derived from it.

| derived | in |
|---|---|
| the table `run`, and the values that each of its columns may hold | `runner/store/schema.py` |
| the SQL of each column in filters, orders and tables | `runner/store/reading/run_sql.py` |
| the fields of `RunRecord` and `StoredRun` that have the name of a column | `run_values` in the same file |
| the columns that `runner compare` treats as results | `runner/results/comparison.py` |
| the columns that `runner runs` prints | `runner/cli/runs.py` |

The text of the view `runs` is written out in `runner/store/schema.py`, because the text of a released view must not change.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from sqlalchemy import BigInteger, Boolean, ColumnElement, Double, ForeignKey, Integer, String, Text, false
from sqlalchemy.types import TypeEngine

from runner.contracts.outcomes import BEHAVIOURS, OUTCOMES
from runner.contracts.reached import CURVATURE_SIGNS, REACHED

ROW_NUMBER = BigInteger().with_variant(Integer, "sqlite")
DEFERRED: dict[str, Any] = {"deferrable": True, "initially": "DEFERRED"}
"""Options of a foreign key that is checked at the end of the transaction."""
SETTING_KINDS = ("objective", "gradient", "optimizer", "rules")
EVALUATION_KINDS = ("value", "gradient", "hessian")
NUMBER_CLASSES = ("finite", "inf", "-inf", "nan", "-0.0", "-nan")

ADDED_TEXT: dict[str, Any] = {"default": "", "since": "0004"}
"""Options of a text that schema 0004 added."""
ADDED_FACT: dict[str, Any] = {"is_result": True, "nullable": True, "since": "0004"}
"""Options of a fact that schema 0004 added. It is null if it was not measured."""


@dataclass(frozen=True, eq=False)
class RunColumn:
    """A column of stored runs.

    Attributes:
        name: its name.
        type: its SQL type; None if it is calculated and not stored.
        description: its meaning, as a phrase.
        shown: the place where users see it. The view `runs` and `ResultsDatabase.runs` have all columns except those that are
            `never` shown. `runner runs` prints the columns whose `shown` is `always`. It prints a column
            whose `shown` is `if different` only if the printed runs differ in it.
        is_setting: whether it refers to a setting. Then the table `run` calls it `NAME_id`, and users see the plugin's name.
        is_result: whether it describes the run's result, rather than the settings of the run.
        is_classed: whether it is a number that may be infinite, NaN or −0.0, which not every database stores. Then the next
            column, `NAME_class`, holds one of `NUMBER_CLASSES`.
        nullable: whether its value may be missing.
        allowed: the only texts that it may hold; any text if empty.
        least: the smallest number that it may hold; any finite number if None.
        reference: the column of another table to which it refers, unless it refers to a setting.
        is_commented: whether the database holds the description as the column's comment.
        default: the value for runs that were stored before the column was added.
        since: the schema version that added it. The columns of the table `run` are sorted by this version, and then in the order
            of `RUN_COLUMNS`.
    """

    name: str
    type: TypeEngine[Any] | None
    description: str
    _: KW_ONLY
    shown: Literal["always", "if different", "on request", "never"] = "on request"
    is_setting: bool = False
    is_result: bool = False
    is_classed: bool = False
    nullable: bool = False
    allowed: tuple[str, ...] = ()
    least: float | None = None
    reference: ForeignKey | None = None
    is_commented: bool = False
    default: ColumnElement[Any] | str | None = None
    since: str = "0001"


RUN_COLUMNS = (
    RunColumn("id", ROW_NUMBER, "row number", shown="always"),
    RunColumn(
        "identity", String(64), "SHA-256 over everything that decides the run's numbers", shown="always", is_commented=True
    ),
    RunColumn("objective", ROW_NUMBER, "the objective", shown="always", is_setting=True),
    RunColumn("gradient", ROW_NUMBER, "the gradient backend", shown="if different", is_setting=True),
    RunColumn("optimizer", ROW_NUMBER, "the optimizer", shown="if different", is_setting=True),
    RunColumn("rules", ROW_NUMBER, "the stopping rules and what was recorded", shown="never", is_setting=True),
    RunColumn("start_id", ROW_NUMBER, "row number of the starting point", reference=ForeignKey("start.id")),
    RunColumn(
        "environment_id",
        ROW_NUMBER,
        "the machine and the packages that computed the run",
        shown="never",
        reference=ForeignKey("environment.id"),
    ),
    RunColumn("dimension", Integer(), "number of coordinates of x"),
    RunColumn("records_x", Boolean(), "whether the iterates are stored", shown="never"),
    RunColumn("records_gradient", Boolean(), "whether the gradients are stored", shown="never", default=false(), since="0002"),
    RunColumn("outcome", String(16), "the reason why the run ended", shown="always", is_result=True, allowed=OUTCOMES),
    RunColumn(
        "behaviour",
        String(16),
        "how it moved; null where nobody measured it",
        shown="if different",
        is_result=True,
        nullable=True,
        allowed=BEHAVIOURS,
        is_commented=True,
        since="0002",
    ),
    RunColumn("error", Text(), "the reason why the run failed; empty if it did not fail", is_result=True),
    RunColumn("failed_plugin", Text(), "the class of the plugin that failed; empty if none failed", is_result=True, **ADDED_TEXT),
    RunColumn("failed_method", Text(), "the method of that plugin", is_result=True, **ADDED_TEXT),
    RunColumn("failed_place", Text(), "the file and the line that raised the exception", is_result=True, **ADDED_TEXT),
    RunColumn("traceback", Text(), "the traceback of the exception", is_result=True, **ADDED_TEXT),
    RunColumn("remark", Text(), "what is doubtful about the run; empty if nothing is", is_result=True, **ADDED_TEXT),
    RunColumn("steps", BigInteger(), "number of steps", shown="always", is_result=True),
    RunColumn("value_evaluations", BigInteger(), "number of evaluations of f", is_result=True),
    RunColumn("gradient_evaluations", BigInteger(), "number of evaluations of ∇f", is_result=True),
    RunColumn("hessian_evaluations", BigInteger(), "number of evaluations of ∇²f", is_result=True),
    RunColumn("final_value", Double(), "f at the last iterate", shown="always", is_result=True, is_classed=True),
    RunColumn("final_gradient_norm", Double(), "‖∇f‖ at the last iterate", is_result=True, is_classed=True),
    RunColumn("best_value", Double(), "the smallest f of the run; NaN if every f was NaN or ∞", is_result=True, is_classed=True),
    RunColumn("best_step", BigInteger(), "the first step with the smallest f", is_result=True),
    RunColumn("final_gap", None, "f − f* at the last iterate; null where f* is unknown", shown="always", is_result=True),
    RunColumn("reached", None, "the place that the run reached", shown="if different", is_result=True, allowed=REACHED),
    RunColumn("at_rest", Boolean(), "whether ‖∇f‖ is small at the last iterate", **ADDED_FACT),
    RunColumn(
        "convex_gap_bound", Double(), "‖∇f‖ · ‖x − x*‖ at the last iterate plus the rounding error of f", least=0.0, **ADDED_FACT
    ),
    RunColumn("value_error", Double(), "the rounding error of f at the last iterate", least=0.0, **ADDED_FACT),
    RunColumn(
        "curvature_sign",
        String(16),
        "the signs of the eigenvalues of ∇²f where the run is at rest",
        allowed=CURVATURE_SIGNS,
        **ADDED_FACT,
    ),
    RunColumn("curvature_min", Double(), "the smallest eigenvalue of ∇²f there", **ADDED_FACT),
    RunColumn("curvature_max", Double(), "the largest eigenvalue of ∇²f there", **ADDED_FACT),
    RunColumn("curvature_error", Double(), "the error of these eigenvalues", least=0.0, **ADDED_FACT),
    RunColumn("seconds", Double(), "the run's share of its batch's time", is_result=True, least=0.0, is_commented=True),
    RunColumn("finished_at", Double(), "seconds since 1970, UTC", is_result=True, is_commented=True),
    RunColumn(
        "superseded_by",
        ROW_NUMBER,
        "the later run with the same identity",
        shown="never",
        nullable=True,
        reference=ForeignKey("run.id", ondelete="SET NULL", **DEFERRED),
    ),
)
