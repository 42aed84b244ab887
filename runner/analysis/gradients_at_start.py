"""The gradients of networks before the first step, layer by layer, and the number of their runs that are not lost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from runner.contracts.arrays import Array, norm
from runner.contracts.figure import Results, StoredRun
from runner.contracts.objective import HasLayers
from runner.contracts.reached import LOST_OUTCOMES
from runner.tables.readable import number

HIDDEN = "objective.hidden"
"""The parameter that holds the sizes of the hidden layers."""


class Growth(NamedTuple):
    """The factor by which each further layer multiplies the gradient that reaches the first layer.

    Attributes:
        factor: the geometric mean over the starts.
        error: its standard error; NaN if a network has a single start.
        starts: the smaller number of starts of the two networks that are compared. Starts without a gradient are left out.
    """

    factor: float
    error: float
    starts: int

    @property
    def words(self) -> str:
        """The factor ± its error in words, or the reason if it is unknown: one start, or an error above half of the factor."""
        if self.starts == 1:
            return "cannot tell from one start"
        if self.error > 0.5 * self.factor:
            return "cannot tell, because the starts differ too much"
        return f"{number(self.factor)} ± {number(self.error)}"


@dataclass(frozen=True, eq=False)
class InitialGradients:
    """The runs of one network, and their gradients at the start, layer by layer.

    Attributes:
        variant: the parameters other than depth in which the network differs from the others, as text.
        names: the names of its layers, from the first to the last.
        runs: its runs.
        at_start: the median norm of the gradient with respect to each layer's weights at the start, `(layers,)`.
        began: the median of f at the start.
        whole: the median norm of the gradient with respect to all weights at the start.
        first: the norm of the gradient with respect to the weights of the first layer, at each start, `(starts,)`.
    """

    variant: str
    names: tuple[str, ...]
    runs: tuple[StoredRun, ...]
    at_start: Array
    began: float
    whole: float
    first: Array

    @property
    def depth(self) -> int:
        """The number of its layers."""
        return len(self.names)

    @property
    def spread(self) -> float:
        """The ratio of the first layer's norm to the last layer's, or its inverse if that is larger."""
        first, last = float(self.at_start[0]), float(self.at_start[-1])
        return max(first / last, last / first) if first > 0 and last > 0 else math.inf

    def growth(self, others: Sequence[InitialGradients]) -> Growth | None:
        """Return the factor by which each further layer multiplies the gradient that reaches the first layer; None if unknown.

        The factor is measured at the starts, from the shallowest network of the same variant to this one.

        Args:
            others: the networks to compare with, this one included.
        """
        shallow = min((other for other in others if other.variant == self.variant), key=lambda other: other.depth)
        here, there = (np.log(net.first[(net.first > 0) & np.isfinite(net.first)]) for net in (self, shallow))
        layers, starts = self.depth - shallow.depth, min(len(here), len(there))
        if not layers or not starts:
            return None
        factor = math.exp(float(here.mean() - there.mean()) / layers)
        if starts == 1:
            return Growth(factor, math.nan, starts)
        spread = math.sqrt(float(here.var(ddof=1)) / len(here) + float(there.var(ddof=1)) / len(there))
        return Growth(factor, factor * spread / layers, starts)


@dataclass(frozen=True)
class Survival:
    """The runs of one network with one optimizer, after they ended.

    Attributes:
        survived: the number of runs that were not lost.
        total: the number of runs.
        final: the median of the last f of the runs that were not lost; NaN if all were lost.
    """

    survived: int
    total: int
    final: float


Survivals = dict[tuple[str, int], dict[str, Survival]]
"""The survival of runs by variant and depth, then by optimizer."""


def initial_gradients(results: Results) -> list[InitialGradients]:
    """Return the networks of an experiment: the objectives whose layers are known and whose gradients are stored."""
    groups: dict[str, list[StoredRun]] = {}
    for run in results.runs:
        if run.records_gradient:
            groups.setdefault(run.objective, []).append(run)
    layers: dict[str, Mapping[str, slice]] = {}
    for label, runs in groups.items():
        objective = results.objective(runs[0])
        if isinstance(objective, HasLayers):
            layers[label] = objective.layer_weights
    varied = _varied([(groups[label][0], len(weights)) for label, weights in layers.items()])
    found = []
    for label, weights in layers.items():
        runs = groups[label]
        # Runs from the same start have the same gradient there, so each start counts once.
        starts = {
            run.start: (series.gradient[0], series.value[0])
            for run, series in results.series(runs)
            if series.gradient is not None and len(series.gradient)
        }
        if not starts:
            continue
        gradients = np.array([gradient for gradient, _ in starts.values()])
        by_layer = np.array([norm(gradients[:, place]) for place in weights.values()])
        found.append(
            InitialGradients(
                _variant(runs[0], varied),
                tuple(weights),
                tuple(runs),
                np.median(by_layer, axis=1),
                float(np.median([value for _, value in starts.values()])),
                float(np.median(norm(by_layer.T))),
                by_layer[0],
            )
        )
    return found


def survivals(nets: Sequence[InitialGradients], swept: Mapping[str, tuple[str, ...]]) -> Survivals:
    """Return the survival of the runs for each variant and depth, and for each optimizer.

    Args:
        nets: the networks.
        swept: for each optimizer's label, its swept parameters, which are part of the optimizer's name in the result.
    """
    found: Survivals = {}
    for net in nets:
        groups: dict[str, list[StoredRun]] = {}
        for run in net.runs:
            values = {name: run.parameters.get(f"optimizer.{name}") for name in swept.get(run.optimizer, ())}
            # An infinite bound has no effect, so it is left out of the name.
            finite = {name: value for name, value in values.items() if isinstance(value, int | float) and math.isfinite(value)}
            method = ", ".join([run.optimizer, *(f"{name} = {number(value)}" for name, value in finite.items())])
            groups.setdefault(method, []).append(run)
        by_optimizer = found[net.variant, net.depth] = {}
        for method, runs in groups.items():
            finals = [run.final_value for run in runs if run.outcome not in LOST_OUTCOMES]
            by_optimizer[method] = Survival(len(finals), len(runs), float(np.median(finals)) if finals else math.nan)
    return found


def _varied(nets: Sequence[tuple[StoredRun, int]]) -> list[str]:
    """Return the parameters in which some networks differ; each network is given as a run and its depth.

    The sizes of the hidden layers are included only if two networks would otherwise have the same name and depth.
    """
    parameters = [{key: value for key, value in run.parameters.items() if key.startswith("objective.")} for run, _ in nets]
    keys = dict.fromkeys(key for each in parameters for key in each)
    varied = [key for key in keys if len({repr(each.get(key)) for each in parameters}) > 1]
    others = [key for key in varied if key != HIDDEN]
    names = {(_variant(run, others), depth) for run, depth in nets}
    return others if len(names) == len(nets) else varied


def _variant(run: StoredRun, varied: Sequence[str]) -> str:
    """Return some parameters as text, with parameters that are words first.

    Parameters that are switched off, and wrapped objectives, are left out.
    """
    words, numbers = [], []
    for key in varied:
        name, value = key.partition(".")[2], run.parameters.get(key)
        if not value or name == "objective":
            continue
        if isinstance(value, str) or value is True:
            words.append(name if value is True else value)
        else:
            numbers.append(f"{name} = {number(value)}")
    return ", ".join([*words, *numbers]) or run.objective
