"""The chain rule through the layers of an objective: what each does to the gradient, and the product that reaches each weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.objective import HasLayers
from runner.inspection.inspected_objective import InspectedObjective, as_plugin_error


@dataclass(frozen=True)
class ChainLink:
    """One layer, as the gradient comes back through it.

    Attributes:
        name: of the layer.
        weights: how many it has.
        jacobian_norm: the spectral norm of its own Jacobian.
        reaching: ‖∂f/∂a‖ where a is what leaves the layer: the product of everything above it.
        bound: the most that `reaching` can be: the last layer's, times the Jacobian norms of all layers above this one.
        gradient_norm: of the gradient by its weights.
    """

    name: str
    weights: int
    jacobian_norm: float
    reaching: float
    bound: float
    gradient_norm: float


def chain_rule(inspected: InspectedObjective, x: Array) -> tuple[ChainLink, ...]:
    """Return the links from the first layer to the last; none, if the objective is no chain of layers.

    Raises:
        PluginError: the objective fails.
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
    for place in reversed(range(len(layers))):
        links.append(ChainLink(layers[place].name, sizes[place], norms[place], reaching[place], bound, gradients[place]))
        bound *= norms[place]
    return tuple(reversed(links))
