"""The grid of an experiment: every combination of its objectives, gradient backends, optimizers and starts."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import cast

from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.kinds import capability_for
from runner.contracts.objective import HasResiduals, Objective
from runner.contracts.optimizer import Optimizer
from runner.contracts.plugin import Kind, Quantity
from runner.errors import PluginError
from runner.experiment.model import Experiment, Run, Skipped, Start, identities
from runner.registry.setting import Setting


@dataclass(frozen=True)
class Grid:
    """An expanded experiment.

    Attributes:
        runs: every grid point once, in the order objective, gradient, optimizer, start.
        skipped: the grid points that are left out, and the reasons.
        repeated: the number of grid points that are the same as an earlier grid point.
    """

    runs: tuple[Run, ...]
    skipped: tuple[Skipped, ...]
    repeated: int


def expand(experiment: Experiment) -> Grid:
    """Return every grid point with its identity, without those that are excluded or impossible.

    Raises:
        PluginError: a gradient backend cannot say whether it serves an objective.
    """
    # Each pair of objective and backend is examined once, and not again for every learning rate.
    refusals: dict[tuple[str, str, Quantity], str | None] = {}
    left_out: Counter[tuple[str, str]] = Counter()
    cells: list[tuple[Setting, Setting, Setting, Start]] = []
    starts = dict(zip(experiment.objectives, experiment.starts, strict=True))
    for objective, gradient, optimizer in itertools.product(experiment.objectives, experiment.gradients, experiment.optimizers):
        settings: dict[Kind, Setting] = {"objective": objective, "gradient": gradient, "optimizer": optimizer}
        reason: str | None = None
        if any(exclusion.matches(settings) for exclusion in experiment.exclude):
            reason = "excluded by the experiment"
        for quantity in _needs(optimizer) if reason is None else ():
            key = (objective.structure, gradient.structure, quantity)
            if key not in refusals:
                refusals[key] = _refusal(objective, gradient, quantity)
            reason = refusals[key]
            if reason is not None:
                break
        if reason is None:
            cells.extend((objective, gradient, optimizer, start) for start in starts[objective])
        else:
            names = " × ".join(setting.name for setting in settings.values())
            left_out[names, reason] += len(starts[objective])
    runs = {identity: Run(identity, *cell) for identity, cell in zip(identities(experiment.rules, cells), cells, strict=True)}
    skipped = tuple(Skipped(names, reason, count) for (names, reason), count in left_out.items())
    return Grid(tuple(runs.values()), skipped, len(cells) - len(runs))


def _needs(optimizer: Setting) -> dict[Quantity, None]:
    """Return the quantities that an optimizer and its wrapped optimizers need, each once, with the gradient first."""
    own: dict[Quantity, None] = dict.fromkeys(("gradient", *cast(Optimizer, optimizer.plugin).needs))
    wrapped = (setting for setting in optimizer.wrapped.values() if setting.kind == "optimizer")
    return own | dict.fromkeys(quantity for setting in wrapped for quantity in _needs(setting))


def _refusal(objective: Setting, gradient: Setting, quantity: Quantity) -> str | None:
    """Return the reason why a backend cannot compute a quantity of an objective; None if it can."""
    backend, function = cast(GradientBackend, gradient.plugin), cast(Objective, objective.plugin)
    capability = capability_for(quantity)
    if capability is not None and not isinstance(backend, capability.protocol):
        return f"because gradient backend {gradient.name} computes no {capability.name}; use finite_difference"
    if quantity == "jacobian" and not isinstance(function, HasResiduals):
        return f"because objective {objective.name} is not a sum of squares: it has no residuals"
    try:
        return backend.refusal(function, quantity)
    except Exception as error:
        raise PluginError(
            f"gradient backend {gradient.name} cannot say whether it serves objective {objective.name}: "
            f"{type(error).__name__}: {error}"
        ) from error
