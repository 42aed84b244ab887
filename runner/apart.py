"""Why runs cannot advance together: how a run differs alone and in a batch, or what was raised, with advice that helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runner.batches import Batch
from runner.blame import blame, describe
from runner.contracts import Memory
from runner.memory import same_row, without_rows
from runner.outcomes import Outcome
from runner.rowwise import Array
from runner.trajectories import Trajectory

ROWLESS = "keeps an array in its memory that has no row for each run"
KEEP_CONSTANTS = ". Keep constants in the plugin"
WRITE_FOR_BATCHES = (
    ". To let runs advance together, write it for x of shape (runs, dimension): broadcast over the leading axis, reduce with "
    "axis=-1, use runner.dot, runner.norm, runner.matvec"
)
LET_OTHERS_GO_ON = ". Where it returns nan or inf instead of raising, the other runs advance together"

Step = tuple[Array, Array, Array, Memory]
"""f, ∇f, the next iterate and the memory of one step."""


@dataclass(frozen=True)
class Trouble:
    """Why runs cannot advance together.

    Attributes:
        what: in words, with the plugin's name.
        advice: what helps, if single runs are computed without trouble.
        kind: the first word of the error, if something was raised.
    """

    what: str
    advice: str = WRITE_FOR_BATCHES
    kind: str = ""

    def warning(self, alone: Sequence[Trajectory]) -> str:
        """Return what the user should know, given the same runs computed one at a time."""
        so = "so its batches were computed one run at a time"
        if any(run.outcome == Outcome.FAILED and run.error.split(" ")[0] == self.kind for run in alone):
            return f"{self.what}, for some runs alone too; {so}{LET_OTHERS_GO_ON}"
        return f"{self.what}; {so}{self.advice}"


def raised(batch: Batch, error: BaseException) -> Trouble:
    """Return what it means that a batch raised an exception."""
    plugins = (batch.objective, batch.gradient, batch.optimizer)
    what = blame(error, f"a batch of {' × '.join(type(plugin).__name__ for plugin in plugins)}")
    return Trouble(what, kind=describe(error).split(" ")[0])


def difference(batch: Batch, together: Step, row: int, alone: Step) -> Trouble | None:
    """Return how one step of a run of the batch differs from the same step of that run alone, bit for bit; None if not at all."""
    names = (f"{type(batch.objective).__name__}.value", f"{type(batch.gradient).__name__}.gradient",
             f"{type(batch.optimizer).__name__}.step")  # fmt: skip
    for name, all_rows, single in zip(names, together[:3], alone[:3], strict=True):
        if all_rows[row].tobytes() != single[0].tobytes():
            return Trouble(f"{name} is not batch-safe: a run alone and the same run in a batch differ")
    if without_rows(together[3], len(batch)) is not None or without_rows(alone[3], 1) is not None:
        return Trouble(f"{names[2]} {ROWLESS}", KEEP_CONSTANTS)
    if not same_row(together[3], row, alone[3]):
        return Trouble(f"{names[2]} is not batch-safe: a run alone and the same run in a batch remember different numbers")
    return None
