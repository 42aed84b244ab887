"""Optimizers, and the point at which an optimizer stands."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from runner.contracts.arrays import Array
from runner.contracts.plugin import Plugin, Quantity

if TYPE_CHECKING:
    pass


Memory = Any
"""The state that an optimizer keeps between steps: arrays with a leading axis of runs, in tuples, lists or dictionaries."""
Mask = NDArray[np.bool_]
"""A boolean array of shape `(runs,)`, which selects runs."""


class Point(ABC):
    """Where an optimizer stands, and what it may ask there. Each answer is computed once, when first asked, and counted."""

    @property
    @abstractmethod
    def x(self) -> Array:
        """The iterate, `(runs, dimension)`; read-only."""

    @property
    @abstractmethod
    def value(self) -> Array:
        """f(x), `(runs,)`."""

    @property
    @abstractmethod
    def gradient(self) -> Array:
        """∇f(x), `(runs, dimension)`."""

    @property
    @abstractmethod
    def hessian(self) -> Array:
        """∇²f(x), `(runs, dimension, dimension)`."""

    @property
    @abstractmethod
    def residuals(self) -> Array:
        """r(x) of a least-squares objective, `(runs, residuals)`."""

    @property
    @abstractmethod
    def jacobian(self) -> Array:
        """∂r/∂x of a least-squares objective, `(runs, residuals, dimension)`."""

    @abstractmethod
    def at(self, x: Array, where: Mask | None = None) -> Point:
        """Look elsewhere, as a line search does.

        Args:
            x: where to look, `(runs, dimension)`.
            where: `(runs,)`, True for the runs that need an answer; only these are counted, and the others' answers
                mean nothing.
        """


class Optimizer(Plugin, ABC):
    """A rule that moves from one iterate to the next.

    Attributes:
        needs: what it asks of a point; combinations that cannot give it are skipped before anything runs.
    """

    needs: ClassVar[tuple[Quantity, ...]] = ("gradient",)

    def init(self, x: Array) -> Memory:
        """Return what the first step finds in `memory`, given the start `(runs, dimension)`.

        Memory is an array with a row for each run, or a tuple, list or dict of such; finished runs are cut out of them.
        Anything in it that is no array (a count of steps, say) is shared by all runs. An array without a row for each run
        belongs into the plugin; the engine notices one in memory, and computes such a batch one run at a time.
        """
        return ()

    @abstractmethod
    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return the next iterate `(runs, dimension)` and the memory for the step after."""
