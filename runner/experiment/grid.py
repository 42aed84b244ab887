"""Experiment to Runs to Batches: pure functions, nothing is computed or stored."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.kinds import capability_for
from runner.contracts.objective import HasResiduals, Objective
from runner.contracts.optimizer import Optimizer
from runner.contracts.plugin import Quantity
from runner.errors import PluginError
from runner.experiment.model import Experiment, Run, Skipped, Start, identities
from runner.registry.setting import Setting

Combination = tuple[Setting, Setting, Setting]


@dataclass(frozen=True)
class Grid:
    """An expanded experiment.

    Attributes:
        runs: every grid point once, in the order objective, gradient, optimizer, start.
        skipped: what was left out, and why.
        repeated: how many grid points were the same as an earlier one.
    """

    runs: tuple[Run, ...]
    skipped: tuple[Skipped, ...]
    repeated: int


def expand(experiment: Experiment) -> Grid:
    """Return every grid point with its identity, without those that are excluded or impossible."""
    refusals = _Refusals()
    left_out: Counter[tuple[str, str]] = Counter()
    cells: list[tuple[Setting, Setting, Setting, Start]] = []
    starts = dict(zip(experiment.objectives, experiment.starts, strict=True))
    for combination in itertools.product(experiment.objectives, experiment.gradients, experiment.optimizers):
        reason = _reason_against(experiment, combination, refusals)
        if reason is None:
            cells.extend((*combination, start) for start in starts[combination[0]])
        else:
            names = " × ".join(setting.name for setting in combination)
            left_out[names, reason] += len(starts[combination[0]])
    runs = {identity: Run(identity, *cell) for identity, cell in zip(identities(experiment.rules, cells), cells, strict=True)}
    skipped = tuple(Skipped(names, reason, count) for (names, reason), count in left_out.items())
    return Grid(tuple(runs.values()), skipped, len(cells) - len(runs))


def _reason_against(experiment: Experiment, combination: Combination, refusals: _Refusals) -> str | None:
    objective, gradient, optimizer = combination
    settings = {"objective": objective, "gradient": gradient, "optimizer": optimizer}
    if any(exclusion.matches(cast(Any, settings)) for exclusion in experiment.exclude):
        return "excluded by the experiment"
    reasons = (refusals.of(objective, gradient, quantity) for quantity in _needs(optimizer))
    return next((reason for reason in reasons if reason is not None), None)


def _needs(optimizer: Setting) -> dict[Quantity, None]:
    """Return what an optimizer, and what it wraps, asks of a point, each once and the gradient first."""
    own: dict[Quantity, None] = dict.fromkeys(("gradient", *cast(Optimizer, optimizer.plugin).needs))
    wrapped = (setting for setting in optimizer.wrapped.values() if setting.kind == "optimizer")
    return own | dict.fromkeys(quantity for setting in wrapped for quantity in _needs(setting))


class _Refusals:
    """Asks each backend about each objective once, not once for every learning rate."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, Quantity], str | None] = {}

    def of(self, objective: Setting, gradient: Setting, quantity: Quantity) -> str | None:
        key = (objective.structure, gradient.structure, quantity)
        if key not in self._known:
            self._known[key] = _refusal(objective, gradient, quantity)
        return self._known[key]


def _refusal(objective: Setting, gradient: Setting, quantity: Quantity) -> str | None:
    backend, function = cast(GradientBackend, gradient.plugin), cast(Objective, objective.plugin)
    capability = capability_for(quantity)
    if capability is not None and not isinstance(backend, capability.protocol):
        return f"because gradient backend {gradient.name} computes no {capability.name}; use finite_difference"
    if quantity == "jacobian" and not isinstance(function, HasResiduals):
        return f"because objective {objective.name} is not a sum of squares: it has no residuals to take the Jacobian of"
    try:
        return backend.refusal(function, quantity)
    except Exception as error:
        raise PluginError(
            f"gradient backend {gradient.name} cannot say whether it serves objective {objective.name}: "
            f"{type(error).__name__}: {error}"
        ) from error
