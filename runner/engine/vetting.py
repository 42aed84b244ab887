"""The comparison of a gradient backend with central differences at the iterates of a run.

A backend such as the complex step evaluates the objective on numbers other than float64. Some operations of the objective mean
something else for such numbers, for example the modulus of a complex number, and make the derivative wrong without an error.

For backends that take differences of f, the first and the last iterate are checked for kinks and jumps. At a kink, a central
difference may be zero although f has no minimum there. Backends that take the objective's own derivatives are not compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.kinds import PLUGIN_KINDS, capability_for
from runner.contracts.objective import HasGradient, HasResiduals, Objective
from runner.contracts.optimizer import Optimizer
from runner.contracts.plugin import Quantity
from runner.engine.batch import take_row
from runner.engine.evaluation import Counts, stand_in
from runner.numerics.slope_check import Disagreement, find_disagreements

OF: Mapping[Quantity, str] = {"gradient": "value", "hessian": "gradient", "jacobian": "residuals"}
"""For each derivative, the function whose differences it is compared with."""
REMEDY = (
    "an operation in the objective, such as abs, conj, real or a conversion to float, may not suit this backend; use gradient "
    "backend finite_difference, or an objective that offers its own derivatives"
)


@dataclass(frozen=True)
class Doubt:
    """A derivative that differs from central differences at a point, or that f does not have there.

    Attributes:
        quantity: the derivative.
        text: the two values, and the place, in words.
        wrong: True if the derivative is wrong; False if it is merely inexact, or if f seems to have no derivative.
    """

    quantity: Quantity
    text: str
    wrong: bool


@dataclass
class Vetting:
    """The derivatives of a run or batch that are to be compared, and the comparison.

    Attributes:
        quantities: the derivatives to compare; empty for a backend that needs no comparison.
        only_kinks: True if the backend takes differences of f. Then only kinks and jumps are sought, at the first and the last
            iterate.
    """

    quantities: tuple[Quantity, ...] = ()
    only_kinks: bool = False

    @classmethod
    def of(cls, objective: Objective, backend: GradientBackend, optimizer: Optimizer, x: Array) -> Vetting:
        """Find the derivatives that the optimizer uses and that the backend computes in an arithmetic other than float64.

        Args:
            objective: the objective.
            backend: the gradient backend.
            optimizer: the optimizer, whose `needs` names the derivatives that it reads.
            x: the points, `(runs, dimension)`.
        """
        needed: tuple[Quantity, ...] = ("gradient", *(each for each in optimizer.needs if each != "gradient"))
        observed = {each: _observe(objective, backend, each, x) for each in needed}
        quantities = tuple(each for each, seen in observed.items() if seen is not None and seen.other_arithmetic)
        first = observed["gradient"]
        if not quantities and first is not None and not first.evaluates_derivatives:
            return cls(("gradient",), only_kinks=True)
        return cls(quantities)

    def doubts(self, objective: Objective, backend: GradientBackend, x: Array, gradient: Array) -> list[Doubt | None]:
        """Return for each run the derivative that differs from central differences; None if no derivative does.

        Args:
            objective: the objective.
            backend: the gradient backend.
            x: the points, `(runs, dimension)`.
            gradient: the gradients there by the backend, `(runs, dimension)`.
        """
        try:
            return self._compare(objective, backend, x, gradient)
        except KeyboardInterrupt:
            raise
        except BaseException:
            if len(x) == 1:
                return [None]
        # If one run raises an exception, the others are still compared.
        doubts: list[Doubt | None] = []
        for row in range(len(x)):
            alone = slice(row, row + 1)
            doubts += self.doubts(take_row(objective, row), take_row(backend, row), x[alone], gradient[alone])
        return doubts

    def _compare(self, objective: Objective, backend: GradientBackend, x: Array, gradient: Array) -> list[Doubt | None]:
        doubts: list[Doubt | None] = [None] * len(x)
        for quantity in self.quantities:
            function, claimed = _slopes(quantity, objective, backend, x, gradient)
            for row, found in enumerate(find_disagreements(function, x, claimed)):
                if found is not None and doubts[row] is None and (found.sides is not None or not self.only_kinks):
                    doubts[row] = Doubt(quantity, _in_words(quantity, objective, backend, x[row], found), found.gross)
        return doubts


def _observe(objective: Objective, backend: GradientBackend, quantity: Quantity, x: Array) -> _Observed | None:
    """Call a backend on a stand-in for the objective that observes the evaluations.

    Return None if the backend does not compute the derivative, or if it raises an exception.
    """
    capability = capability_for(quantity)
    if capability is not None and not isinstance(backend, capability.protocol):
        return None
    observed = _Observed(objective, x)
    try:
        getattr(backend, quantity)(stand_in(objective, observed, Counts(len(x))), x)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return None
    return observed


class _Observed:
    """An objective that observes how it is evaluated.

    Attributes:
        evaluates_derivatives: True if a derivative was evaluated.
    """

    def __init__(self, objective: Objective, x: Array) -> None:
        self.objective = objective
        self.x = x
        self.evaluates_derivatives = False
        self._is_real = True
        self._leaves_x = False

    @property
    def other_arithmetic(self) -> bool:
        """True if the derivative comes neither from derivatives nor from differences in float64."""
        return not self._is_real or not (self.evaluates_derivatives or self._leaves_x)

    def __getattr__(self, name: str) -> Any:
        member = getattr(self.objective, name)
        if name not in PLUGIN_KINDS["objective"].evaluations:
            return member

        def evaluate(x: Any) -> Any:
            real = type(x) is np.ndarray and x.dtype == np.float64
            self._is_real &= real
            self.evaluates_derivatives |= name not in ("value", "residuals")
            self._leaves_x |= not (real and np.array_equal(x, self.x, equal_nan=True))
            return member(x)

        return evaluate


def _slopes(
    quantity: Quantity, objective: Objective, backend: GradientBackend, x: Array, gradient: Array
) -> tuple[Callable[[Array], Array], Array]:
    """Return a function of x, `(runs,)`, and its gradient by the backend, `(runs, dimension)`.

    The function is f for a gradient, a weighted sum of the gradient's components for a Hessian, and a weighted sum of the
    residuals for a Jacobian.
    """
    if quantity == "gradient":
        return objective.value, gradient
    derivative: Array = getattr(backend, quantity)(objective, x)
    # No two weights are equal, so errors cannot cancel by symmetry.
    weights = 1.0 + 0.6180339887498949 * np.arange(1, derivative.shape[1] + 1) % 1.0
    vector: Callable[[Array], Array]
    if quantity == "jacobian":
        vector = cast(HasResiduals, objective).residuals
    else:
        vector = objective.gradient if isinstance(objective, HasGradient) else lambda z: backend.gradient(objective, z)
    return lambda z: (vector(z) * weights).sum(axis=-1), (derivative * weights[:, None]).sum(axis=1)


def _in_words(quantity: Quantity, objective: Objective, backend: GradientBackend, x: Array, found: Disagreement) -> str:
    name, of = type(backend).__name__, f"{type(objective).__name__}.{OF[quantity]}"
    place = f"x = {np.array2string(x, threshold=6)}"
    if found.sides is not None:
        return f"{of} seems to have {found.words}, at {place}; the slope by {name} is {found.claimed:.6g}"
    values = f"{found.claimed:.10g} by {name} and {found.words} by differences"
    return (
        f"{name}.{quantity} and central differences of {of} disagree at {place}: {found.where}, the slope is {values}; {REMEDY}"
    )
