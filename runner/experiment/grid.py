"""The grid of an experiment: every combination of its objectives, gradient backends, optimizers and starts."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from runner.contracts.gradient_backend import GradientBackend
from runner.contracts.kinds import capability_for
from runner.contracts.objective import HasResiduals, Objective
from runner.contracts.optimizer import Optimizer
from runner.contracts.plugin import Quantity
from runner.errors import describe
from runner.experiment.labels import Scalar, label
from runner.experiment.model import Experiment, Run, Skipped, Start, UnusableSetting, identities
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
    """Return every grid point with its identity, without those that are excluded or impossible."""
    # Each pair of objective and backend is examined once, and not again for every learning rate.
    refusals: dict[tuple[str, str, Quantity], str | None] = {}
    left_out: Counter[tuple[str, str]] = Counter()
    cells: list[tuple[Setting, Setting, Setting, Start]] = []
    starts = dict(zip(experiment.objectives, experiment.starts, strict=True))
    names = setting_names(experiment) if experiment.unusable else {}
    starts_each = len(experiment.starts[0])  # every objective has the same number of starts
    for cell in itertools.product(*experiment.all_settings):
        reason: str | None = None
        if any(exclusion.matches(dict(zip(experiment.axes, cell, strict=True))) for exclusion in experiment.exclude):
            reason = "excluded by the experiment"
        unusable = next((setting for setting in cell if isinstance(setting, UnusableSetting)), None)
        if reason is None and unusable is not None:
            left_out[" × ".join(names[setting] for setting in cell), f"because {unusable.reason}"] += starts_each
            continue
        objective, gradient, optimizer = cast(tuple[Setting, Setting, Setting], cell)
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
            left_out[" × ".join(setting.name for setting in cell), reason] += starts_each
    runs = {identity: Run(identity, *cell) for identity, cell in zip(identities(experiment.rules, cells), cells, strict=True)}
    skipped = tuple(Skipped(combination, reason, count) for (combination, reason), count in left_out.items())
    return Grid(tuple(runs.values()), skipped, len(cells) - len(runs))


def setting_names(experiment: Experiment) -> dict[Setting | UnusableSetting, str]:
    """Return a name for each setting. If a plugin has several settings, the name has the parameters in which they differ."""
    names: dict[Setting | UnusableSetting, str] = {}
    for settings in experiment.all_settings:
        labels = label([(setting.name, cast(Mapping[str, Scalar], setting.parameters)) for setting in settings], numbers=True)
        names.update(zip(settings, labels.labels, strict=True))
    return names


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
        reason: object = backend.refusal(function, quantity)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        said = f"its method refusal raised {describe(error)}"
    else:
        if reason is None or isinstance(reason, str):
            return reason
        said = f"its method refusal must return None or a reason in words, not {reason!r:.60}"
    return f"because gradient backend {gradient.name} cannot say whether it serves objective {objective.name}: {said}"
