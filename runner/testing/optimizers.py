"""The checks of an optimizer, on a bowl."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.optimizer import Mask, Memory, Optimizer, Point
from runner.engine.batch import take_rows
from runner.engine.evaluation import EvaluatedPoint, Evaluator
from runner.engine.optimizer_memory import array_without_rows, same_row, take_memory
from runner.testing.check import Check, Failure, Skip, call_on_batch, check_array, fail_unless, make_checks, same_bits
from runner.testing.declarations import declaration_checks, not_batch_safe_in_sweep, swept_variants
from runner.testing.functions import REPETITIONS, RUNS
from runner.testing.samples import BOTTOM, Bowl, OwnDerivatives

STEPS = 10_000
FEW_STEPS = 6
REPEATED_STEPS = 50
"""The number of steps that are computed twice, to check that an optimizer is reproducible."""
CONVERGED = 0.01
NEEDS_OF_MEMBERS = {"hessian": "hessian", "jacobian": "jacobian", "residuals": "jacobian"}
"""The members of a point that cost more than a gradient, each with the need that an optimizer must declare for it."""


def checks_of(optimizer: Optimizer, steps: int = STEPS) -> list[Check]:
    """Return the checks of an optimizer, in their order."""
    suite = _OptimizerSuite(optimizer, steps)
    return make_checks(
        ("shapes", suite.shapes, ("validate",)),
        ("purity", suite.purity, ("shapes",)),
        ("needs", suite.needs, ("shapes",)),
        ("batch", suite.batch, ("purity",)),
        ("sweeps", suite.sweeps, ("batch",)),
        ("memory", suite.memory, ("batch",)),
        ("convergence", suite.convergence, ("purity",)),
        first=declaration_checks(optimizer),
    )


class _ObservedPoint(EvaluatedPoint):
    """A point that notes the members that an optimizer uses."""

    used: set[str]

    def __getattribute__(self, name: str) -> Any:
        if name in NEEDS_OF_MEMBERS:
            self.used.add(name)
        return super().__getattribute__(name)

    def at(self, x: Array, where: Mask | None = None) -> Point:
        elsewhere = _ObservedPoint(self._evaluator, x, where=where)
        elsewhere.used = self.used
        return elsewhere


class _OptimizerSuite:
    """The bodies of the checks of one optimizer."""

    def __init__(self, optimizer: Optimizer, steps: int) -> None:
        self.optimizer = optimizer
        self.steps = steps
        self.name = type(optimizer).__name__
        self.start = BOTTOM + np.random.default_rng(0).uniform(-1.0, 1.0, (RUNS, 2))

    def shapes(self) -> None:
        def last(start: Array) -> Array:
            (*_, x) = _iterates(self.name, self.optimizer, start, FEW_STEPS, pure=False)
            return x

        call_on_batch(f"{self.name}.step", last, self.start)

    def purity(self) -> None:
        self._repetition(REPEATED_STEPS)

    def _repetition(self, steps: int) -> None:
        """Compute the first steps of a batch twice, and those of a run alone, and check that the bits are the same."""
        for start in (self.start, self.start[:1]):
            twice = [list(_iterates(self.name, self.optimizer, start, steps)) for _ in range(2)]
            fail_unless(
                all(map(same_bits, *twice)),
                f"{self.name} computes different iterates when its first {steps} steps are computed twice: keep all state in the "
                "memory, and draw random numbers from a generator that a parameter seeds",
            )

    def needs(self) -> None:
        used: set[str] = set()
        for _ in _iterates(self.name, self.optimizer, self.start, FEW_STEPS, used=used):
            pass
        for member in sorted(used):
            need = NEEDS_OF_MEMBERS[member]
            fail_unless(
                need in self.optimizer.needs,
                f"{self.name} uses point.{member}, but its needs are {self.optimizer.needs}: write needs = "
                f'("gradient", "{need}"), so that combinations that cannot compute it are skipped',
            )

    def batch(self) -> None:
        together = list(_iterates(self.name, self.optimizer, self.start, FEW_STEPS))
        for row in range(RUNS):
            alone = _iterates(self.name, self.optimizer, self.start[row : row + 1], FEW_STEPS)
            fits = all(same_bits(x[row : row + 1], single) for x, single in zip(together, alone, strict=True))
            for _ in range(0 if fits else REPETITIONS):
                self._repetition(FEW_STEPS)
            fail_unless(fits, f"{self.name} is not batch-safe: the iterates of a run alone differ from those of the same run in "
                          f"a batch of {RUNS}")  # fmt: skip

    def sweeps(self) -> None:
        columns = list(swept_variants(self.optimizer, RUNS))
        if not columns:
            raise Skip("because it has no float parameter that a sweep could vary")
        for key, swept, singles in columns:
            try:
                together = list(_iterates(self.name, swept, self.start, FEW_STEPS))
            except Exception as error:
                raise Failure(f"{self.name}.step raises {type(error).__name__} if {key} is swept: {error}") from error
            for row, single in enumerate(singles):
                alone = _iterates(self.name, single, self.start[row : row + 1], FEW_STEPS)
                fits = all(same_bits(x[row : row + 1], one) for x, one in zip(together, alone, strict=True))
                fail_unless(fits, not_batch_safe_in_sweep(self.name, key))

    def memory(self) -> None:
        """Check that each run has its own rows of the memory, and keeps them when other runs leave the batch."""
        together = self._memories(self.start)
        for row in range(RUNS):
            alone = self._memories(self.start[row : row + 1])
            fits = all(map(same_row, together, itertools.repeat(row), alone))
            fail_unless(
                fits,
                f"{self.name} keeps different numbers in its memory for a run alone than for the same run in a batch of {RUNS}",
            )

        stay = np.arange(len(self.start)) % 2 == 0
        whole = [x[stay] for x in _iterates(self.name, self.optimizer, self.start, 8)]
        lost = (
            f"{self.name} loses its memory when other runs leave the batch: memory must be an array with a leading axis of runs, "
            "or a tuple, list or dict of such arrays"
        )
        for step in (1, 3):
            try:
                iterates = _iterates(self.name, self.optimizer, self.start, 8, (step, stay))
                shrunk = [x[stay] if len(x) == len(self.start) else x for x in iterates]
            except Exception as error:
                raise Failure(lost) from error
            fail_unless(all(map(same_bits, whole, shrunk)), lost)

    def _memories(self, start: Array) -> list[Memory]:
        """Return the memory after each of the first steps, and check that each of its arrays has a row for each run."""
        runs = len(start)
        kept: list[Memory] = []
        for _ in _iterates(self.name, self.optimizer, start, FEW_STEPS, kept=kept):
            array, count = array_without_rows(kept[-1], runs), f"{runs} run{'s' * (runs > 1)}"
            fail_unless(
                array is None,
                f"{self.name} keeps an array of shape {np.shape(array)} in its memory for {count}: it must have a row for each "
                "run; keep constants in the plugin",
            )
        return kept

    def convergence(self) -> str:
        value = Bowl().value
        goal = CONVERGED * value(self.start)
        lowest = np.full(len(self.start), np.inf)
        for step, x in enumerate(_iterates(self.name, self.optimizer, self.start, self.steps), 1):
            lowest = np.fmin(lowest, value(x))
            if (lowest <= goal).all():
                return f"f falls to a hundredth of its first value on a bowl within {step} step{'s' * (step > 1)}"
        raise Failure(
            f"{self.name} does not converge on the bowl of runner.testing: within {self.steps} steps f falls only from "
            f"{value(self.start)} to {lowest}"
        )


def _iterates(
    name: str,
    optimizer: Optimizer,
    start: Array,
    steps: int,
    leave: tuple[int, Mask] | None = None,
    used: set[str] | None = None,
    kept: list[Memory] | None = None,
    pure: bool = True,
) -> Iterator[Array]:
    """Yield the iterates of an optimizer on the bowl, `(runs, 2)`, after each step.

    Args:
        name: the name of the optimizer's class, for the messages.
        optimizer: the optimizer.
        start: the starts of the runs, `(runs, 2)`.
        steps: the number of steps.
        leave: the number of a step, and the mask of the runs that stay in the batch from this step on.
        used: a set to which the used members of points are added.
        kept: a list to which the memory after each step is appended.
        pure: True if writing into point.x is a failure.

    Raises:
        Failure: a step returns a result of another form, or writes into point.x.
    """
    x, evaluator = start.copy(), Evaluator(Bowl(), OwnDerivatives(), len(start))
    memory = optimizer.init(x)
    for step in range(steps):
        if leave is not None and step == leave[0]:
            memory = take_memory(memory, leave[1], len(x))
            optimizer, x = take_rows(optimizer, leave[1]), x[leave[1]]
            evaluator.keep(leave[1])
        before = x.copy()
        point = _ObservedPoint(evaluator, x)
        point.used = set() if used is None else used
        result: Any = optimizer.step(point, memory)
        pair = isinstance(result, tuple) and len(result) == 2
        fail_unless(pair, f"{name}.step must return the next iterate and the memory, as in return x, memory")
        after, memory = result
        fail_unless(not pure or same_bits(x, before), f"{name}.step writes into point.x; return a new array")
        check_array(f"{name}.step", after, x.shape, x)
        if kept is not None:
            kept.append(memory)
        x = np.ascontiguousarray(after)
        yield x
