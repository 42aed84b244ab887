"""The checks of a gradient backend."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from runner.contracts.arrays import Array
from runner.contracts.gradient_backend import ComputesValueAndGradient, GradientBackend
from runner.contracts.kinds import PLUGIN_KINDS, capability_for
from runner.contracts.objective import HasResiduals, Objective
from runner.contracts.plugin import Quantity
from runner.testing.check import FAILED, Check, Failure, Skip, fail_unless, make_checks, same_bits
from runner.testing.declarations import declaration_checks, swept_variants
from runner.testing.functions import (
    GOOD_BACKEND,
    MANY_RUNS,
    RUNS,
    Function,
    check_batch,
    check_derivative,
    check_hessian,
    check_purity,
    check_shape,
    check_sweep,
    sample_points,
    with_sizes,
)
from runner.testing.samples import Bowl, Hills


def checks_of(backend: GradientBackend, objective: Objective | None = None) -> list[Check]:
    """Return the checks of a gradient backend on an objective.

    If `objective` is None, the backend is checked on a bowl, and on an objective that offers values alone.
    """
    suite = _BackendSuite(backend, Bowl() if objective is None else objective, chosen=objective is not None)
    made = make_checks(
        ("refusal", suite.refusal, ("validate",)),
        ("shapes", suite.shapes, ("refusal",)),
        ("purity", suite.purity, ("shapes",)),
        ("batch", suite.batch, ("purity",)),
        ("sweeps", suite.sweeps, ("batch",)),
        ("gradient", suite.gradient, ("shapes",)),
        ("Hessian", suite.hessian, ("shapes",)),
        ("Jacobian", suite.jacobian, ("shapes",)),
        ("shared work", suite.shared_work, ("shapes",)),
        first=declaration_checks(backend),
    )
    if objective is None:
        validate = [check for check in made if check.name == "validate"]
        made.append(Check("values alone", partial(_check_on_values_alone, backend), validate))
    return made


def _check_on_values_alone(backend: GradientBackend) -> None:
    """Check a backend on an objective that offers neither gradient nor residuals, unless the backend refuses it."""
    reason = backend.refusal(Hills(), "gradient")
    if reason is not None:
        raise Skip(reason)
    suite = _BackendSuite(backend, Hills(), chosen=True)
    for body in (suite.refusal, suite.shapes, suite.purity, suite.batch, suite.gradient, suite.hessian, suite.shared_work):
        check = Check("", body)
        if check.finding.verdict == FAILED:
            check()


class _BackendSuite:
    """The bodies of the checks of one gradient backend on one objective."""

    def __init__(self, backend: Any, objective: Any, chosen: bool) -> None:
        self.backend = backend
        self.objective = objective
        self.chosen = chosen
        self.name = type(backend).__name__
        self.objective_name = type(objective).__name__

    @property
    def x(self) -> Array:
        return sample_points(self.objective, RUNS)

    def offered(self) -> dict[Quantity, Any]:
        """Return the quantities that the backend offers, each with the reason why it refuses this objective, or None."""
        quantities: list[Quantity] = ["gradient"]
        for capability in PLUGIN_KINDS["gradient"].capabilities:
            if capability.quantity is not None and isinstance(self.backend, capability.protocol):
                quantities.append(capability.quantity)
        if "jacobian" in quantities and not isinstance(self.objective, HasResiduals):
            quantities.remove("jacobian")
        return {each: self.backend.refusal(self.objective, each) for each in quantities}

    def served(self) -> dict[str, tuple[Function, tuple[Any, ...]]]:
        """Return the methods that serve this objective, as functions of x with the shapes of their results for one run."""
        sizes = {"dimension": self.objective.dimension, "residuals": ...}
        methods: list[str] = [each for each, reason in self.offered().items() if reason is None]
        for capability in PLUGIN_KINDS["gradient"].capabilities:
            if capability.quantity is None and isinstance(self.backend, capability.protocol):
                methods.extend(capability.evaluations)
        shapes = {name: with_sizes(each.shape, sizes) for name, each in PLUGIN_KINDS["gradient"].evaluations.items()}
        return {each: (partial(getattr(self.backend, each), self.objective), shapes[each]) for each in methods}

    def refusal(self) -> None:
        reasons = self.offered()
        for quantity, reason in reasons.items():
            fits = reason is None or (isinstance(reason, str) and reason.startswith("because "))
            fail_unless(fits, f"{self.name}.refusal must return None or a text that starts with 'because ', not {reason!r} "
                          f"for the {quantity}")  # fmt: skip
        if reasons["gradient"] is not None:
            sentence = f"{self.name} cannot be checked on this objective, {reasons['gradient']}"
            if self.chosen:
                raise Failure(sentence)
            raise Skip(f"{sentence}; pass an objective that it serves, as in runner.testing.checks(backend, objective=...)")

    def shapes(self) -> None:
        for method, (function, shape) in self.served().items():
            check_shape(f"{self.name}.{method}", function, self.x, shape)

    def purity(self) -> None:
        for method, (function, _) in self.served().items():
            check_purity(f"{self.name}.{method}", function, self.x)

    def batch(self) -> None:
        for runs in (RUNS, MANY_RUNS):
            for method, (function, _) in self.served().items():
                check_batch(f"{self.name}.{method}", function, sample_points(self.objective, runs))

    def sweeps(self) -> None:
        columns = list(swept_variants(cast(GradientBackend, self.backend), RUNS))
        if not columns:
            raise Skip("because it has no float parameter that a sweep could vary")
        for method in self.served():
            for key, together, alone in columns:
                singles: list[Function] = [partial(getattr(one, method), self.objective) for one in alone]
                check_sweep(f"{self.name}.{method}", key, partial(getattr(together, method), self.objective), singles, self.x)

    def gradient(self) -> None:
        computed = self.backend.gradient(self.objective, self.x)
        of = f"{self.objective_name}.value"
        check_derivative(f"{self.name}.gradient", computed, of, self.objective.value, self.x, GOOD_BACKEND)

    def hessian(self) -> None:
        self._skip_unless_served("hessian")
        check_hessian(f"{self.name}.hessian", self.backend.hessian(self.objective, self.x), self.objective, self.x, GOOD_BACKEND)

    def jacobian(self) -> None:
        self._skip_unless_served("jacobian")
        computed = self.backend.jacobian(self.objective, self.x)
        of = f"{self.objective_name}.residuals"
        check_derivative(f"{self.name}.jacobian", computed, of, self.objective.residuals, self.x, GOOD_BACKEND)

    def shared_work(self) -> None:
        if "value_and_gradient" not in self.served():
            raise Skip(f"because it offers no {PLUGIN_KINDS['gradient'].capability(ComputesValueAndGradient).name}")
        value, gradient = self.backend.value_and_gradient(self.objective, self.x)
        unchanged = same_bits(value, self.objective.value(self.x))
        fail_unless(unchanged, f"{self.name}.value_and_gradient and {self.objective_name}.value return different values")
        fits = same_bits(gradient, self.backend.gradient(self.objective, self.x))
        fail_unless(fits, f"{self.name}.value_and_gradient and {self.name}.gradient return different gradients")

    def _skip_unless_served(self, quantity: Quantity) -> None:
        offered = self.offered()
        if quantity not in offered:
            capability = capability_for(quantity)
            raise Skip(f"because it computes no {quantity if capability is None else capability.name}")
        reason = offered[quantity]
        if reason is not None:
            raise Skip(reason)
