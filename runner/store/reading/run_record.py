"""The record of a stored run, and the facts about it that `runner show` and notebooks print."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from runner.contracts.outcomes import surprise
from runner.contracts.reached import Reached, place_reached, target_gap
from runner.tables.frame import printable
from runner.tables.readable import date, exact, point, rounded

Value = float | int | str | bool | None | tuple[float, ...] | tuple[int, ...]
"""The value of a parameter."""


@dataclass(frozen=True)
class SettingRecord:
    """One plugin as a run used it.

    Attributes:
        kind: objective, gradient, optimizer or rules.
        name: the plugin's name.
        parameters: every parameter, exact and of its own type; a list as a tuple, a file as its path.
        canonical: JSON of name and parameters with floats in hexadecimal, from which the plugin can be restored exactly.
        fingerprint: the fingerprint of the code that computed the run.
    """

    kind: str
    name: str
    parameters: Mapping[str, Value]
    canonical: str
    fingerprint: str


@dataclass(frozen=True)
class Membership:
    """A run's place in an experiment.

    Attributes:
        id: the experiment's row number.
        name: the experiment's name.
        position: the run's place in the experiment's grid, from 0.
        start_number: the number of the run's start within the experiment, from 0.
    """

    id: int
    name: str
    position: int
    start_number: int


@dataclass(frozen=True)
class KnownMinimum:
    """The known minimum of an objective.

    Attributes:
        value: the smallest value.
        x: the minimiser.
        curvature: the smallest and the largest eigenvalue of the Hessian at the minimiser; None if they are unknown.
    """

    value: float
    x: tuple[float, ...]
    curvature: tuple[float, float] | None


class RunOutline(NamedTuple):
    """The part of a run's record that reading its trajectory needs.

    Attributes:
        id: the run's row number.
        identity: SHA-256 over everything that decides the run's numbers, in hexadecimal.
        outcome: a `runner.Outcome` value.
        steps: the number of steps.
        dimension: the number of coordinates of x.
        records_x: whether the iterates are stored.
        records_gradient: whether the gradients are stored, component by component.
    """

    id: int
    identity: str
    outcome: str
    steps: int
    dimension: int
    records_x: bool
    records_gradient: bool


@dataclass(frozen=True)
class RunRecord:
    """One run as the database holds it.

    Attributes:
        id: the run's row number.
        identity: SHA-256 over everything that decides the run's numbers, in hexadecimal.
        objective: the objective.
        gradient: the gradient backend.
        optimizer: the optimizer.
        rules: the stopping rules, and what was recorded.
        start: the starting point.
        dimension: the number of coordinates of x.
        records_x: whether the iterates are stored.
        records_gradient: whether the gradients are stored, component by component.
        outcome: the reason why the run ended, a `runner.Outcome` value.
        behaviour: the way in which f changed, a `runner.Behaviour` value; None if it was not measured.
        error: the reason why the run failed; empty if it did not fail.
        failed_plugin: the class of the plugin that failed; empty if none failed, or if the run is older than schema 0004.
        failed_method: the method of that plugin.
        failed_place: the file and the line that raised the exception, as `file:line`.
        traceback: the traceback of the exception.
        remark: what is doubtful about the run; empty if nothing is.
        steps: the number of steps.
        evaluations: the numbers of evaluations of f, ∇f and ∇²f, by `value`, `gradient` and `hessian`.
        final_value: f at the last iterate; may be NaN or infinite.
        final_gradient_norm: ‖∇f‖ at the last iterate; may be NaN or infinite.
        best_value: the smallest f of the run; NaN if every f was NaN or ∞.
        best_step: the first step with the smallest f.
        minimum: the known minimum of the objective; None if it is unknown.
        target: the largest f − f* of a run that reached the minimum: the smallest target of its experiments, or its stopping
            rule `gap`; None for 1e-6 · max(1, |f*|).
        at_rest: True if ‖∇f‖ is small at the last iterate: at most the rule `gradient_norm`, or at most 1e-8 of ‖∇f‖ at the
            start. This and the six facts below are None if they were not measured.
        convex_gap_bound: ‖∇f‖ · ‖x − x*‖ at the last iterate plus the rounding error of f. A convex f with this gradient lies at
            most this far above f*.
        value_error: the rounding error of f at the last iterate.
        curvature_sign: the signs of the eigenvalues of ∇²f at the last iterate, a `runner.CurvatureSign` value. They are
            measured where the run is at rest away from x*.
        curvature_min: the smallest eigenvalue.
        curvature_max: the largest eigenvalue.
        curvature_error: the error of these eigenvalues.
        seconds: the run's share of its batch's time.
        finished_at: the time at which the run was stored, in seconds since 1970.
        superseded_by: the row number of the run that replaced this one; None for a current run.
        experiments: the experiments to which the run belongs.
        environment: the environment in which the run was computed: `python`, `platform`, `cpu`, `git_commit`, and `packages`
            with their versions.
    """

    id: int
    identity: str
    objective: SettingRecord
    gradient: SettingRecord
    optimizer: SettingRecord
    rules: SettingRecord
    start: tuple[float, ...]
    dimension: int
    records_x: bool
    records_gradient: bool
    outcome: str
    behaviour: str | None
    error: str
    failed_plugin: str
    failed_method: str
    failed_place: str
    traceback: str
    remark: str
    steps: int
    evaluations: Mapping[str, int]
    final_value: float
    final_gradient_norm: float
    best_value: float
    best_step: int
    minimum: KnownMinimum | None
    target: float | None
    at_rest: bool | None
    convex_gap_bound: float | None
    value_error: float | None
    curvature_sign: str | None
    curvature_min: float | None
    curvature_max: float | None
    curvature_error: float | None
    seconds: float
    finished_at: float
    superseded_by: int | None
    experiments: tuple[Membership, ...]
    environment: Mapping[str, str | Mapping[str, str]]

    def _repr_html_(self) -> str:
        """Return, as a table for notebooks, the facts that `runner show` prints; every text in it is escaped."""
        rows = "".join(f"<tr><th>{name}</th><td>{html.escape(text)}</td></tr>" for name, text in run_facts(self))
        return f"<table><caption>{html.escape(title(self))}</caption><tbody>{rows}</tbody></table>"

    @property
    def final_gap(self) -> float:
        """The difference between the last value and the known minimum; NaN if the minimum is unknown."""
        return float("nan") if self.minimum is None else self.final_value - self.minimum.value

    @property
    def reached(self) -> Reached:
        """The place that the run reached."""
        minimum = None if self.minimum is None else self.minimum.value
        return place_reached(
            self.final_value,
            self.best_value,
            minimum,
            self.target,
            self.at_rest,
            self.convex_gap_bound,
            self.value_error,
            self.curvature_sign,
        )


SHOWN_COORDINATES = 4
"""The largest number of coordinates of a point that are shown."""


def title(record: RunRecord) -> str:
    """Return a run's row number and identity, and the row number of the run that replaced it, as text."""
    superseded = "" if record.superseded_by is None else f", superseded by run {record.superseded_by}"
    return printable(f"run {record.id}  {record.identity}{superseded}")


