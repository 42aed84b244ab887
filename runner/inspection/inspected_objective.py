"""The objective that is inspected, and all that may differentiate it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np

from runner.contracts.arrays import Array, ByRows
from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.kinds import capability_for
from runner.contracts.objective import DrawsStarts, HasGradient, HasStartRegion, Objective, known_minimum
from runner.contracts.plugin import Quantity
from runner.engine.evaluation import Evaluator
from runner.errors import ExperimentError, PluginError, RunnerError
from runner.experiment.overrides import set_parameter
from runner.experiment.reader import read_plugin
from runner.registry.registry import Registry
from runner.registry.setting import Setting

ANALYTIC = "analytic"
PREFERRED = (ANALYTIC, "complex_step")
FINITE_DIFFERENCE = "finite_difference"


@dataclass(frozen=True)
class BackendResult:
    """What one gradient backend says.

    Attributes:
        backend: its name.
        result: the derivatives, for one point; None where it refuses.
        because: why it refuses, beginning with `because`; empty where it does not.
    """

    backend: str
    result: Array | None
    because: str


@dataclass(frozen=True)
class InspectedObjective:
    """An objective with everything on offer that may differentiate it.

    Attributes:
        name: of the objective.
        setting: the objective, made with its parameters.
        backends: the gradient backends by name, the most exact first.
        unusable: why others could not be made, by name.
    """

    name: str
    setting: Setting
    backends: Mapping[str, GradientBackend]
    unusable: Mapping[str, str]

    @property
    def objective(self) -> Objective:
        """The objective itself."""
        return cast(Objective, self.setting.plugin)

    @property
    def dimension(self) -> int:
        """How many coordinates x has."""
        return int(self.objective.dimension)

    @property
    def start_region(self) -> tuple[float, float] | None:
        """Where the objective says that starts make sense, if it does."""
        objective = self.objective
        return objective.start_region if isinstance(objective, HasStartRegion) else None

    def value(self, x: Array) -> float:
        """Return f at one point, `(dimension,)`.

        Raises:
            PluginError: the objective raises, or what it returns is no value.
        """
        with as_plugin_error(f"objective {self.name}"):
            return float(Evaluator(self.objective, NoDerivatives(), 1).value(x[None].copy())[0])

    def values(self, x: Array) -> Array:
        """Return f at many points, `(points, dimension) -> (points,)`, as if at one at a time.

        Raises:
            PluginError: the objective raises, or what it returns are no values.
        """
        self.value(x[0])  # says what is wrong with the shape, if anything is
        with as_plugin_error(f"objective {self.name}"):
            return ByRows(self.objective.value)(x)

    def hessian_scale(self, backend: str, value: float, gradient: Array | None) -> float:
        """Return the size of what a backend takes differences of for ∇²f, if it does: f itself, or first derivatives."""
        if backend == FINITE_DIFFERENCE and not isinstance(self.objective, HasGradient):
            return abs(value)
        return 0.0 if gradient is None else math.hypot(*gradient)

    def answers(self, quantity: Quantity, x: Array) -> tuple[BackendResult, ...]:
        """Ask every backend for a derivative at one point, `(dimension,)`."""
        given = [self._answer(name, backend, quantity, x) for name, backend in self.backends.items()]
        return *given, *(BackendResult(name, None, because) for name, because in self.unusable.items())

    def best(self, quantity: Quantity) -> tuple[str, Callable[[Array], Array]] | None:
        """Return the name of the first backend that can compute a derivative, and what computes it for one point.

        None if there is none. What it returns raises PluginError where the plugin raises.
        """
        for name, backend in self.backends.items():
            if self._refusal(backend, quantity) is None:
                return name, lambda x, chosen=backend: self._ask(chosen, quantity, x)
        return None

    def known_minimum(self) -> Array | None:
        """Return the known minimiser, `(dimension,)`, if the objective states one."""
        with as_plugin_error(f"objective {self.name}: its minimum"):
            minimum = known_minimum(self.objective)
            if minimum is None:
                return None
            x = np.array(minimum.x, dtype=np.float64).reshape(-1)
        return x if len(x) == self.dimension and bool(np.isfinite(x).all()) else None

    def drawn_start(self) -> Array | None:
        """Return a start that the objective draws itself, if it has a way to."""
        with as_plugin_error(f"objective {self.name}: its draw_starts"):
            objective = self.objective
            if not isinstance(objective, DrawsStarts):
                return None
            x = np.array(objective.draw_starts(np.random.Generator(np.random.PCG64(0)), 1), dtype=np.float64).reshape(-1)
        return x if len(x) == self.dimension else None

    def _answer(self, name: str, backend: GradientBackend, quantity: Quantity, x: Array) -> BackendResult:
        refusal = self._refusal(backend, quantity)
        if refusal is not None:
            return BackendResult(name, None, refusal)
        try:
            return BackendResult(name, self._ask(backend, quantity, x), "")
        except PluginError as error:
            return BackendResult(name, None, f"because it fails: {error}")

    def _refusal(self, backend: GradientBackend, quantity: Quantity) -> str | None:
        capability = capability_for(quantity)
        if capability is not None and not isinstance(backend, capability.protocol):
            return f"because it computes no {capability.name}"
        try:
            return backend.refusal(self.objective, quantity)
        except Exception as error:
            return f"because its refusal raised {type(error).__name__}: {error}"

    def _ask(self, backend: GradientBackend, quantity: Quantity, x: Array) -> Array:
        with as_plugin_error(f"objective {self.name}, differentiated by {type(backend).__name__}"):
            result: Array = getattr(Evaluator(self.objective, backend, 1), quantity)(x[None].copy())[0]
        return result


class NoDerivatives(GradientBackend):
    """Differentiates nothing; where only values are wanted."""

    def gradient(self, objective: Objective, x: Array) -> Array:
        """Refuse."""
        raise NotImplementedError


@contextmanager
def as_plugin_error(what: str) -> Iterator[None]:
    """Tell what a plugin raises as the plugin's.

    Raises:
        PluginError: with what it raised.
    """
    try:
        with np.errstate(all="ignore"):
            yield
    except RunnerError:
        raise
    except Exception as error:
        raise PluginError(f"{what}: raised {type(error).__name__}: {error}") from error


def make_inspected_objective(name: str, assignments: Sequence[str], registry: Registry) -> InspectedObjective:
    """Make an objective, and every gradient backend on offer.

    Args:
        name: the objective's name.
        assignments: `parameter=value`, as in TOML; further keys, with dots, lead into a wrapped plugin's table.
        registry: what is on offer.

    Raises:
        PluginError: there is no such objective.
        ExperimentError: a parameter is wrong.
    """
    registry.find("objective", name)
    setting = read_plugin("objective", _table(name, assignments), registry)
    return with_every_backend(setting, registry)


def with_every_backend(setting: Setting, registry: Registry) -> InspectedObjective:
    """Return an objective that is made already, with every gradient backend on offer."""
    backends: dict[str, GradientBackend] = {}
    unusable: dict[str, str] = {}
    for offer in registry.offers():
        if offer.kind != "gradient":
            continue
        needed = [each.name for each in offer.parameters.values() if each.required]
        if needed:
            unusable[offer.name] = f"because it needs {', '.join(needed)}, which an inspection has no value for"
            continue
        try:
            backends[offer.name] = cast(GradientBackend, read_plugin("gradient", {"name": offer.name}, registry).plugin)
        except RunnerError as error:
            unusable[offer.name] = f"because it cannot be made: {error}"
    return InspectedObjective(setting.name, setting, dict(sorted(backends.items(), key=lambda pair: _rank(pair[0]))), unusable)


def _rank(name: str) -> tuple[int, str]:
    if name in PREFERRED:
        return PREFERRED.index(name), name
    return len(PREFERRED) + (name == FINITE_DIFFERENCE), name


def _table(name: str, assignments: Sequence[str]) -> dict[str, object]:
    """Return the table that an experiment would have for the objective."""
    table: dict[str, object] = {}
    for assignment in assignments:
        key = assignment.partition("=")[0].strip()
        if key in ("name", "zip"):
            raise ExperimentError(name, [f"--set {assignment}: {key} is no parameter"])
        try:
            set_parameter(table, assignment)
        except ValueError as error:
            raise ExperimentError(name, [str(error)]) from error
    return {"name": name, **table}
