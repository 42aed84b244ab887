"""The known minima of a grid's objectives, with the curvature there. They are stored, and the report reads them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from runner.analysis.curvature import hessian_spectrum
from runner.contracts.arrays import Array
from runner.contracts.gradient_backend import ComputesHessian, GradientBackend
from runner.contracts.objective import Minimum, Objective, known_minimum
from runner.engine.evaluation import Evaluator
from runner.errors import describe
from runner.experiment.model import Landmark
from runner.registry.setting import Setting

LARGEST_SPECTRUM = 200
"""The largest dimension in which the eigenvalues of a Hessian are computed."""


def minimum_of(objective: Objective) -> Minimum | None:
    """Return the known minimum of an objective, as numbers; None if it states no minimum.

    Raises:
        ValueError: the minimum is not as the contract requires, or reading it raises an exception.
    """
    try:
        minimum = known_minimum(objective)
        if minimum is None:
            return None
        x = np.array(minimum.x, dtype=np.float64).reshape(-1)
        value = np.asarray(minimum.value, dtype=np.float64).reshape(-1)[0].item()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise ValueError(describe(error)) from error
    if len(x) != objective.dimension:
        raise ValueError(f"it has {len(x)} coordinates, and the objective has dimension {objective.dimension}")
    if not math.isfinite(value):
        raise ValueError(f"its value must be a finite number, not {value}; leave minimum out where it is unknown")
    return Minimum(x, value)


def landmarks(minima: Mapping[Setting, Minimum], gradients: Sequence[Setting]) -> tuple[dict[Setting, Landmark], list[str]]:
    """Return the known minima with the curvature there, and a warning for each curvature that cannot be computed.

    Args:
        minima: the known minimum of each objective that states one.
        gradients: the gradient backends; the first backend that can compute the Hessian of an objective is used.
    """
    marks, warnings = {}, []
    for objective, minimum in minima.items():
        curvature, x = None, minimum.x
        try:
            with np.errstate(all="ignore"):
                curvature = _curvature(cast(Objective, objective.plugin), x, gradients)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            warnings.append(f"objective {objective.name}: the curvature at its minimum is not known: {describe(error)}")
        marks[objective] = Landmark(cast(float, minimum.value), x, curvature)
    return marks, list(dict.fromkeys(warnings))


def _curvature(objective: Objective, x: Array, gradients: Sequence[Setting]) -> tuple[float, float] | None:
    """Return the smallest and the largest eigenvalue of the Hessian at x.

    The result is None if no backend computes the Hessian, or if x has more than `LARGEST_SPECTRUM` coordinates.
    """
    if len(x) > LARGEST_SPECTRUM:
        return None
    for setting in gradients:
        backend = cast(GradientBackend, setting.plugin)
        if isinstance(backend, ComputesHessian) and backend.refusal(objective, "hessian") is None:
            return hessian_spectrum(Evaluator(objective, backend, 1).hessian(x[None, :])[0])
    return None
