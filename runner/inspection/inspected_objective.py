"""The objective that is inspected, with every gradient backend that may differentiate it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np

from runner.analysis.definiteness import Curvature, curvature_of
from runner.analysis.measured_derivatives import MeasuredSlope, eigenvalue_errors, slope_along
from runner.contracts.arrays import Array, ByRows
from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.kinds import capability_for
from runner.contracts.objective import (
    DrawsStarts,
    HasGradient,
    HasStartRegion,
    Objective,
    coordinate_names,
    known_minimum,
    point_name,
)
from runner.contracts.plugin import Quantity
from runner.engine.evaluation import Evaluator
from runner.errors import ExperimentError, PluginError, RunnerError
from runner.experiment.overrides import set_parameter
from runner.experiment.reader import read_plugin
from runner.numerics.slope_check import find_disagreements
from runner.registry.registry import Registry
from runner.registry.setting import Setting

ANALYTIC = "analytic"
COMPLEX_STEP = "complex_step"
FINITE_DIFFERENCE = "finite_difference"


@dataclass(frozen=True)
class BackendResult:
    """The derivatives that one gradient backend computes, or the reason why it computes none of them.

    Attributes:
        backend: the name of the backend.
        result: the derivatives at one point; None if the backend computes none.
        because: the reason why `result` is None, beginning with `because`; empty if there is a result.
    """

    backend: str
    result: Array | None
    because: str


@dataclass(frozen=True)
class InspectedObjective:
    """An objective with every gradient backend that may differentiate it.

    Attributes:
        name: the name of the objective.
        setting: the objective, made with its parameters.
        backends: the gradient backends by name, the most exact first.
        unusable: the reasons why some backends could not be made, by name of the backend; each begins with `because`.
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
        """The number of coordinates of x."""
        return int(self.objective.dimension)

    @property
    def coordinates(self) -> tuple[str, ...]:
        """The names of the coordinates of x."""
        return coordinate_names(self.objective, self.dimension)

    @property
    def point_name(self) -> str:
        """The name of a point: `x`, or the names of the coordinates in parentheses if the objective has names of its own."""
        return point_name(self.objective, self.dimension)

    @property
    def start_region(self) -> tuple[float, float] | None:
        """The lowest and the highest coordinate of sensible starts, as the objective states them; None if it states none."""
        objective = self.objective
        return objective.start_region if isinstance(objective, HasStartRegion) else None

    def value(self, x: Array) -> float:
        """Return f at one point, `(dimension,)`.

        Raises:
            PluginError: the objective raises, or its result has another shape or type than a value.
        """
        with as_plugin_error(f"objective {self.name}"):
            return float(Evaluator(self.objective, NoDerivatives(), 1).value(x[None].copy())[0])

    def values(self, x: Array) -> Array:
        """Return f at many points, `(points, dimension) -> (points,)`, with the same numbers as one evaluation for each point.

        Raises:
            PluginError: the objective raises, or its result has another shape or type than values.
        """
        self.value(x[0])  # This call raises with an explanation if the shape of the result is wrong.
        with as_plugin_error(f"objective {self.name}"):
            return ByRows(self.objective.value)(x)

    def curvature_at(self, x: Array, backend: str, hessian: Array) -> Curvature | None:
        """Return the curvature at one point, with the errors of the eigenvalues.

        Args:
            x: the point, `(dimension,)`.
            backend: the name of the backend that computed the Hessian.
            hessian: ∇²f, `(dimension, dimension)`.

        Returns:
            The curvature; None if an entry of the Hessian is not finite.

        Raises:
            PluginError: the objective raises at x.
        """
        if not np.isfinite(hessian).all():
            return None
        # The complex step of a formula of the gradient is as exact as a formula of the Hessian.
        exact = backend == ANALYTIC or (backend == COMPLEX_STEP and isinstance(self.objective, HasGradient))
        chosen = self.most_exact_backend("gradient")
        gradients = None
        if chosen is not None and chosen[0] != FINITE_DIFFERENCE:
            differentiate = self.backends[chosen[0]].gradient
            gradients = _nan_outside(ByRows(lambda points: differentiate(self.objective, points)))
        values = _nan_outside(ByRows(self.objective.value))
        errors, contradiction = eigenvalue_errors(hessian, x, values, gradients, exact)
        return curvature_of(hessian, errors, contradiction)

    def measured_slope(self, x: Array, direction: Array, claimed: float, backend: str) -> MeasuredSlope | None:
        """Return the slope of f along a unit vector by differences; None if no spacings agree. See `slope_along`."""
        with as_plugin_error(f"objective {self.name}"):
            return slope_along(direction, claimed, x, _nan_outside(ByRows(self.objective.value)), backend == FINITE_DIFFERENCE)

    def gradient_doubts(self, x: Array, gradients: Sequence[BackendResult]) -> dict[str, str]:
        """Return, by name, a sentence for each backend whose gradient differs from central differences of f beyond their errors.

        Args:
            x: the point, `(dimension,)`.
            gradients: ∇f at the point by every backend.
        """
        sentences = {}
        with as_plugin_error(f"objective {self.name}"):
            for each in gradients:
                if each.result is None or not np.isfinite(each.result).all():
                    continue
                text = f"the gradient by {each.backend} is doubtful:"
                (found,) = find_disagreements(ByRows(self.objective.value), x[None], each.result[None])
                if found is not None:
                    if found.sides is None:
                        slopes = f"it gives the slope {found.claimed:.10g}, and central differences of f give {found.words}"
                        sentences[each.backend] = f"{text} {found.where} {slopes}"
                    continue
                norm = math.hypot(*each.result)
                slope = self.measured_slope(x, each.result / norm, norm, each.backend) if norm > 0 else None
                if slope is not None and slope.contradicts:
                    sentences[each.backend] = (
                        f"{text} along its own direction it gives the slope {norm:.6g}, and central differences of f give "
                        f"{slope.value:.6g} ± {slope.error:.1g}"
                    )
        return sentences

    def kink_or_jump(self, x: Array, gradient: Array) -> str:
        """Return a sentence on a kink or jump of f at one point, `(dimension,)`; the empty string if none is found.

        Args:
            x: the point.
            gradient: ∇f there.
        """
        with as_plugin_error(f"objective {self.name}"):
            (found,) = find_disagreements(ByRows(self.objective.value), x[None], gradient[None])
        return "" if found is None or found.sides is None else f"f seems to have {found.words}"

    def results_of_backends(self, quantity: Quantity, x: Array) -> tuple[BackendResult, ...]:
        """Compute a derivative at one point, `(dimension,)`, with each backend, the most exact first."""
        results = []
        for name, backend in self.backends.items():
            result, because = None, self._refusal(backend, quantity)
            if because is None:
                try:
                    result = self._differentiate(backend, quantity, x)
                except PluginError as error:
                    because = f"because it fails: {error}"
            results.append(BackendResult(name, result, because or ""))
        return *results, *(BackendResult(name, None, because) for name, because in self.unusable.items())

    def most_exact_backend(self, quantity: Quantity) -> tuple[str, Callable[[Array], Array]] | None:
        """Return the name of the first backend that computes a derivative, and a function from a point to that derivative.

        Returns:
            None if no backend computes the derivative. The function raises PluginError if a plugin raises.
        """
        for name, backend in self.backends.items():
            if self._refusal(backend, quantity) is None:
                return name, lambda x, chosen=backend: self._differentiate(chosen, quantity, x)
        return None

    def known_minimum(self) -> Array | None:
        """Return the minimiser that the objective states, `(dimension,)`; None if it states no finite minimiser.

        Raises:
            PluginError: the objective raises.
        """
        with as_plugin_error(f"objective {self.name}: its minimum"):
            minimum = known_minimum(self.objective)
            if minimum is None:
                return None
            x = np.array(minimum.x, dtype=np.float64).reshape(-1)
        return x if len(x) == self.dimension and bool(np.isfinite(x).all()) else None

    def drawn_start(self) -> Array | None:
        """Return a start that the objective draws with seed 0, `(dimension,)`; None if it draws no starts.

        Raises:
            PluginError: the objective raises.
        """
        with as_plugin_error(f"objective {self.name}: its draw_starts"):
            objective = self.objective
            if not isinstance(objective, DrawsStarts):
                return None
            x = np.array(objective.draw_starts(np.random.Generator(np.random.PCG64(0)), 1), dtype=np.float64).reshape(-1)
        return x if len(x) == self.dimension else None

    def _refusal(self, backend: GradientBackend, quantity: Quantity) -> str | None:
        """Return the reason why a backend does not compute a derivative of this objective; None if it does."""
        capability = capability_for(quantity)
        if capability is not None and not isinstance(backend, capability.protocol):
            return f"because it computes no {capability.name}"
        try:
            return backend.refusal(self.objective, quantity)
        except Exception as error:
            return f"because its refusal raised {type(error).__name__}: {error}"

    def _differentiate(self, backend: GradientBackend, quantity: Quantity, x: Array) -> Array:
        with as_plugin_error(f"objective {self.name}, differentiated by {type(backend).__name__}"):
            result: Array = getattr(Evaluator(self.objective, backend, 1), quantity)(x[None].copy())[0]
        return result


