"""Plugin files of objectives that offer values and nothing else."""

from __future__ import annotations

STRANGER = '''\
from dataclasses import dataclass
import numpy as np
import runner

@dataclass(frozen=True)
class Mine(runner.Objective):
    """f(x) = |x₁|³ + x₂² − x₁x₂."""
    weight: float = 1.0
    @property
    def dimension(self):
        return 2
    def value(self, x):
        {body}
        return self.weight * (np.abs(x[..., 0]) ** 3 + x[..., 1] ** 2 - x[..., 0] * x[..., 1])

@runner.hookimpl
def runner_objectives():
    return {{"mine": Mine}}
'''
ONE = STRANGER.replace("return 2", "return 1").replace(
    "self.weight * (np.abs(x[..., 0]) ** 3 + x[..., 1] ** 2 - x[..., 0] * x[..., 1])", "{formula}"
)
