"""The table of the kinds of plugins: for each kind its class, its hook and its capabilities.

Everything that depends on the kinds or their capabilities reads this table: the checks of a plugin's class and of its behaviour,
`runner plugins show`, the counting of evaluations, and the reference in the documentation. To add a capability, write its
protocol into the file of its kind and add a line here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.contracts.capabilities import Capability, Evaluation, public_members
from runner.contracts.executor import Executor, HasWorkers
from runner.contracts.figure import Figure
from runner.contracts.gradient_backend import ComputesHessian, ComputesJacobian, ComputesValueAndGradient, GradientBackend
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
)
from runner.contracts.optimizer import Optimizer
from runner.contracts.plugin import Kind, Plugin, Quantity


@dataclass(frozen=True)
class PluginKind:
    """A kind of plugin.

    Attributes:
        plugin_class: the class that plugins of this kind derive from.
        hook: the name of the hook with which a plugin file offers plugins of this kind.
        required: those members of `plugin_class` that are evaluated at x.
        capabilities: the capabilities that a plugin of this kind may offer.
    """

    plugin_class: type[Plugin]
    hook: str
    required: Mapping[str, Evaluation] = field(default_factory=dict)
    capabilities: tuple[Capability, ...] = ()

    @property
    def contracts(self) -> tuple[type, ...]:
        """The classes and protocols whose members a plugin of this kind may have."""
        return (Plugin, self.plugin_class, *(each.protocol for each in self.capabilities))

    @property
    def members(self) -> tuple[str, ...]:
        """The names of the members of the kind's class and of all capabilities."""
        return tuple(name for contract in self.contracts[1:] for name in public_members(contract))

    @property
    def evaluations(self) -> dict[str, Evaluation]:
        """The members that are evaluated at x, required ones and those of capabilities."""
        return {**self.required, **{name: each.evaluations[name] for each in self.capabilities for name in each.evaluations}}

    def capability(self, protocol: type) -> Capability:
        """Return the line of a protocol in the table."""
        return next(each for each in self.capabilities if each.protocol is protocol)


VALUE = Evaluation((), counts=("value",))
GRADIENT = Evaluation(("dimension",), counts=("gradient",))
HESSIAN = Evaluation(("dimension", "dimension"), counts=("hessian",))
VALUE_AND_GRADIENT = Evaluation(((), ("dimension",)), counts=("value", "gradient"))
# Residuals count as an evaluation of f, and their Jacobian as an evaluation of the gradient.
RESIDUALS = Evaluation(("residuals",), counts=("value",))
JACOBIAN = Evaluation(("residuals", "dimension"), counts=("gradient",))

PLUGIN_KINDS: Mapping[Kind, PluginKind] = {
    "objective": PluginKind(
        Objective,
        hook="runner_objectives",
        required={"value": VALUE},
        capabilities=(
            Capability(HasGradient, "gradient", {"gradient": GRADIENT}),
            Capability(HasHessian, "Hessian", {"hessian": HESSIAN}),
            Capability(HasResiduals, "residuals with their Jacobian", {"residuals": RESIDUALS, "jacobian": JACOBIAN}),
            Capability(HasValueAndGradient, "shared work for value and gradient", {"value_and_gradient": VALUE_AND_GRADIENT}),
            Capability(HasMinimum, "minimum"),
            Capability(HasStartRegion, "start region"),
            Capability(HasCurvatureBounds, "curvature bounds"),
            Capability(DrawsStarts, "starts of its own"),
            Capability(HasLayers, "layers"),
            Capability(HasData, "data with predictions"),
        ),
    ),
    "gradient": PluginKind(
        GradientBackend,
        hook="runner_gradients",
        required={"gradient": GRADIENT},
        capabilities=(
            Capability(ComputesHessian, "Hessian", {"hessian": HESSIAN}, quantity="hessian"),
            Capability(ComputesJacobian, "Jacobian of residuals", {"jacobian": JACOBIAN}, quantity="jacobian"),
            Capability(
                ComputesValueAndGradient, "shared work for value and gradient", {"value_and_gradient": VALUE_AND_GRADIENT}
            ),
        ),
    ),
    "optimizer": PluginKind(Optimizer, hook="runner_optimizers"),
    "executor": PluginKind(Executor, hook="runner_executors", capabilities=(Capability(HasWorkers, "several workers"),)),
    "figure": PluginKind(Figure, hook="runner_figures"),
}


def capability_for(quantity: Quantity) -> Capability | None:
    """Return the capability of computing a quantity; None for the gradient, which every gradient backend computes."""
    return next((each for each in PLUGIN_KINDS["gradient"].capabilities if each.quantity == quantity), None)
