"""The checks of an objective."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from runner.contracts.arrays import Array, norm
from runner.contracts.kinds import PLUGIN_KINDS
from runner.contracts.objective import (
    DrawsStarts,
    HasCurvatureBounds,
    HasData,
    HasGradient,
    HasHessian,
    HasLayers,
    HasMinimum,
    HasResiduals,
    HasStartRegion,
    HasValueAndGradient,
    Objective,
    known_minimum,
)
from runner.testing.check import Check, Skip, check_array, fail_unless, make_checks, same_bits
from runner.testing.declarations import declaration_checks, swept_variants
from runner.testing.functions import (
    MANY_RUNS,
    RUNS,
    check_batch,
    check_complex_numbers,
    check_complex_step,
    check_derivative,
    check_hessian,
    check_purity,
    check_shape,
    check_sweep,
    sample_points,
    with_sizes,
)

EXACT = 1e-12
"""The relative difference that rounding may make between two computations of the same number."""
SLACK = 1e-6
"""The relative error of a spectral norm that is computed by iteration and may be too small."""


def checks_of(objective: Objective) -> list[Check]:
    """Return the checks of an objective, in their order."""
    suite = _ObjectiveSuite(objective)
    return make_checks(
        ("domain", suite.domain, ("validate",)),
        ("shapes", suite.shapes, ("domain",)),
        ("purity", suite.purity, ("shapes",)),
        ("batch", suite.batch, ("purity",)),
        ("sweeps", suite.sweeps, ("batch",)),
        ("gradient", suite.gradient, ("shapes",)),
        ("complex numbers", suite.complex_numbers, ("shapes",)),
        ("complex step", suite.complex_step, ("gradient",)),
        ("Hessian", suite.hessian, ("shapes",)),
        ("residuals", suite.residuals, ("shapes",)),
        ("shared work", suite.shared_work, ("shapes",)),
        ("minimum", suite.minimum, ("shapes",)),
        ("curvature bounds", suite.curvature_bounds, ("shapes",)),
        ("starts", suite.starts, ("domain",)),
        ("layers", suite.layers, ("shapes",)),
        ("data", suite.data, ("shapes",)),
        first=declaration_checks(objective),
    )


class _ObjectiveSuite:
    """The bodies of the checks of one objective. They look up its capabilities when they run, since a property may raise."""

    def __init__(self, objective: Any) -> None:
        self.objective = objective
        self.name = type(objective).__name__

    @property
    def x(self) -> Array:
        return sample_points(self.objective, RUNS)

    def offers(self, protocol: Any) -> bool:
        return isinstance(self.objective, protocol)

    def offered(self) -> dict[str, tuple[Any, ...]]:
        """Return the functions of x that the objective offers, each with the shape of a run's result; `...` allows any length."""
        sizes = {"dimension": self.objective.dimension, "residuals": ...}
        evaluations = dict(PLUGIN_KINDS["objective"].required)
        for capability in PLUGIN_KINDS["objective"].capabilities:
            if self.offers(capability.protocol):
                evaluations.update(capability.evaluations)
        return {name: with_sizes(evaluation.shape, sizes) for name, evaluation in evaluations.items()}

    def skip_unless_offered(self, protocol: type) -> None:
        if not self.offers(protocol):
            raise Skip(f"because it offers no {PLUGIN_KINDS['objective'].capability(protocol).name}")

    def domain(self) -> None:
        dimension: object = self.objective.dimension
        whole = isinstance(dimension, int) and dimension >= 1
        fail_unless(whole, f"{self.name}.dimension must be a whole number of at least 1, not {dimension!r}")
        if self.offers(HasStartRegion):
            region: Any = self.objective.start_region
            fits = isinstance(region, tuple) and len(region) == 2 and bool(np.isfinite(region).all() and region[0] < region[1])
            fail_unless(fits, f"{self.name}.start_region must be a tuple of the lowest and the highest start, not {region!r}")

    def shapes(self) -> None:
        for method, shape in self.offered().items():
            check_shape(f"{self.name}.{method}", getattr(self.objective, method), self.x, shape)

    def purity(self) -> None:
        for method in self.offered():
            check_purity(f"{self.name}.{method}", getattr(self.objective, method), self.x)

    def batch(self) -> None:
        for runs in (RUNS, MANY_RUNS):
            for method in self.offered():
                check_batch(f"{self.name}.{method}", getattr(self.objective, method), sample_points(self.objective, runs))

    def sweeps(self) -> None:
        columns = list(swept_variants(self.objective, RUNS))
        if not columns:
            raise Skip("because it has no float parameter that a sweep could vary")
        for method in self.offered():
            for key, together, alone in columns:
                singles = [getattr(one, method) for one in alone]
                check_sweep(f"{self.name}.{method}", key, getattr(together, method), singles, self.x)

    def gradient(self) -> None:
        self.skip_unless_offered(HasGradient)
        gradient = self.objective.gradient(self.x)
        check_derivative(f"{self.name}.gradient", gradient, f"{self.name}.value", self.objective.value, self.x)

    def complex_numbers(self) -> None:
        check_complex_numbers(f"{self.name}.value", self.objective.value, sample_points(self.objective, MANY_RUNS))

    def complex_step(self) -> None:
        gradient = self.objective.gradient(self.x)
        check_complex_step(f"{self.name}.gradient", gradient, f"{self.name}.value", self.objective.value, self.x)

    def hessian(self) -> None:
        self.skip_unless_offered(HasHessian)
        check_hessian(f"{self.name}.hessian", self.objective.hessian(self.x), self.objective, self.x)

    def residuals(self) -> None:
        self.skip_unless_offered(HasResiduals)
        jacobian = self.objective.jacobian(self.x)
        check_derivative(f"{self.name}.jacobian", jacobian, f"{self.name}.residuals", self.objective.residuals, self.x)
        squares = (self.objective.residuals(self.x) ** 2).sum(axis=-1)
        fits = np.allclose(self.objective.value(self.x), squares, rtol=EXACT)
        fail_unless(fits, f"{self.name}.value is not the sum of the squared residuals")

    def shared_work(self) -> None:
        self.skip_unless_offered(HasValueAndGradient)
        value, gradient = self.objective.value_and_gradient(self.x)
        for method, result in {"value": value, "gradient": gradient}.items():
            if hasattr(self.objective, method):
                fits = np.allclose(result, getattr(self.objective, method)(self.x), rtol=EXACT)
                fail_unless(fits, f"{self.name}.value_and_gradient and {self.name}.{method} return different numbers")

    def minimum(self) -> None:
        self.skip_unless_offered(HasMinimum)
        minimum, dimension = known_minimum(self.objective), self.objective.dimension
        if minimum is None:
            raise Skip("because it states no minimum for these parameters")
        x, lowest = np.asarray(minimum.x), float(minimum.value)
        fail_unless(x.shape == (dimension,), f"{self.name}.minimum.x must have shape ({dimension},), not {x.shape}")
        here = float(self.objective.value(x[None])[0])
        rounding = EXACT * max(1.0, abs(lowest))
        fail_unless(abs(here - lowest) <= rounding, f"{self.name}.minimum.value is {lowest!r}, but f at minimum.x is {here!r}")
        region = sample_points(self.objective, 1000)
        points = np.concatenate([region, *(x + spread * (region - region.mean(axis=0)) for spread in (1e-1, 1e-3, 1e-5))])
        values = self.objective.value(points)
        best = int(np.nanargmin(values))
        fail_unless(
            bool(values[best] >= lowest - rounding),
            f"{self.name}.minimum is not a minimum: f is {values[best]:.17g}, lower than {lowest:.17g}, at x = {points[best]}",
        )
        if self.offers(HasGradient):
            slope = float(norm(self.objective.gradient(x[None]))[0])
            typical = float(norm(self.objective.gradient(region)).max())
            fail_unless(slope <= 1e-6 * typical, f"{self.name}.minimum.x is not stationary: ‖∇f‖ is {slope:.3g} there")
        for key, together, alone in swept_variants(self.objective, RUNS):
            minima = [single.minimum for single in alone]
            if None in minima:
                continue
            for part in ("x", "value"):
                swept = np.asarray(getattr(together.minimum, part))
                singles = np.stack([np.asarray(getattr(each, part), dtype=np.float64) for each in minima])
                same = swept.shape in (singles.shape, singles.shape[1:]) and bool((swept == singles).all())
                fail_unless(same, f"{self.name}.minimum.{part} differs from that of single runs if {key} is swept")

    def starts(self) -> None:
        self.skip_unless_offered(DrawsStarts)
        draws = [self.objective.draw_starts(np.random.default_rng(seed), RUNS) for seed in (0, 0, 1)]
        x = np.empty((RUNS, self.objective.dimension))
        for drawn in draws:
            name = f"{self.name}.draw_starts"
            fits = isinstance(drawn, np.ndarray) and drawn.shape == x.shape and drawn.dtype == np.float64
            found = f"{drawn.dtype} of shape {drawn.shape}" if isinstance(drawn, np.ndarray) else type(drawn).__name__
            fail_unless(fits, f"{name} must return float64 of shape {x.shape} for a count of {RUNS}, not {found}")
            fail_unless(bool(np.isfinite(drawn).all()), f"{name} must return finite numbers")
        fail_unless(same_bits(draws[0], draws[1]), f"{name} draws different starts from two generators with the same seed")
        fail_unless(
            not same_bits(draws[0], draws[2]),
            f"{name} draws the same starts from generators with different seeds; take all random numbers from the generator",
        )

    def layers(self) -> None:
        self.skip_unless_offered(HasLayers)
        layers, x = self.objective.backpropagation(self.x), self.x
        weights = {layer.name: layer.weights for layer in layers}
        fits = weights == dict(self.objective.layer_weights) and list(weights) == list(self.objective.layer_weights)
        fail_unless(fits, f"{self.name}.backpropagation and {self.name}.layer_weights must have the same layers, with the same "
                      "weights and in the same order")  # fmt: skip
        for layer in layers:
            for part in ("jacobian_norm", "reaching", "gradient_norm"):
                check_array(f"{part} of {self.name}.backpropagation", getattr(layer, part), (len(x),), x)
        gradient = self.objective.gradient(x)
        for layer in layers:
            close = np.allclose(layer.gradient_norm, norm(gradient[:, layer.weights]), rtol=EXACT)
            fail_unless(close, f"{self.name}.backpropagation and {self.name}.gradient differ in layer {layer.name}")
        for lower, upper in itertools.pairwise(layers):
            bound = upper.jacobian_norm * upper.reaching * (1.0 + SLACK)
            fail_unless(bool((lower.reaching <= bound).all()), f"{self.name}.backpropagation: reaching of layer {lower.name} "
                    f"exceeds reaching times jacobian_norm of layer {upper.name}")  # fmt: skip

    def curvature_bounds(self) -> None:
        self.skip_unless_offered(HasCurvatureBounds)
        bounds: Any = self.objective.curvature_bounds
        fits = isinstance(bounds, tuple) and len(bounds) == 2 and bool(bounds[0] <= bounds[1])
        fail_unless(fits, f"{self.name}.curvature_bounds must be a tuple of the lowest and the highest curvature, not {bounds!r}")
        for key, together, alone in swept_variants(self.objective, RUNS):
            for part, swept in enumerate(together.curvature_bounds):
                singles = np.array([float(single.curvature_bounds[part]) for single in alone])
                same = np.broadcast_to(np.asarray(swept, dtype=np.float64).reshape(-1), singles.shape) == singles
                fail_unless(bool(same.all()), f"{self.name}.curvature_bounds differ from those of single runs if {key} is swept")
        if not self.offers(HasHessian):
            return
        eigenvalues = np.linalg.eigvalsh(self.objective.hessian(sample_points(self.objective, MANY_RUNS)))
        low, high = (float(bound) for bound in bounds)
        rounding = 1e-9 * float(np.abs(eigenvalues).max())
        seen = float(eigenvalues.min()), float(eigenvalues.max())
        fits = seen[0] >= low - rounding and seen[1] <= high + rounding
        found = f"its Hessian has eigenvalues from {seen[0]:g} to {seen[1]:g}"
        fail_unless(fits, f"{self.name}.curvature_bounds are {low:g} to {high:g}, but {found}")

    def data(self) -> None:
        self.skip_unless_offered(HasData)
        features, targets = self.objective.data
        samples = len(targets)
        check_array(f"{self.name}.data[1]", targets, (samples,), self.x)
        check_array(f"{self.name}.data[0]", features, (samples, *np.shape(features)[1:2]), self.x)
        check_array(f"{self.name}.predict", self.objective.predict(self.x, features), (len(self.x), samples), self.x)
