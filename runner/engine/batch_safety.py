"""Batch safety: the comparison of a run in a batch with the same run alone, bit for bit, over the first steps.

The first steps of a single run are also computed twice. If the results differ, the plugin is not reproducible.
"""

from __future__ import annotations

import functools
import math
import pickle
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, cast

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.executor import sign_of_life
from runner.contracts.kinds import PLUGIN_KINDS
from runner.contracts.objective import Objective
from runner.contracts.optimizer import Memory
from runner.engine.batch import Batch
from runner.engine.evaluation import EvaluatedPoint, Evaluator, read_only, take_step
from runner.engine.optimizer_memory import array_without_rows, same_memory, same_row
from runner.engine.plugin_errors import describe_with_plugin
from runner.engine.vetting import Vetting
from runner.errors import describe

FIRST_STEPS = 2
"""The number of steps that are tried and compared before a batch begins."""
REPEATED_STEPS = 10
"""The largest number of steps of a run that are computed twice before an experiment begins."""
REPEATING_SECONDS = 0.2
"""The time, in seconds, after which no further step is computed twice."""
REPETITIONS = 5
"""The number of times that the first steps are repeated, to find out if the plugin or the batch is at fault."""

CONSTANT_IN_MEMORY = "keeps a memory in which an array does not have a row for each run"
KEEP_CONSTANTS = ". Keep constants in the plugin"
WRITE_FOR_BATCHES = (
    ". To let runs advance together, write it for x of shape (runs, dimension): broadcast over the leading axis, reduce with "
    "axis=-1, use runner.dot, runner.norm, runner.matvec"
)
REPEAT = ". Draw random numbers from a generator that a parameter seeds, keep all state in the memory, and do not use the time"
RETURN_NON_FINITE = ". If it returns nan or inf instead of raising, the other runs advance together"


@dataclass(frozen=True)
class Rehearsal:
    """The result of trying the first step of a batch.

    Attributes:
        identities: the identities of the batch's runs.
        problem: the reason why no run can take a step, in words; None if at least one run can.
        unrepeatable: the plugin that gave different numbers when the first steps of a run were computed again, in words, or None.
    """

    identities: tuple[str, ...]
    problem: str | None
    unrepeatable: str | None = None


class _Step(NamedTuple):
    """One step of a batch: f, ∇f, the next iterate, and the optimizer's memory."""

    value: Array
    gradient: Array
    x: Array
    memory: Memory


@dataclass(frozen=True)
class BatchFault:
    """The reason why the runs of a batch cannot advance together.

    Attributes:
        reason: the reason, with the plugin's name.
        advice: a remedy for the plugin's author, if every run can be computed alone.
        error_type: the class of the exception that the batch raised; None if it raised no exception.
    """

    reason: str
    advice: str = WRITE_FOR_BATCHES
    error_type: type[BaseException] | None = None

    @classmethod
    def from_error(cls, batch: Batch, error: BaseException) -> BatchFault:
        """Describe an exception that a batch of several runs raised."""
        names = " × ".join(type(plugin).__name__ for plugin in (batch.objective, batch.gradient, batch.optimizer))
        return cls(describe_with_plugin(error, f"a batch of {names}"), error_type=type(error))

    def warning(self, errors_alone: Collection[type[BaseException]]) -> str:
        """Return a warning for the user.

        Args:
            errors_alone: the classes of the exceptions that runs of the batch raised when each was computed alone.
        """
        consequence = "so its batches were computed one run at a time"
        if self.error_type in errors_alone:
            return f"{self.reason}. Some runs raise it when computed alone too, {consequence}{RETURN_NON_FINITE}"
        return f"{self.reason}; {consequence}{self.advice}"


def rehearse(batch: Batch) -> Rehearsal:
    """Try the first step of a batch's runs, one run at a time, until a run succeeds.

    The first steps of this run are then computed twice. With this function, the pipeline warns of a broken plugin before anything
    is computed.
    """
    first_problem = None
    with np.errstate(all="ignore"):
        for row in range(len(batch)):
            single = batch.only([row])
            problem = _first_step_problem(single)
            if problem is None:
                steps = min(REPEATED_STEPS, batch.rules.stop.max_steps)
                return Rehearsal(batch.identities, None, find_unrepeatable(single, steps))
            first_problem = first_problem or problem
    return Rehearsal(batch.identities, first_problem)


def find_batch_fault(batch: Batch) -> BatchFault | None:
    """Compare the first steps of a batch with those of its first, middle and last run alone, bit for bit.

    Returns:
        The first difference, or the exception that was raised; None if all bits are equal.
    """
    fault = _first_difference(batch)
    if fault is None or fault.error_type is not None:
        return fault
    for _ in range(REPETITIONS):
        for again in (batch.only([0]), batch):
            if (reason := find_unrepeatable(again, FIRST_STEPS, with_memory=True)) is not None:
                return BatchFault(reason, REPEAT)
    return fault


