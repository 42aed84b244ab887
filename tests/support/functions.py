"""Objectives made from functions, ready to be inspected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runner import Objective
from runner.inspection.inspected_objective import InspectedObjective, with_every_backend
from runner.registry.registry import Registry
from runner.registry.setting import Setting

REGISTRY = Registry()
Function = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class FromFunction(Objective):
    """An objective made from a function."""

    function: Function
    coordinates: int

    @property
    def dimension(self) -> int:
        """The number of coordinates."""
        return self.coordinates

    def value(self, x):
        """Return f."""
        return self.function(x)


def inspected(function: Function, dimension: int) -> InspectedObjective:
    """Return the objective with every gradient backend; the function maps `(points, dimension)` to `(points,)`."""
    setting = Setting("objective", "labelled", FromFunction(function, dimension), {}, "", "", "", {})
    return with_every_backend(setting, REGISTRY)


def one(function: Function) -> Function:
    """Return a function of one coordinate as a function of points."""
    return lambda x: function(x[..., 0])
