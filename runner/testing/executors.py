"""The checks of an executor."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from runner.contracts.executor import Executor, Lost
from runner.engine.batch import Batch
from runner.engine.loop import descend
from runner.engine.trajectories import Descent, Trajectory
from runner.experiment.model import Rules, StoppingRules
from runner.testing.check import Check, Failure, fail_unless, make_checks
from runner.testing.declarations import declaration_checks
from runner.testing.samples import BOTTOM, Bowl, OwnDerivatives, PlainDescent

BATCHES = 4


def checks_of(executor: Executor) -> list[Check]:
    """Return the checks of an executor, in their order."""
    suite = _ExecutorSuite(executor)
    return make_checks(
        ("results", suite.results, ("validate",)),
        ("errors", suite.errors, ("results",)),
        ("same bits", suite.same_bits, ("results",)),
        first=declaration_checks(executor),
    )


class _ExecutorSuite:
    """The bodies of the checks of one executor."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.name = type(executor).__name__

    def results(self) -> None:
        for count in (0, 1, 20):
            mapped: Any = self.executor.map(_double, range(count), _unlimited)
            fail_unless(hasattr(mapped, "__iter__"), f"{self.name}.map must yield results, not return {type(mapped).__name__}")
            results = list(mapped)
            expected = [2 * item for item in range(count)]
            complete = len(results) == count and all(each in results for each in expected)
            fail_unless(
                complete,
                f"{self.name}.map must yield {expected}, in any order, for a function that doubles each of {count} items, "
                f"not {results}",
            )

    def errors(self) -> None:
        try:
            results = list(self.executor.map(_fail, range(2), _unlimited))
        except ArithmeticError as error:
            fail_unless("on purpose" in str(error), f"{self.name}.map raises {error!r}, which is not the error of the function")
        except Exception as error:
            raise Failure(f"{self.name}.map raises {type(error).__name__} if the function raises ArithmeticError") from error
        else:
            raise Failure(f"{self.name}.map yields {results} if the function raises ArithmeticError; it must raise that error")

    def same_bits(self) -> None:
        batches = []
        for number in range(BATCHES):
            start = BOTTOM + np.random.default_rng(number).uniform(-1.0, 1.0, (3, 2))
            identities = tuple(f"{number}.{run}" for run in range(len(start)))
            optimizer: Any = PlainDescent(np.array([[0.1], [0.2], [0.3]]))  # type: ignore[arg-type]
            rules = Rules(StoppingRules(max_steps=20), record_x=True)
            batches.append(Batch(identities, Bowl(), OwnDerivatives(), optimizer, start, rules))
        expected = {batch.identities: _without_seconds(descend(batch)) for batch in batches}
        for descent in self.executor.map(descend, batches, _unlimited):
            if isinstance(descent, Lost):
                raise Failure(f"{self.name}.map reports a batch as lost, although this process can compute it: {descent.reason}")
            trajectories = _without_seconds(descent)
            same = trajectories == expected[tuple(trajectory.identity for trajectory in trajectories)]
            fail_unless(same, f"{self.name}.map yields results whose bits differ from those that this process computes")


def _double(item: int) -> int:
    return 2 * item


def _fail(item: int) -> int:
    raise ArithmeticError(f"item {item} fails on purpose")


def _unlimited(item: object) -> None:
    return None


def _without_seconds(descent: Descent) -> tuple[Trajectory, ...]:
    """Return the trajectories without their computing time, and with their chunks as bytes, for a comparison."""
    return tuple(
        dataclasses.replace(
            trajectory,
            seconds=0.0,
            chunks=tuple(dataclasses.replace(chunk, data=bytes(chunk.data)) for chunk in trajectory.chunks),
        )
        for trajectory in descent.trajectories
    )
