"""The loop that computes a batch: evaluate, record, check the stopping rules, step.

The runs of a batch advance together as arrays `(runs, dimension)`. A run that has ended is removed from the arrays.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from runner.contracts.arrays import Array, norm
from runner.contracts.executor import report_step, sign_of_life
from runner.contracts.objective import known_minimum
from runner.contracts.optimizer import Mask, Memory
from runner.contracts.outcomes import OUTCOMES, Behaviour, Outcome
from runner.contracts.reached import LOST_OUTCOMES
from runner.engine.batch import Batch, take_rows
from runner.engine.batch_safety import CONSTANT_IN_MEMORY, BatchFault, find_batch_fault
from runner.engine.behaviour import BehaviourState
from runner.engine.evaluation import EvaluatedPoint, Evaluator, read_only, take_step
from runner.engine.optimizer_memory import array_without_rows, take_memory
from runner.engine.plugin_errors import NO_FAILURE, Failure, WrongResult
from runner.engine.recording import Recorder
from runner.engine.resting_places import LastIterates, resting_places
from runner.engine.stopping import RUNNING, OutcomeCodes, StoppingState
from runner.engine.trajectories import Descent, Evaluations, Trajectory
from runner.engine.vetting import Doubt, Vetting

IS_LOST = np.array([outcome in LOST_OUTCOMES for outcome in OUTCOMES])
"""True for the outcomes of a lost run, by their index in `OUTCOMES`."""


def descend(batch: Batch, last_step: int | None = None) -> Descent:
    """Compute every run of a batch to its end.

    If the plugins are not batch-safe or raise an exception, the runs are computed again one at a time. An exception then ends
    only the run that caused it.

    Args:
        batch: the batch.
        last_step: in a batch of one run, the step at which the run fails unless it has ended before; None for no such step.
    """
    with np.errstate(all="ignore"):
        if len(batch) == 1:
            return Descent(_Loop(batch, last_step).run())
        fault = find_batch_fault(batch)
        if fault is None:
            try:
                return Descent(_Loop(batch).run())
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                fault = BatchFault.from_error(batch, error)
        trajectories: list[Trajectory] = []
        errors: set[type[BaseException]] = set()
        for row in range(len(batch)):
            single = _Loop(batch.only([row]))
            trajectories += single.run()
            if single.error_type is not None:
                errors.add(single.error_type)
        # The batch is not to blame if no run can take a step alone.
        stuck = all(trajectory.outcome == Outcome.FAILED and trajectory.steps == 0 for trajectory in trajectories)
        return Descent(tuple(trajectories), () if stuck else (fault.warning(errors),))


class _LastStep(Exception):
    """The run has reached the step at which it has to end."""


class _Loop:
    """The state of a batch while it is computed.

    `finished` holds a function for each run that has ended, which makes its trajectory. Only the facts about the last iterate are
    missing, because they are measured for all runs together. `doubts` holds the first doubt about the derivatives of each run, or
    a later one if it is worse. `is_wrong` is True for the runs whose derivatives are wrong somewhere.

    `going` holds the numbers of the runs that still advance. The arrays `x`, `value`, `gradient_norm`, `best_value` and
    `best_step` have a row for each of them.
    """

    def __init__(self, batch: Batch, last_step: int | None = None) -> None:
        runs, dimension = batch.start.shape
        self.batch = batch
        self.last_step = last_step
        self.optimizer = batch.optimizer
        self.evaluator = Evaluator(batch.objective, batch.gradient, runs)
        self.recorder = Recorder(runs, dimension, batch.rules)
        self.finished: list[Callable[..., Trajectory] | None] = [None] * runs
        self.error_type: type[BaseException] | None = None
        self.going = np.arange(runs)
        self.x = read_only(batch.start)
        self.value: Array = np.full(runs, np.nan)
        self.gradient_norm: Array = np.full(runs, np.nan)
        self.best_value: Array = np.full(runs, np.inf)
        self.best_step = np.zeros(runs, np.int64)
        self.doubts: list[Doubt | None] = [None] * runs
        self.is_wrong = np.zeros(runs, dtype=bool)
        self.vetting: Vetting | None = None
        self.memory: Memory = None
        self.stopping: StoppingState | None = None
        self.behaviour: BehaviourState | None = None
        self.seconds = 0.0
        self.last = LastIterates.unknown(runs, dimension)

    def run(self) -> tuple[Trajectory, ...]:
        """Compute all runs to their ends.

        An exception ends a batch of one run with the outcome `failed`; a batch of several runs raises it.
        """
        rules = self.batch.rules.stop
        give_sign_of_life, report = sign_of_life.get(), report_step.get()
        clock = time.perf_counter()
        previous: Array | None = None
        try:
            self.memory = self.optimizer.init(self.x)
            for step in itertools.count():
                value, gradient = self.evaluator.value_and_gradient(self.x)
                gradient_norm = norm(gradient)
                self.recorder.record(self.x, value, gradient_norm, gradient)
                self.value, self.gradient_norm = value, gradient_norm
                better = value < self.best_value
                np.copyto(self.best_value, value, where=better)
                np.copyto(self.best_step, step, where=better)
                if self.stopping is None or self.behaviour is None:
                    known = None if rules.gap is None else known_minimum(self.batch.objective)
                    minimum = None if known is None else np.broadcast_to(np.ravel(known.value).astype(np.float64), value.shape)
                    self.stopping = StoppingState.at_start(rules, value, minimum)
                    self.behaviour = BehaviourState(rules, minimum, value, gradient, gradient_norm, self.x)
                    self.last.first_norm[:] = gradient_norm
                else:
                    self.behaviour.observe(step, value, gradient, gradient_norm, self.x)
                # Each run that is still going gets its share of the time since the last iterate.
                now = time.perf_counter()
                self.seconds += (now - clock) / len(self.going)
                clock = now
                report(step)
                give_sign_of_life()
                codes = self.stopping.check(step, value, gradient_norm, self.x, previous, self.seconds)
                if step == self.last_step:
                    raise _LastStep
                if step & (step - 1) == 0 or codes is not None:
                    codes = self._vet(step, gradient, codes)
                    clock = time.perf_counter()
                if codes is not None and (codes != RUNNING).any():
                    self._finish_runs(codes, step)
                    self._keep_last_iterates(codes, step, gradient)
                    going = codes == RUNNING
                    if not going.any():
                        break
                    self._keep(going)
                    value, gradient = value[going], gradient[going]
                point = EvaluatedPoint(self.evaluator, self.x, value, gradient)
                x, self.memory = take_step(self.optimizer, point, self.memory)
                previous, self.x = self.x, x
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if len(self.batch) > 1:
                raise
            self.error_type = type(error)
            failed = np.full(len(self.going), OUTCOMES.index(Outcome.FAILED), np.int8)
            failure = NO_FAILURE if isinstance(error, _LastStep) else Failure.of(error)
            self._finish_runs(failed, max(0, self.recorder.iterates - 1), failure)
            return tuple(finish() for finish in self.finished if finish is not None)
        places = resting_places(self.batch, self.last)
        # The facts about the last iterate depend on the gradient, so they are left out for runs whose gradient is doubtful.
        return tuple(
            finish(resting_place=place if doubt is None else None)
            for finish, place, doubt in zip(self.finished, places, self.doubts, strict=True)
            if finish is not None
        )

    def _keep_last_iterates(self, codes: OutcomeCodes, step: int, gradient: Array) -> None:
        """Keep the iterates at which runs end.

        Args:
            codes: for each run that is still going, an index into `OUTCOMES`, or `RUNNING`.
            step: the number of the iterate.
            gradient: ∇f, `(runs, dimension)`.
        """
        ended: Mask = codes != RUNNING
        runs, last = self.going[ended], self.last
        last.x[runs], last.value[runs], last.gradient[runs] = self.x[ended], self.value[ended], gradient[ended]
        last.steps[runs], last.best_value[runs] = step, self.best_value[ended]
        last.is_lost[runs] = IS_LOST[codes[ended]]

    def _vet(self, step: int, gradient: Array, codes: OutcomeCodes | None) -> OutcomeCodes | None:
        """Compare the derivatives with central differences, at steps 0, 1, 2, 4, 8, … and at the end of each run.

        If the derivatives are differences themselves, only the first and the last iterate are checked, for kinks and jumps.

        The evaluations are not counted. A run whose derivatives are wrong at its start fails, and so does a run that seems to
        converge where they are wrong. If they are wrong elsewhere, the run gets a remark.

        Args:
            step: the number of the iterate.
            gradient: ∇f, `(runs, dimension)`.
            codes: the outcomes of the runs that end here, as `StoppingState.check` returns them.

        Returns:
            The outcomes, in which the runs that fail here are marked as failed.
        """
        objective, backend = self.evaluator.objective, self.evaluator.backend
        if self.vetting is None:
            self.vetting = Vetting.of(objective, backend, self.optimizer, self.x)
        if not self.vetting.quantities:
            return codes
        # After a kink or a small error, the search for a wrong derivative goes on.
        rows: Mask = ~self.is_wrong[self.going]
        if step & (step - 1) or (step and self.vetting.only_kinks):
            rows &= False if codes is None else codes != RUNNING
        converged = np.zeros(len(rows), dtype=bool)
        if codes is not None and self.stopping is not None:
            converged = (codes == OUTCOMES.index(Outcome.CONVERGED)) & ~self.stopping.within_gap(self.value)
        rows |= converged
        if not rows.any():
            return codes
        doubts = self.vetting.doubts(take_rows(objective, rows), take_rows(backend, rows), self.x[rows], gradient[rows])
        for row, doubt in zip(np.flatnonzero(rows).tolist(), doubts, strict=True):
            run = self.going[row]
            if doubt is None or not (doubt.wrong or self.doubts[run] is None):
                continue
            self.doubts[run] = replace(doubt, text=f"at step {step:,}, {doubt.text}")
            self.is_wrong[run] = doubt.wrong
            if doubt.wrong and (step == 0 or converged[row]):
                codes = np.full(len(self.going), RUNNING, np.int8) if codes is None else codes.copy()
                codes[row] = OUTCOMES.index(Outcome.FAILED)
        return codes

    def _finish_runs(self, codes: OutcomeCodes, step: int, failure: Failure = NO_FAILURE) -> None:
        """Finish the recording of the runs that end at iterate number `step`, and prepare their trajectories.

        Args:
            codes: for each run that is still going, an index into `OUTCOMES`, or `RUNNING`. The code changes if the behaviour
                shows that the run has diverged.
            step: the number of the iterate.
            failure: the exception that ended the run, in words.
        """
        ended: Mask = codes != RUNNING
        self.recorder.end(ended)
        behaviours: list[Behaviour | None] = [None] * int(ended.sum())
        if self.stopping is not None and self.behaviour is not None:
            chunks = [self.recorder.chunks[run] for run in self.going[ended].tolist()]
            behaviours = self.behaviour.judge(ended, codes, self.stopping.was_growing(), chunks)
        counts = {name: count[ended].tolist() for name, count in self.evaluator.counts.totals().items()}
        # A run whose f was growing when its steps were used up has diverged, although no stopping rule says so.
        for run, behaviour in zip(np.flatnonzero(ended), behaviours, strict=True):
            if behaviour == Behaviour.DIVERGING and codes[run] == OUTCOMES.index(Outcome.MAX_STEPS):
                codes[run] = OUTCOMES.index(Outcome.DIVERGED)
        outcomes: list[int] = codes[ended].tolist()
        final_values, gradient_norms = self.value[ended].tolist(), self.gradient_norm[ended].tolist()
        best_values, best_steps = self.best_value[ended].tolist(), self.best_step[ended].tolist()
        for row, run in enumerate(self.going[ended].tolist()):
            outcome, doubt = OUTCOMES[outcomes[row]], self.doubts[run]
            remark = "" if doubt is None else doubt.text
            why = failure
            if doubt is not None and outcome == Outcome.FAILED and failure == NO_FAILURE:
                why = Failure(remark, type(self.evaluator.backend).__name__, doubt.quantity)
            self.finished[run] = functools.partial(
                Trajectory,
                identity=self.batch.identities[run],
                outcome=outcome,
                error=why.error,
                steps=step,
                evaluations=Evaluations(counts["value"][row], counts["gradient"][row], counts["hessian"][row]),
                final_value=final_values[row],
                final_gradient_norm=gradient_norms[row],
                best_value=best_values[row] if best_values[row] < np.inf else np.nan,
                best_step=best_steps[row],
                seconds=self.seconds,
                chunks=tuple(self.recorder.chunks[run]),
                behaviour=behaviours[row],
                failed_plugin=why.plugin,
                failed_method=why.method,
                failed_place=why.place,
                traceback=why.traceback,
                remark=remark,
            )

    def _keep(self, rows: Mask) -> None:
        """Continue with some of the runs.

        Raises:
            WrongResult: the optimizer's memory cannot be cut, because an array in it does not have a row for each run.
        """
        runs = len(self.going)
        if array_without_rows(self.memory, runs) is not None:
            raise WrongResult(f"{type(self.optimizer).__name__}.step {CONSTANT_IN_MEMORY}", self.optimizer, "step")
        self.memory = take_memory(self.memory, rows, runs)
        self.optimizer = take_rows(self.optimizer, rows)
        self.going = self.going[rows]
        self.x = read_only(self.x[rows])
        self.value, self.gradient_norm = self.value[rows], self.gradient_norm[rows]
        self.best_value, self.best_step = self.best_value[rows], self.best_step[rows]
        states: tuple[Evaluator | StoppingState | BehaviourState | None, ...] = (self.evaluator, self.stopping, self.behaviour)
        for state in states:
            if state is not None:
                state.keep(rows)
