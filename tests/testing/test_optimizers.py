"""The checks of an optimizer notice each way to break the contract."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from runner import Array, Memory, Optimizer, Point, parameter
from runner.testing import check_optimizer
from tests.support.broken_plugins import broken


def optimizer(step: Any, init: Any = None) -> Optimizer:
    """Return an optimizer with this step."""
    methods = {"__doc__": "Broken.", "__annotations__": {"rate": float}, "rate": parameter(0.1, above=0), "step": step}
    cls = dataclass(frozen=True)(type("Bad", (Optimizer,), methods | ({"init": init} if init else {})))
    return cls()  # type: ignore[no-any-return]


def momentum(self: Any, point: Point, memory: Memory) -> tuple[Array, Memory]:
    velocity = 0.5 * memory["velocity"] - self.rate * point.gradient
    return point.x + velocity, {"velocity": velocity}


def test_an_optimizer_with_sound_memory_passes() -> None:
    check_optimizer(optimizer(momentum, lambda self, x: {"velocity": np.zeros_like(x)}))


def sums_rows(self: Any, point: Point, memory: Memory) -> tuple[Array, Memory]:
    return point.x - self.rate * point.gradient / len(point.x), memory


def writes_x(self: Any, point: Point, memory: Memory) -> tuple[Array, Memory]:
    x = point.x
    x -= self.rate * point.gradient
    return x, memory


def wanders() -> Any:
    rng = np.random.default_rng(0)
    return lambda self, point, memory: (point.x - self.rate * point.gradient * rng.uniform(), memory)


def remembers_wrongly(self: Any, point: Point, memory: Memory) -> tuple[Array, Memory]:
    # The runs are on the last axis, so the runs that leave the batch are not cut out of the memory.
    velocity = memory.copy()
    velocity[:, : len(point.x)] = 0.5 * velocity[:, : len(point.x)] - (self.rate * point.gradient).T
    return point.x + velocity[:, : len(point.x)].T, velocity


def weighs(self: Any, point: Point, memory: Memory) -> tuple[Array, Memory]:
    return point.x - self.rate * memory * point.gradient, memory


@dataclass
class Hidden:
    """An object from which no row can be taken."""

    scale: Array


@pytest.mark.parametrize(
    ("step", "init", "complaint"),
    [
        (sums_rows, None, "Bad is not batch-safe: the iterates of a run alone differ from those of the same run in a batch of 5"),
        (writes_x, None, "Bad.step writes into point.x; return a new array"),
        (
            lambda self, point, memory: (point.x[0], memory),
            None,
            "Bad.step must return shape (5, 2) for x of shape (5, 2), not (2,)",
        ),
        (
            wanders(),
            None,
            "Bad computes different iterates when its first 50 steps are computed twice: keep all state in the memory, and draw "
            "random numbers from a generator that a parameter seeds",
        ),
        (
            lambda self, point, memory: (point.x - np.max(self.rate) * point.gradient, memory),
            None,
            "Bad is not batch-safe if rate is swept: rate is then a column of shape (runs, 1); combine it with arrays of shape "
            "(runs, n) before they are reduced to (runs,)",
        ),
        (
            remembers_wrongly,
            lambda self, x: np.zeros(x.shape[::-1]),
            "Bad keeps an array of shape (2, 5) in its memory for 5 runs: it must have a row for each run; keep constants in the "
            "plugin",
        ),
        (
            weighs,
            lambda self, x: np.linspace(0.5, 1.0, 2),
            "Bad keeps an array of shape (2,) in its memory for 5 runs: it must have a row for each run; keep constants in the plugin",
        ),
        (
            lambda self, point, memory: (point.x - self.rate * memory[0] * point.gradient, memory),
            lambda self, x: np.linspace(0.5, 1.0, 5),
            "Bad keeps an array of shape (5,) in its memory for 1 run: it must have a row for each run; keep constants in the plugin",
        ),
        (
            lambda self, point, memory: (point.x - self.rate * point.gradient, point.gradient - point.gradient.mean(axis=0)),
            None,
            "Bad keeps different numbers in its memory for a run alone than for the same run in a batch of 5",
        ),
        (
            lambda self, point, memory: (point.x - self.rate * memory.scale, Hidden(point.gradient)),
            lambda self, x: Hidden(np.zeros_like(x)),
            "Bad loses its memory when other runs leave the batch: memory must be an array with a leading axis of runs, or a "
            "tuple, list or dict of such arrays",
        ),
    ],
)
def test_fault_of_an_optimizer_is_named(step: Any, init: Any, complaint: str) -> None:
    assert broken(check_optimizer, optimizer(step, init)) == complaint


def test_optimizer_that_makes_no_progress_is_named() -> None:
    climbs = optimizer(lambda self, point, memory: (point.x + self.rate * point.gradient, memory))
    assert broken(check_optimizer, climbs, steps=50).startswith(
        "Bad does not converge on the bowl of runner.testing: within 50 steps f falls only from ["
    )
