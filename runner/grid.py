"""Experiment to Runs to Batches: pure functions, nothing is computed or stored."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from runner.batches import Batch, with_columns
from runner.contracts import (
    ComputesHessian,
    ComputesJacobian,
    GradientBackend,
    HasResiduals,
    Objective,
    Optimizer,
    Plugin,
    Quantity,
)
from runner.errors import PluginError
from runner.experiment import Experiment, Rules, Run, Setting, Skipped, Start, identities
from runner.minimum import known_minimum
from runner.parameters import parameters_of
from runner.trajectories import chunk_steps

BATCH_BYTES = 2**27
"""The most memory for the part of a batch's trajectories that is being filled."""

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
    if quantity == "hessian" and not isinstance(backend, ComputesHessian):
        return f"because gradient backend {gradient.name} computes no Hessian; use finite_difference"
    if quantity == "jacobian" and not isinstance(backend, ComputesJacobian):
        return f"because gradient backend {gradient.name} computes no Jacobian; use finite_difference"
    if quantity == "jacobian" and not isinstance(function, HasResiduals):
        return f"because objective {objective.name} is not a sum of squares: it has no residuals to take the Jacobian of"
    try:
        return backend.refusal(function, quantity)
    except Exception as error:
        raise PluginError(
            f"gradient backend {gradient.name} cannot say whether it serves objective {objective.name}: "
            f"{type(error).__name__}: {error}"
        ) from error


def batches(runs: Sequence[Run], rules: Rules, max_batch: int) -> Iterator[tuple[Batch, Sequence[Run]]]:
    """Yield the runs in batches that differ only in numbers, each with its runs in the same order."""
    groups: dict[tuple[str | bool, ...], list[Run]] = defaultdict(list)
    known = _minima_known(runs) if rules.stop.gap is not None else {}
    for run in runs:
        structures = run.objective.structure, run.gradient.structure, run.optimizer.structure
        groups[*structures, known.get(run.objective.canonical, False)].append(run)
    for group in groups.values():
        dimension = len(group[0].start.x)
        width = 8 * rules.series(dimension)
        size = max(1, min(max_batch, BATCH_BYTES // (width * chunk_steps(dimension, rules))))
        for first in range(0, len(group), size):
            members = group[first : first + size]
            yield _batch(members, rules), members


def _minima_known(runs: Sequence[Run]) -> dict[str, bool]:
    """Return for each objective whether it knows its minimum, which decides how its runs are stopped."""
    known = {}
    for objective in {run.objective.canonical: run.objective for run in runs}.values():
        try:
            known[objective.canonical] = known_minimum(objective.plugin) is not None
        except Exception:  # what it raises is told when the minimum is needed
            known[objective.canonical] = True
    return known


def _batch(runs: Sequence[Run], rules: Rules) -> Batch:
    return Batch(
        tuple(run.identity for run in runs),
        cast(Objective, _with_columns([run.objective for run in runs])),
        cast(GradientBackend, _with_columns([run.gradient for run in runs])),
        cast(Optimizer, _with_columns([run.optimizer for run in runs])),
        np.array([run.start.x for run in runs]),
        rules,
    )


def _with_columns(settings: Sequence[Setting]) -> Plugin:
    """Return one plugin for all: a column `(runs, 1)` for each float parameter in which they differ."""
    first = settings[0]
    if all(setting is first for setting in settings):
        return first.plugin
    columns: dict[str, Any] = {}
    for name, known in parameters_of(type(first.plugin)).items():
        values = [] if known.plugin else [setting.parameters[name] for setting in settings]
        # By their text, in which 0.0 and −0.0 differ as they do in the runs' identities.
        if known.batched and isinstance(values[0], float) and len(set(map(repr, values))) > 1:
            columns[name] = np.array(values, dtype=np.float64)[:, None]
    for name, wrapped in first.wrapped.items():
        together = _with_columns([setting.wrapped[name] for setting in settings])
        if together is not wrapped.plugin:
            columns[name] = together
    return with_columns(first.plugin, columns) if columns else first.plugin