def _first_difference(batch: Batch) -> BatchFault | None:
    names = (f"{type(batch.objective).__name__}.value", f"{type(batch.gradient).__name__}.gradient",
             f"{type(batch.optimizer).__name__}.step")  # fmt: skip
    compared = sorted({0, len(batch) // 2, len(batch) - 1})
    try:
        single_runs = zip(*(_first_steps(batch.only([row])) for row in compared), strict=True)
        for together, singles in zip(_first_steps(batch), single_runs, strict=True):
            for row, alone in zip(compared, singles, strict=True):
                results = ((together.value, alone.value), (together.gradient, alone.gradient), (together.x, alone.x))
                for name, (all_rows, single) in zip(names, results, strict=True):
                    if all_rows[row].tobytes() != single[0].tobytes():
                        return BatchFault(f"{name} is not batch-safe: a run alone and the same run in a batch differ")
                # A constant may have as many entries as the batch has runs. Therefore the memory of a run alone is examined too.
                if any(array_without_rows(step.memory, runs) is not None for step, runs in ((together, len(batch)), (alone, 1))):
                    return BatchFault(f"{names[2]} {CONSTANT_IN_MEMORY}", KEEP_CONSTANTS)
                if not same_row(together.memory, row, alone.memory):
                    difference = "a run alone and the same run in a batch have different memories"
                    return BatchFault(f"{names[2]} is not batch-safe: {difference}")
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return BatchFault.from_error(batch, error)
    return None


def find_unrepeatable(batch: Batch, steps: int, with_memory: bool = False) -> str | None:
    """Compute the first steps of a batch twice, and compare the bits.

    Args:
        batch: the batch.
        steps: the largest number of steps; fewer are compared if they take longer than `REPEATING_SECONDS`.
        with_memory: True to compare the memories too; a difference between memories need not change the iterates.

    Returns:
        The plugin and the method that gave different numbers, and the step; None if all bits are equal.
    """
    names = {"value": (batch.objective, "value"), "gradient": (batch.gradient, "gradient"), "x": (batch.optimizer, "step")}
    taken, error = _taken_steps(batch, steps, REPEATING_SECONDS)
    again, other_error = _taken_steps(batch, len(taken) + (error is not None), math.inf)
    x = batch.start
    for number, (one, other) in enumerate(zip(taken, again, strict=False)):
        different = [name for name in names if getattr(one, name).tobytes() != getattr(other, name).tobytes()]
        if not different and with_memory and not same_memory(one.memory, other.memory):
            different = ["x"]
        if different:
            plugin, method = names[different[0]]
            name = _unrepeatable_evaluation(batch, x) or f"{type(plugin).__name__}.{method}"
            step = number + (different[0] == "x")
            return f"{name} is not reproducible: the first {len(taken)} steps of a run, computed twice, differ at step {step}"
        x = one.x
    if (error is None) != (other_error is None):
        raised = error if error is not None else other_error
        names_of_all = " × ".join(type(plugin).__name__ for plugin, _ in names.values())
        return f"{names_of_all} is not reproducible: of two computations, only one raised {raised}"
    return None


def _taken_steps(batch: Batch, steps: int, seconds: float) -> tuple[list[_Step], str | None]:
    """Return the first steps of a batch until the time is up, and the exception that ended them, in words, or None."""
    taken: list[_Step] = []
    clock = time.perf_counter()
    try:
        for step in _first_steps(batch, steps):
            taken.append(step)
            if time.perf_counter() - clock > seconds:
                break
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return taken, describe(error)
    return taken, None


def _unrepeatable_evaluation(batch: Batch, x: Array) -> str | None:
    """Call each evaluation twice at x, those of the objective first; return the first one whose results differ."""
    objective, backend = batch.objective, batch.gradient
    calls: list[tuple[object, str, Callable[[], Any]]] = []
    for inner in (*_wrapped_objectives(objective), objective):
        names = [name for name in PLUGIN_KINDS["objective"].evaluations if hasattr(type(inner), name)]
        calls += [(inner, name, functools.partial(getattr(inner, name), x)) for name in names]
    names = [name for name in PLUGIN_KINDS["gradient"].evaluations if hasattr(type(backend), name)]
    calls += [(backend, name, functools.partial(getattr(backend, name), objective, x)) for name in names]
    for plugin, name, call in calls:
        try:
            if pickle.dumps(call()) != pickle.dumps(call()):
                return f"{type(plugin).__name__}.{name}"
        except KeyboardInterrupt:
            raise
        except BaseException:
            continue  # a backend need not compute every derivative of every objective
    return None


def _wrapped_objectives(objective: Objective) -> Iterator[Objective]:
    """Yield the objectives in the fields of an objective, the innermost first."""
    for field in fields(cast(Any, objective)):
        inner = getattr(objective, field.name)
        if isinstance(inner, Objective):
            yield from _wrapped_objectives(inner)
            yield inner


def _first_step_problem(single: Batch) -> str | None:
    """Return the reason why the run of a batch of one cannot take its first step; None if it can."""
    try:
        first = next(_first_steps(single, 1))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return describe(error)
    start = np.array2string(single.start[0], threshold=6)
    for plugin, method, result in ((single.objective, "value", first.value), (single.gradient, "gradient", first.gradient)):
        finite = np.isfinite(result)
        if not finite.all():
            return f"{type(plugin).__name__}.{method} returned {result[~finite][0]} at the start x = {start}"
    vetting = Vetting.of(single.objective, single.gradient, single.optimizer, single.start)
    (doubt,) = vetting.doubts(single.objective, single.gradient, single.start, first.gradient)
    return None if doubt is None or not doubt.wrong else doubt.text


def _first_steps(batch: Batch, steps: int = FIRST_STEPS) -> Iterator[_Step]:
    evaluator = Evaluator(batch.objective, batch.gradient, len(batch))
    x = read_only(batch.start)
    memory = batch.optimizer.init(x)
    for _ in range(steps):
        value, gradient = evaluator.value_and_gradient(x)
        x, memory = take_step(batch.optimizer, EvaluatedPoint(evaluator, x, value, gradient), memory)
        sign_of_life.get()()
        yield _Step(value, gradient, x, memory)
