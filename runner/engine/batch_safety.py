"""Batch safety: whether a run in a batch gives the same bits as the run alone, and the first steps that show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.executor import sign_of_life
from runner.contracts.optimizer import Memory
from runner.contracts.outcomes import Outcome
from runner.engine.batch import Batch
from runner.engine.evaluation import EvaluatedPoint, Evaluator, read_only, take_step
from runner.engine.optimizer_memory import same_row, without_rows
from runner.engine.plugin_errors import blame, describe
from runner.engine.trajectories import Trajectory

REHEARSED_STEPS = 2


@dataclass(frozen=True)
class Rehearsal:
    """Whether a batch can begin.

    Attributes:
        identities: of its runs.
        problem: what is wrong, if no run can take a step; None if one can.
    """

    identities: tuple[str, ...]
    problem: str | None


def rehearse(batch: Batch) -> Rehearsal:
    """Try the first steps of a batch, to refuse broken plugins before anything is written."""
    first_problem = None
    with np.errstate(all="ignore"):
        for row in range(len(batch)):
            problem = _problem_at_start(batch.only([row]))
            if problem is None:
                return Rehearsal(batch.identities, None)
            first_problem = first_problem or problem
    return Rehearsal(batch.identities, first_problem)


def _problem_at_start(single: Batch) -> str | None:
    try:
        value, gradient = next(_first_steps(single))[:2]
    except (Exception, SystemExit) as error:
        return describe(error)
    where = f"at the start x = {np.array2string(single.start[0], threshold=6)}"
    for plugin, method, result in ((single.objective, "value", value), (single.gradient, "gradient", gradient)):
        if not np.isfinite(result).all():
            return f"{type(plugin).__name__}.{method} returned {result.ravel()[~np.isfinite(result.ravel())][0]} {where}"
    return None


def _first_steps(batch: Batch) -> Iterator[Step]:
    """Yield f, ∇f, the next iterate and the memory of the first steps."""
    evaluator = Evaluator(batch.objective, batch.gradient, len(batch))
    x = read_only(batch.start)
    memory = batch.optimizer.init(x)
    for _ in range(REHEARSED_STEPS):
        value, gradient = evaluator.value_and_gradient(x)
        x, memory = take_step(batch.optimizer, EvaluatedPoint(evaluator, x, value, gradient), memory)
        sign_of_life.get()()
        yield value, gradient, x, memory


def difference_from_alone(batch: Batch) -> Trouble | None:
    """Return how the first, the middle or the last run differs when it is computed alone, bit for bit; None if none does."""
    compared = sorted({0, len(batch) // 2, len(batch) - 1})
    try:
        runs_alone = zip(*(_first_steps(batch.only([row])) for row in compared), strict=True)
        for together, singles in zip(_first_steps(batch), runs_alone, strict=True):
            for row, alone in zip(compared, singles, strict=True):
                if trouble := difference(batch, together, row, alone):
                    return trouble
    except (Exception, SystemExit) as error:
        return raised(batch, error)
    return None


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
