"""What is known of a stored run, line by line, as a terminal and a notebook show it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from runner.frames import printable
from runner.readable import date, exact, point, rounded

if TYPE_CHECKING:
    from runner.records import RunRecord, SettingRecord, Value

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
