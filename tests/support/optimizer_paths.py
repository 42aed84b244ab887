"""The iterates of an optimizer on a given objective."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from runner import Array, LeastSquares, Mask, Memory, Objective, Optimizer
from runner.engine.batch import take_rows
from runner.engine.evaluation import EvaluatedPoint, Evaluator
from runner.engine.optimizer_memory import take_memory
from runner_plugins.gradients.analytic import Analytic


@dataclass(frozen=True)
class Rosenbrock(LeastSquares):
    """Σ 100 (xᵢ₊₁ − xᵢ²)² + (1 − xᵢ)²; in one dimension (1 − x)²."""

    dimension: int = 2

    def residuals(self, x: Array) -> Array:
        return np.concatenate([10 * (x[:, 1:] - x[:, :-1] ** 2), 1 - x[:, : max(1, self.dimension - 1)]], axis=-1)

    def jacobian(self, x: Array) -> Array:
        bends, ends = self.dimension - 1, max(1, self.dimension - 1)
        jacobian = np.zeros((len(x), bends + ends, self.dimension))
        i = np.arange(bends)
        jacobian[:, i, i + 1] = 10.0
        jacobian[:, i, i] = -20 * x[:, :-1]
        jacobian[:, bends + np.arange(ends), np.arange(ends)] = -1.0
        return jacobian


class Iterates(NamedTuple):
    """The iterates, beginning with the start, and the numbers of evaluations of f, ∇f and ∇²f."""

    x: list[Array]
    counts: Mapping[str, Array]
    memory: Memory


def take_steps(
    objective: Objective, optimizer: Optimizer, start: Any, steps: int, leave: Mapping[int, Mask] | None = None
) -> Iterates:
    """Take some steps. `leave` maps a step to the runs that continue from that step on."""
    x = np.array(start, dtype=np.float64)
    evaluator, memory, xs = Evaluator(objective, Analytic(), len(x)), optimizer.init(x), [x]
    with np.errstate(all="ignore"):
        for step in range(steps):
            if leave and step in leave:
                rows = leave[step]
                memory, optimizer, x = take_memory(memory, rows, len(x)), take_rows(optimizer, rows), x[rows]
                evaluator.keep(rows)
            x.setflags(write=False)
            point = EvaluatedPoint(evaluator, x, *evaluator.value_and_gradient(x))
            x, memory = optimizer.step(point, memory)
            xs.append(x)
    return Iterates(xs, evaluator.counts.totals(), memory)


def point_of(objective: Objective, x: Array) -> EvaluatedPoint:
    evaluator = Evaluator(objective, Analytic(), len(x))
    return EvaluatedPoint(evaluator, x, *evaluator.value_and_gradient(x))


starts = arrays(np.float64, (3, 2), elements=st.floats(-3, 3, allow_subnormal=False))