class NoDerivatives(GradientBackend):
    """A gradient backend that computes nothing, for evaluations of f alone."""

    def gradient(self, objective: Objective, x: Array) -> Array:
        """Raise NotImplementedError."""
        raise NotImplementedError


def _nan_outside(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Return a function of many points that is NaN where the function raises, for example outside of its domain."""

    def compute(points: Array) -> Array:
        try:
            return np.asarray(function(points), dtype=np.float64)
        except Exception:
            rows: list[Array | None] = []
            for point in points:
                try:
                    rows.append(np.asarray(function(point[None])[0], dtype=np.float64))
                except Exception:
                    rows.append(None)
            shape = next((row.shape for row in rows if row is not None), ())
            return np.stack([np.full(shape, np.nan) if row is None else row for row in rows])

    return compute


@contextmanager
def as_plugin_error(plugin: str) -> Iterator[None]:
    """Turn any exception that a plugin raises in the body into a PluginError, and silence floating-point warnings.

    Args:
        plugin: the plugin in words, such as `objective rosenbrock`, for the message.

    Raises:
        PluginError: the body raised; the message holds the plugin, the class of the exception and its text.
    """
    try:
        with np.errstate(all="ignore"):
            yield
    except RunnerError:
        raise
    except Exception as error:
        raise PluginError(f"{plugin}: raised {type(error).__name__}: {error}") from error


def make_inspected_objective(name: str, assignments: Sequence[str], registry: Registry) -> InspectedObjective:
    """Make an objective and every gradient backend on offer.

    Args:
        name: the objective's name.
        assignments: texts `parameter=value`, as in TOML. A key with dots, such as `objective.a`, sets a parameter of a wrapped
            plugin.
        registry: the plugins on offer.

    Raises:
        PluginError: no objective has this name.
        ExperimentError: an assignment is malformed, or a parameter is unknown, missing or out of range.
    """
    registry.find("objective", name)
    table: dict[str, object] = {}
    for assignment in assignments:
        key = assignment.partition("=")[0].strip()
        if key in ("name", "zip"):
            raise ExperimentError(name, [f"--set {assignment}: {key} is not a parameter"])
        try:
            set_parameter(table, assignment)
        except ValueError as error:
            raise ExperimentError(name, [str(error)]) from error
    return with_every_backend(read_plugin("objective", {"name": name, **table}, registry), registry)


def with_every_backend(setting: Setting, registry: Registry) -> InspectedObjective:
    """Return an objective with every gradient backend on offer, made with its default parameters."""
    backends: dict[str, GradientBackend] = {}
    unusable: dict[str, str] = {}
    for offer in registry.offers():
        if offer.kind != "gradient":
            continue
        required = [parameter.name for parameter in offer.parameters.values() if parameter.required]
        if required:
            unusable[offer.name] = (
                f"because it requires {', '.join(required)}, and `runner inspect` cannot set parameters of gradient backends"
            )
            continue
        try:
            backends[offer.name] = cast(GradientBackend, read_plugin("gradient", {"name": offer.name}, registry).plugin)
        except RunnerError as error:
            unusable[offer.name] = f"because it cannot be created: {error}"
    # All other backends come between the two exact ones and finite differences, sorted by name.
    order = {ANALYTIC: 0, COMPLEX_STEP: 1, FINITE_DIFFERENCE: 3}
    ordered = dict(sorted(backends.items(), key=lambda item: (order.get(item[0], 2), item[0])))
    return InspectedObjective(setting.name, setting, ordered, unusable)
