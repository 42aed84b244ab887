"""The gradients of networks before the first step, layer by layer, and which runs survive them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runner.analysis.summary import LOST_OUTCOMES
from runner.contracts.arrays import Array, norm
from runner.contracts.figure import Results, StoredRun
from runner.contracts.objective import HasLayers
from runner.tables.readable import number

HIDDEN = "objective.hidden"


@dataclass(frozen=True, eq=False)
class InitialGradients:
    """The runs of one objective, and their gradients at the start, layer by layer.

    Attributes:
        variant: the parameters in which it differs from the others, but for its depth, in words.
        names: its layers, from the first to the last.
        runs: the runs.
        at_start: the median norm of the gradient by each layer's weights at the start, `(layers,)`.
        began: the median of f at the start.
        whole: the median norm of the gradient by all weights at the start.
    """

    variant: str
    names: tuple[str, ...]
    runs: tuple[StoredRun, ...]
    at_start: Array
    began: float
    whole: float

    @property
    def depth(self) -> int:
        """How many layers it has."""
        return len(self.names)

    @property
    def spread(self) -> float:
        """The larger of the first layer's norm by the last's and the last's by the first's."""
        first, last = float(self.at_start[0]), float(self.at_start[-1])
        return max(first / last, last / first) if first > 0 and last > 0 else math.inf

    def growth(self, others: Sequence[InitialGradients]) -> float | None:
        """By how much a layer multiplies the gradient at the start, from the shallowest network of this variant to this one."""
        shallow = min((other for other in others if other.variant == self.variant), key=lambda other: other.depth)
        if shallow.depth == self.depth or not shallow.whole > 0:
            return None
        return float((self.whole / shallow.whole) ** (1.0 / (self.depth - shallow.depth)))


@dataclass(frozen=True)
class Survival:
    """What became of the runs of one objective with one optimizer.

    Attributes:
        survived: how many were not lost.
        total: how many there are.
        final: the median of the last f of the survivors; NaN if there is none.
    """

    survived: int
    total: int
    final: float


Survivals = dict[tuple[str, int], dict[str, Survival]]
"""By variant and depth, then by optimizer."""


def initial_gradients(results: Results) -> list[InitialGradients]:
    """Return the objectives whose gradients are stored and whose layers are known."""
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
    found = (_net(results, groups[label], weights, varied) for label, weights in layers.items())
    return [net for net in found if net is not None]


def survivals(nets: Sequence[InitialGradients], swept: Mapping[str, tuple[str, ...]]) -> Survivals:
    """Return what became of the runs, for each variant and depth and each optimizer."""
    fates: Survivals = {}
    for net in nets:
        groups: dict[str, list[StoredRun]] = {}
        for run in net.runs:
            groups.setdefault(_method(run, swept.get(run.optimizer, ())), []).append(run)
        fates[net.variant, net.depth] = {method: _survival(runs) for method, runs in groups.items()}
    return fates


def _varied(nets: Sequence[tuple[StoredRun, int]]) -> list[str]:
    """Return the parameters in which the objectives of some runs differ, each given with its depth.

    The sizes of the hidden layers are among them only if without them two would have the same name and depth.
    """
    mine = [{key: value for key, value in run.parameters.items() if key.startswith("objective.")} for run, _ in nets]
    keys = dict.fromkeys(key for parameters in mine for key in parameters)
    varied = [key for key in keys if len({repr(each.get(key)) for each in mine}) > 1]
    others = [key for key in varied if key != HIDDEN]
    names = {(_variant(run, others), depth) for run, depth in nets}
    return others if len(names) == len(nets) else varied


def _net(
    results: Results, runs: Sequence[StoredRun], weights: Mapping[str, slice], varied: Sequence[str]
) -> InitialGradients | None:
    firsts = [(series.gradient[0], series.value[0]) for _, series in results.series(runs)
              if series.gradient is not None and len(series.gradient)]  # fmt: skip
    if not firsts:
        return None
    gradients = np.array([gradient for gradient, _ in firsts])
    by_layer = np.array([norm(gradients[:, place]) for place in weights.values()])
    return InitialGradients(
        _variant(runs[0], varied),
        tuple(weights),
        tuple(runs),
        np.median(by_layer, axis=1),
        float(np.median([value for _, value in firsts])),
        float(np.median(norm(by_layer.T))),
    )


def _variant(run: StoredRun, varied: Sequence[str]) -> str:
    """Return some parameters in words, names before numbers; what is switched off is not told, nor what is wrapped."""
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


def _survival(runs: Sequence[StoredRun]) -> Survival:
    finals = [run.final_value for run in runs if run.outcome not in LOST_OUTCOMES]
    return Survival(len(finals), len(runs), float(np.median(finals)) if finals else math.nan)


def _method(run: StoredRun, swept: Sequence[str]) -> str:
    """Return the optimizer and its swept parameters, but for bounds that are infinite."""
    values = {name: run.parameters.get(f"optimizer.{name}") for name in swept}
    told = [
        f"{name} = {number(value)}" for name, value in values.items() if isinstance(value, int | float) and math.isfinite(value)
    ]
    return ", ".join([run.optimizer, *told])
