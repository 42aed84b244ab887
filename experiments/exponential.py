"""A convex function without a minimum."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

import runner


@dataclass(frozen=True)
class Exponential(runner.Objective):
    """f(x) = exp(x), for one coordinate x. It is convex. It decreases towards 0 as x decreases, and has no minimum."""

    dimension = 1

    def value(self, x: runner.Array) -> runner.Array:
        """Return exp(x)."""
        value: runner.Array = np.exp(x[..., 0])
        return value

    def gradient(self, x: runner.Array) -> runner.Array:
        """Return exp(x)."""
        gradient: runner.Array = np.exp(x)
        return gradient

    def hessian(self, x: runner.Array) -> runner.Array:
        """Return exp(x)."""
        hessian: runner.Array = np.exp(x)[..., None]
        return hessian


@runner.hookimpl
def runner_objectives() -> Mapping[str, type[runner.Objective]]:
    """Offer the exponential function."""
    return {"exponential": Exponential}
