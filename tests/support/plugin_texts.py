"""Plugin files, as text."""

from __future__ import annotations

VALUE = "return (x * x).sum(axis=-1)"
STEP = "return point.x - self.step_size * point.gradient, memory"
PLUGIN = f'''
from dataclasses import dataclass

from runner import GradientBackend, Minimum, Objective, Optimizer, hookimpl, parameter


@dataclass(frozen=True)
class Bowl(Objective):
    """x²."""

    dimension = 1

    def value(self, x):
        {VALUE}

    def gradient(self, x):
        return 2 * x


@dataclass(frozen=True)
class Walk(Optimizer):
    """Gradient descent."""

    step_size: float = parameter(0.1, above=0)

    def step(self, point, memory):
        {STEP}


@dataclass(frozen=True)
class Back(GradientBackend):
    """The objective's own gradient."""

    def gradient(self, objective, x):
        return objective.gradient(x)


@hookimpl
def runner_objectives():
    return {{"bowl": Bowl}}


@hookimpl
def runner_optimizers():
    return {{"walk": Walk}}


@hookimpl
def runner_gradients():
    return {{"back": Back}}
'''
EXECUTOR = '''
from dataclasses import dataclass

from runner import Executor, hookimpl, parameter


@dataclass(frozen=True)
class Several(Executor):
    """One batch after another."""

    workers: int = parameter(1, at_least=1)

    def map(self, function, items, limit):
        return map(function, items)


@hookimpl
def runner_executors():
    return {"several": Several}
'''
HOOK = 'return {"bowl": Bowl}'
