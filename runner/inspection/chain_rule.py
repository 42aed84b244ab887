"""The chain rule through the layers of an objective: the gradient at each layer's output, and its bound by Jacobian norms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.objective import HasLayers
from runner.inspection.inspected_objective import InspectedObjective, as_plugin_error


@dataclass(frozen=True)
class ChainLink:
    """One layer in the chain rule.

    Attributes:
        name: the name of the layer.
        weights: the number of its weights.
        jacobian_norm: the spectral norm of the layer's own Jacobian.
        reaching: ‖∂f/∂a‖, where a is the layer's output; ∂f/∂a is the product of the Jacobians of all layers above.
        bound: an upper bound of `reaching`: the last layer's `reaching` times the Jacobian norms of all layers above this one.
        gradient_norm: the norm of the gradient with respect to the layer's weights.
    """

    name: str
    weights: int
    jacobian_norm: float
    reaching: float
    bound: float
    gradient_norm: float


def chain_rule(inspected: InspectedObjective, x: Array) -> tuple[ChainLink, ...]:
    """Return the links from the first layer to the last at a point, `(dimension,)`; empty if the objective has no layers.

    Raises:
        PluginError: the objective raises.
    """
    objective = inspected.objective
    if not isinstance(objective, HasLayers):
        return ()
    with as_plugin_error(f"objective {inspected.name}: its backpropagation"):
        layers = objective.backpropagation(x[None].copy())
        norms, reaching, gradients = (
            [float(np.asarray(getattr(layer, name)).reshape(-1)[0]) for layer in layers]
            for name in ("jacobian_norm", "reaching", "gradient_norm")
        )
        sizes = [len(range(*layer.weights.indices(len(x)))) for layer in layers]
    links = []
    bound = reaching[-1] if reaching else 0.0
    for index in reversed(range(len(layers))):
        links.append(ChainLink(layers[index].name, sizes[index], norms[index], reaching[index], bound, gradients[index]))
        bound *= norms[index]
    return tuple(reversed(links))
