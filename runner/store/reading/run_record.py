"""One stored run with everything that is known of it."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from runner.tables.frame import printable
from runner.tables.readable import date, exact, point, rounded

Value = float | int | str | bool | None | tuple[float, ...] | tuple[int, ...]


@dataclass(frozen=True)
class SettingRecord:
    """One plugin as a run used it.

    Attributes:
        kind: objective, gradient, optimizer or rules.
        name: the plugin's name.
        parameters: every parameter, exact and of its own type; a list as a tuple, a file as its path.
        canonical: JSON of name and parameters, floats in hexadecimal: exact, and enough to make the plugin again.
        fingerprint: of the code that computed the run.
    """

    kind: str
    name: str
    parameters: Mapping[str, Value]
    canonical: str
    fingerprint: str


@dataclass(frozen=True)
class Membership:
    """An experiment that a run belongs to.

    Attributes:
        id: the experiment's row number.
        name: its name.
        position: the run's place in its grid, from 0.
        start_number: the number of the run's start within it, from 0.
    """

    id: int
    name: str
    position: int
    start_number: int


@dataclass(frozen=True)
class KnownMinimum:
    """What is known of an objective's smallest value.

    Attributes:
        value: it.
        x: where.
        curvature: smallest and largest eigenvalue of the Hessian there, or None.
    """

    value: float
    x: tuple[float, ...]
    curvature: tuple[float, float] | None


class RunHead(NamedTuple):
    """What must be known of a run to read its trajectory.

    Attributes:
        id: the row's number.
        identity: SHA-256 over everything that decides its numbers, in hexadecimal.
        outcome: a `runner.Outcome` value.
        steps: how many steps it took.
        dimension: how many coordinates x has.
        records_x: whether its iterates are stored.
        records_gradient: whether its gradients are stored, component by component.
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
        id: the row's number.
        identity: SHA-256 over everything that decides its numbers, in hexadecimal.
        objective: the objective.
        gradient: the gradient backend.
        optimizer: the optimizer.
        rules: when it had to stop, and what was recorded.
        start: the starting point.
        dimension: how many coordinates x has.
        records_x: whether its iterates are stored.
        records_gradient: whether its gradients are stored, component by component.
        outcome: a `runner.Outcome` value.
        behaviour: how it moved; None where nobody measured it.
        error: why it failed, else the empty string.
        steps: how many steps it took.
        evaluations: how often f, ∇f and ∇²f were computed, by `value`, `gradient`, `hessian`.
        final_value: f at the last iterate; may be NaN or infinite.
        final_gradient_norm: ‖∇f‖ there.
        best_value: the smallest f seen, NaN if none was finite.
        best_step: the step where it was first seen.
        minimum: what is known of its objective's minimum, or None.
        seconds: its share of its batch's time.
        finished_at: when it was stored, in seconds since 1970.
        superseded_by: the row's number of the run that took its place, or None.
        experiments: the experiments that it belongs to.
        environment: where it was computed: `python`, `platform`, `cpu`, `git_commit`, and `packages` with their versions.
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
    steps: int
    evaluations: Mapping[str, int]
    final_value: float
    final_gradient_norm: float
    best_value: float
    best_step: int
    minimum: KnownMinimum | None
    seconds: float
    finished_at: float
    superseded_by: int | None
    experiments: tuple[Membership, ...]
    environment: Mapping[str, str | Mapping[str, str]]

    def _repr_html_(self) -> str:
        """Return what a notebook shows, which is what `runner show` says; every text in it is escaped."""
        rows = "".join(f"<tr><th>{name}</th><td>{html.escape(text)}</td></tr>" for name, text in run_facts(self))
        return f"<table><caption>{html.escape(title(self))}</caption><tbody>{rows}</tbody></table>"

    @property
    def final_gap(self) -> float:
        """How far the last value lies above the known minimum; NaN where that is unknown."""
        return float("nan") if self.minimum is None else self.final_value - self.minimum.value


COORDINATES = 4
"""So many of a point are shown."""


def title(record: RunRecord) -> str:
    """Return which run it is, and which took its place."""
    superseded = "" if record.superseded_by is None else f", superseded by run {record.superseded_by}"
    return printable(f"run {record.id}  {record.identity}{superseded}")


def run_facts(record: RunRecord) -> Iterator[tuple[str, str]]:
    """Give what is known of a run, each with its name; a terminal obeys nothing of it."""
    for name, text in _facts(record):
        yield name, printable(text)


def _facts(record: RunRecord) -> Iterator[tuple[str, str]]:
    yield "objective", _setting(record.objective)
    yield "gradient", _setting(record.gradient)
    yield "optimizer", _setting(record.optimizer)
    yield "rules", _values(record.rules)
    yield "start", point(record.start, COORDINATES)
    memberships = [f"{each.name} ({each.id}), place {each.position}" for each in record.experiments]
    yield "experiments", ", ".join(memberships) or "none"
    yield "outcome", record.outcome + (f", {record.behaviour}" if record.behaviour else "")
    if record.error:
        yield "error", record.error
    yield "steps", f"{record.steps:,}"
    yield "evaluations", ", ".join(f"{count:,} {name}" for name, count in record.evaluations.items())
    yield "final value", exact(record.final_value) + _gap(record)
    yield "gradient norm", exact(record.final_gradient_norm)
    yield "best value", f"{exact(record.best_value)} at step {record.best_step:,}"
    yield "finished", f"{date(record.finished_at)} UTC, {record.seconds:.3g} s"
    yield "computed with", _environment(record)


def _setting(setting: SettingRecord) -> str:
    values = _values(setting)
    return f"{setting.name}  {values}" if values else setting.name


def _values(setting: SettingRecord) -> str:
    return ", ".join(f"{name} = {_value(value)}" for name, value in setting.parameters.items() if value is not None)


def _value(value: Value) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return exact(value) if isinstance(value, float) else str(value)


def _gap(record: RunRecord) -> str:
    return "" if record.minimum is None else f", {rounded(record.final_gap)} above the minimum {rounded(record.minimum.value)}"


def _environment(record: RunRecord) -> str:
    packages = record.environment["packages"]
    versions = ", ".join(f"{name} {version}" for name, version in packages.items()) if not isinstance(packages, str) else packages
    return ", ".join(filter(None, (str(record.environment[name]) for name in ("python", "cpu", "platform")))) + f", {versions}"
