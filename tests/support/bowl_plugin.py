"""The plugin file of a simple objective, and changes to it."""

from __future__ import annotations

BOWL = '''\
import os
import time
from dataclasses import dataclass
import numpy as np
import runner

@dataclass(frozen=True)
class Bowl(runner.Objective):
    """f(x) = s Σ xᵢ²."""
    s: float = runner.parameter(1.0, above=0, doc="steepness")
    dimension = 2
    def value(self, x):
        return (self.s * x * x).sum(axis=-1)

@runner.hookimpl
def runner_objectives():
    return {"test_bowl": Bowl}
'''
VALUE = "return (self.s * x * x).sum(axis=-1)"


def changed(*changes: str) -> str:
    source = BOWL
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        assert old in source
        source = source.replace(old, new)
    return source