def run_facts(record: RunRecord) -> Iterator[tuple[str, str]]:
    """Yield the facts about a run, each with its name. The texts contain no control characters."""
    memberships = [f"{each.name} ({each.id}), place {each.position}" for each in record.experiments]
    gap = "" if record.minimum is None else f", {rounded(record.final_gap)} above the minimum {rounded(record.minimum.value)}"
    packages = record.environment["packages"]
    versions = [packages] if isinstance(packages, str) else [f"{name} {version}" for name, version in packages.items()]
    surprised = surprise(record.outcome, record.steps, record.final_value, record.best_value, record.best_step)
    machine = filter(None, (str(record.environment[name]) for name in ("python", "cpu", "platform")))
    failed = ".".join(filter(None, (record.failed_plugin, record.failed_method)))
    failure = ", ".join(filter(None, (failed, record.failed_place)))
    facts = {
        "objective": _setting(record.objective),
        "gradient": _setting(record.gradient),
        "optimizer": _setting(record.optimizer),
        "rules": _parameters(record.rules),
        "start": point(record.start, SHOWN_COORDINATES),
        "experiments": ", ".join(memberships) or "none",
        "outcome": ", ".join(filter(None, (record.outcome, record.behaviour, surprised))),
        "reached": reached_in_words(record),
        "error": record.error,
        "failed in": failure,
        "remark": record.remark,
        "steps": f"{record.steps:,}",
        "evaluations": ", ".join(f"{count:,} {name}" for name, count in record.evaluations.items()),
        "final value": exact(record.final_value) + gap,
        "gradient norm": exact(record.final_gradient_norm),
        "best value": f"{exact(record.best_value)} at step {record.best_step:,}",
        "finished": f"{date(record.finished_at)} UTC, {record.seconds:.3g} s",
        "computed with": ", ".join(machine) + f", {', '.join(versions)}",
    }
    for name, text in facts.items():
        if text:
            yield name, printable(text)


def reached_in_words(record: RunRecord) -> str:
    """Return the place that a run reached and the reason, in words; only the place `unknown` if f* is unknown."""
    reached, minimum = record.reached, record.minimum
    if minimum is None:
        return "unknown, because f* is unknown"
    target = rounded(target_gap(record.target, minimum.value))
    above = f"f − f* = {rounded(record.final_gap)} is above the target {target}"
    curvature = ""
    if record.curvature_sign is not None and record.curvature_min is not None and record.curvature_max is not None:
        curvature = (
            f", and the eigenvalues of ∇²f lie between {rounded(record.curvature_min)} and {rounded(record.curvature_max)}, "
            f"± {rounded(record.curvature_error or 0.0)}"
        )
    match reached:
        case Reached.MINIMUM:
            reason = f"f − f* = {rounded(record.final_gap)} is within the target {target}"
        case Reached.BELOW:
            below = rounded(minimum.value - record.best_value)
            reason = f"the best value lies {below} below the stated minimum {rounded(minimum.value)}, which is therefore wrong"
        case Reached.NOT_AT_REST:
            reason = f"{above}, and ‖∇f‖ is not small"
        case Reached.UNKNOWN if record.at_rest is None:
            reason = f"{above}, and it was not measured whether the run is at rest"
        case Reached.UNKNOWN:
            reason = f"{above}, but even a convex f with this gradient could lie as far above f*"
        case _:
            reason = f"‖∇f‖ is small, but {above}{curvature}"
    return f"{reached}: {reason}"


def _setting(setting: SettingRecord) -> str:
    parameters = _parameters(setting)
    return f"{setting.name}  {parameters}" if parameters else setting.name


def _parameters(setting: SettingRecord) -> str:
    return ", ".join(f"{name} = {_value(value)}" for name, value in setting.parameters.items() if value is not None)


def _value(value: Value) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return exact(value) if isinstance(value, float) else str(value)
