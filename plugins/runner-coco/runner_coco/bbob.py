"""The 24 noiseless functions of the BBOB test bed, as COCO computes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
from cocoex import BareProblem

from runner import Array, Minimum, Objective, hookimpl, parameter

FUNCTIONS = 24


@dataclass(frozen=True)
class Bbob(Objective):
    """f(x) = g(T(x − x*)) + f*: one of the 24 functions of the BBOB test bed. The instance decides x*, f* and the rotations in T.

    Functions 1–5 are separable, 6–9 have a low or moderate condition number, and 10–14 are ill-conditioned with one optimum.
    Functions 15–19 are multimodal with a global structure, and 20–24 are multimodal with a weak global structure. Function 1 is
    the sphere, f(x) = ‖x − x*‖² + f*; 8 and 9 are Rosenbrock's, 15 Rastrigin's, 19 Griewank's with Rosenbrock's, 20 Schwefel's,
    21 and 22 Gallagher's peaks, 23 Katsuura's, 24 Lunacek's.

    COCO computes f and knows x* and f*, but no derivatives, so use the gradient backend finite_difference. Starts and minima lie
    within (−5, 5). Not all functions are differentiable everywhere, and function 7 is a staircase.

    Source: Hansen, Finck, Ros and Auger, Real-parameter black-box optimization benchmarking 2009: noiseless functions
    definitions, INRIA RR-6829 (2009); Hansen et al., COCO: a platform for comparing continuous optimizers in a black-box setting,
    Optimization Methods and Software 36 (2021) 114–144, doi:10.1080/10556788.2020.1808977.
    """

    function: int = parameter(1, at_least=1, at_most=FUNCTIONS, doc="number of the function")
    dimension: Literal[2, 3, 5, 10, 20, 40] = parameter(2, doc="number of coordinates")
    instance: int = parameter(1, at_least=1, doc="instance, which decides x*, f* and rotations; those of 2009 are 1 to 5")

    @property
    def start_region(self) -> tuple[float, float]:
        """From −5 to 5."""
        return -5.0, 5.0

    @property
    def minimum(self) -> Minimum:
        """x* and f*."""
        return Minimum(np.array(self._problem.best_parameter()), float(self._problem.best_value()))

    def value(self, x: Array) -> Array:
        """Return f at each row, computed by one call of COCO for all rows."""
        return np.asarray(self._problem(np.array(x, order="C")))  # COCO does not accept read-only arrays.

    @cached_property
    def _problem(self) -> Any:
        if not 1 <= self.function <= FUNCTIONS:  # For any other number, COCO would end the process.
            raise ValueError(f"function must be from 1 to {FUNCTIONS}, not {self.function}")
        return BareProblem("bbob", self.function, self.dimension, self.instance)

    def __getstate__(self) -> dict[str, Any]:
        """Return the state without COCO's problem object, which cannot be pickled and is created again when it is needed."""
        return {field.name: getattr(self, field.name) for field in fields(cast(Any, self))}


@hookimpl
def runner_objectives() -> Mapping[str, type[Objective]]:
    """Offer the BBOB functions."""
    return {"bbob": Bbob}
