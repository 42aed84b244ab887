"""Optimizers, and the point that an optimizer sees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from runner.contracts.arrays import Array
from runner.contracts.plugin import Plugin, Quantity

Memory = Any
"""The state that an optimizer keeps between steps: arrays with a leading axis of runs, in tuples, lists or dictionaries."""
Mask = NDArray[np.bool_]
"""A boolean array of shape `(runs,)`, which selects runs."""


class Point(ABC):
    """The current iterate, and the objective and its derivatives there.

    Each quantity is computed and counted when it is first read. Then it is kept.
    """

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
        """Return the point at other coordinates, for example for a line search.

        Args:
            x: the other coordinates, `(runs, dimension)`.
            where: True for the runs whose values are needed, `(runs,)`; None for all. Only these runs are counted, and the
                values of the other runs have no meaning.
        """


class Optimizer(Plugin, ABC):
    """A rule that moves from one iterate to the next.

    Attributes:
        needs: the derivatives that it reads from a point. Combinations in which the gradient backend or the objective
            cannot provide all of them are skipped before anything runs.
    """

    needs: ClassVar[tuple[Quantity, ...]] = ("gradient",)

    def init(self, x: Array) -> Memory:
        """Return the memory for the first step, given the start `(runs, dimension)`.

        Memory is an array with a row for each run, or a tuple, list or dict of such arrays. The engine removes the rows of
        finished runs from these arrays. A value that is not an array, such as a number of steps, is shared by all runs. An array
        without a row for each run belongs in the plugin: if the engine finds such an array in memory, it computes the batch one
        run at a time.
        """
        return ()

    @abstractmethod
    def step(self, point: Point, memory: Memory) -> tuple[Array, Memory]:
        """Return the next iterate, `(runs, dimension)`, and the memory for the next step."""
