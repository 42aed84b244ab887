"""The one loop: evaluate, record, stop, step.

The runs of a batch advance together as arrays `(runs, dimension)`; those that end leave it. A batch whose plugins are not
batch-safe is run one run at a time, and one run's exception never takes its neighbours down.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.contracts.arrays import Array, norm
from runner.contracts.executor import sign_of_life
from runner.contracts.objective import known_minimum
from runner.contracts.optimizer import Mask, Memory
from runner.contracts.outcomes import OUTCOMES, Behaviour, Outcome
from runner.engine.batch import Batch, take_rows
from runner.engine.batch_safety import ROWLESS, difference_from_alone, raised
from runner.engine.behaviour import BehaviourState
from runner.engine.evaluation import EvaluatedPoint, Evaluator, read_only, take_step
from runner.engine.optimizer_memory import take_memory, without_rows
from runner.engine.plugin_errors import describe
from runner.engine.recording import Recorder
from runner.engine.stopping import RUNNING, StoppingState
from runner.engine.trajectories import Descent, Evaluations, Trajectory
from runner.errors import PluginError


def descend(batch: Batch) -> Descent:
    """Compute a batch: every run to its end, whatever that is."""
    with np.errstate(all="ignore"):
        if len(batch) == 1:
            return Descent(_Loop(batch).run())
        trouble = difference_from_alone(batch)
        if trouble is None:
            try:
                return Descent(_Loop(batch).run())
            except (Exception, SystemExit) as error:
                trouble = raised(batch, error)
        singles = [_Loop(batch.only([row])).run() for row in range(len(batch))]
        trajectories = tuple(itertools.chain.from_iterable(singles))
        return Descent(trajectories, (trouble.warning(trajectories),))


def lost(batch: Batch, reason: str, timed_out: bool) -> Descent:
    """Return what is known of runs whose computation ended from outside: nothing but why."""
    outcome = Outcome.TIMEOUT if timed_out else Outcome.FAILED
    nothing = (Evaluations(0, 0, 0), np.nan, np.nan, np.nan, 0, 0.0, ())
    return Descent(tuple(Trajectory(identity, outcome, reason, 0, *nothing) for identity in batch.identities))


@dataclass
class _Latest:
    """Where the runs that are still going stand."""

    value: Array
    gradient_norm: Array
    best_value: Array
    best_step: Array

    def keep(self, rows: Mask) -> None:
        for name, column in vars(self).items():
            setattr(self, name, column[rows])


class _Loop:
    def __init__(self, batch: Batch) -> None:
        runs, dimension = batch.start.shape
        self.batch = batch
        self.optimizer = batch.optimizer
        self.evaluator = Evaluator(batch.objective, batch.gradient, runs)
        self.recorder = Recorder(runs, dimension, batch.rules)
        self.trajectories: list[Trajectory | None] = [None] * runs
        self.going = np.arange(runs)
        self.x = read_only(batch.start)
        self.previous: Array | None = None
        self.memory: Memory = None
        self.stopping: StoppingState | None = None
        self.moving: BehaviourState | None = None
        self.latest = _Latest(np.full(runs, np.nan), np.full(runs, np.nan), np.full(runs, np.inf), np.zeros(runs, np.int64))
        self.sign_of_life = sign_of_life.get()
        self.seconds = 0.0
        self.clock = time.perf_counter()

    def run(self) -> tuple[Trajectory, ...]:
        step = 0
        try:
            self.memory = self.optimizer.init(self.x)
            while True:
                point = self._visit(step)
                if point is None:
                    break
                x, self.memory = take_step(self.optimizer, point, self.memory)
                self.previous, self.x = self.x, x
                step += 1
        except (Exception, SystemExit) as error:
            if len(self.batch) > 1:
                raise
            failed = np.full(len(self.going), OUTCOMES.index(Outcome.FAILED))
            self._leave(max(0, self.recorder.iterates - 1), failed, describe(error))
        return tuple(trajectory for trajectory in self.trajectories if trajectory is not None)

    def _visit(self, step: int) -> EvaluatedPoint | None:
        """Evaluate and record the iterate, let the runs leave that have ended; None if none goes on."""
        value, gradient = self.evaluator.value_and_gradient(self.x)
        gradient_norm = norm(gradient)
        self.recorder.record(self.x, value, gradient_norm, gradient)
        latest = self.latest
        latest.value, latest.gradient_norm = value, gradient_norm
        better = value < latest.best_value
        np.copyto(latest.best_value, value, where=better)
        np.copyto(latest.best_step, step, where=better)
        if self.stopping is None or self.moving is None:
            minimum = self._minimum(value)
            self.stopping = StoppingState.at_start(self.batch.rules.stop, value, minimum)
            self.moving = BehaviourState(self.batch.rules.stop, minimum, value, gradient, gradient_norm, self.x)
        else:
            self.moving.observe(step, value, gradient, gradient_norm, self.x)
        self._tick()
        self.sign_of_life()
        codes = self.stopping.check(step, value, gradient_norm, self.x, self.previous, self.seconds)
        if codes is not None and (codes != RUNNING).any():
            going = codes == RUNNING
            self._leave(step, codes, "")
            value, gradient = value[going], gradient[going]
        return EvaluatedPoint(self.evaluator, self.x, value, gradient) if len(self.going) else None

    def _minimum(self, value: Array) -> Array | None:
        minimum = None if self.batch.rules.stop.gap is None else known_minimum(self.batch.objective)
        if minimum is None:
            return None
        return np.broadcast_to(np.asarray(minimum.value, dtype=np.float64).ravel(), value.shape)

    def _tick(self) -> None:
        """Give each run that is still going its share of the time since the last tick."""
        now = time.perf_counter()
        self.seconds += (now - self.clock) / len(self.going)
        self.clock = now

    def _leave(self, step: int, codes: Any, error: str) -> None:
        ended: Mask = codes != RUNNING
        totals = {name: counts[ended].tolist() for name, counts in self.evaluator.counts.totals().items()}
        latest = (column[ended].tolist() for column in vars(self.latest).values())
        behaviours = self._behaviours(ended, codes)
        self.recorder.end(ended)
        rows = zip(self.going[ended].tolist(), codes[ended].tolist(), behaviours, *latest, *totals.values(), strict=True)
        for run, code, behaviour, value, gradient_norm, best_value, best_step, *counts in rows:
            self.trajectories[run] = Trajectory(
                identity=self.batch.identities[run],
                outcome=OUTCOMES[code],
                error=error,
                steps=step,
                evaluations=Evaluations(*counts),
                final_value=value,
                final_gradient_norm=gradient_norm,
                best_value=best_value if best_value < np.inf else np.nan,
                best_step=best_step,
                seconds=self.seconds,
                chunks=tuple(self.recorder.chunks[run]),
                behaviour=behaviour,
            )
        if not ended.all():
            self._compact(~ended)
        else:
            self.going = self.going[:0]

    def _behaviours(self, ended: Mask, codes: Any) -> list[Behaviour | None]:
        if self.stopping is None or self.moving is None:
            return [None] * int(ended.sum())
        return self.moving.judge(ended, codes, self.stopping.rises_at_the_end())

    def _compact(self, rows: Mask) -> None:
        runs = len(self.going)
        if without_rows(self.memory, runs) is not None:
            raise PluginError(f"{type(self.optimizer).__name__}.step {ROWLESS}")
        self.going = self.going[rows]
        self.x = read_only(self.x[rows])
        self.previous = None
        self.memory = take_memory(self.memory, rows, runs)
        self.optimizer = take_rows(self.optimizer, rows)
        self.evaluator.keep(rows)
        self.latest.keep(rows)
        if self.stopping is not None and self.moving is not None:
            self.stopping.keep(rows)
            self.moving.keep(rows)
