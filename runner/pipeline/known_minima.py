"""The known minima of a grid's objectives, with the curvature there. They are stored, and the report reads them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import numpy as np

from runner.analysis.curvature import hessian_spectrum
from runner.contracts.arrays import Array
from runner.contracts.gradient_backend import ComputesHessian, GradientBackend
from runner.contracts.objective import Objective, known_minimum
from runner.engine.evaluation import Evaluator
from runner.errors import PluginError
from runner.experiment.model import Landmark, Run
from runner.registry.setting import Setting

LARGEST_SPECTRUM = 200
"""The largest dimension in which the eigenvalues of a Hessian are computed."""


def landmarks(runs: Sequence[Run], gradients: Sequence[Setting]) -> dict[Setting, Landmark]:
    """Return the known minima of the objectives of some runs.

    Args:
        runs: the runs.
        gradients: the gradient backends; the first backend that can compute the Hessian of an objective is used.

    Raises:
        PluginError: an objective's minimum is not as the contract requires.
    """
    marks = {}
    for objective in dict.fromkeys(run.objective for run in runs):
        try:
            function = cast(Objective, objective.plugin)
            if (minimum := known_minimum(function)) is not None:
                x = np.array(minimum.x, dtype=np.float64).reshape(-1)
                if len(x) != function.dimension:
                    raise ValueError(f"it has {len(x)} coordinates, and the objective has dimension {function.dimension}")
                value = np.asarray(minimum.value, dtype=np.float64).reshape(-1)[0].item()
                if not math.isfinite(value):
                    raise ValueError(f"its value must be a finite number, not {value}; leave minimum out where it is unknown")
                with np.errstate(all="ignore"):
                    marks[objective] = Landmark(value, x, _curvature(function, x, gradients))
        except Exception as error:
            why = str(error) if isinstance(error, ValueError | PluginError) else f"{type(error).__name__}: {error}"
            raise PluginError(f"objective {objective.name}: its minimum cannot be used: {why}") from error
    return marks


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
