"""`runner show`."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from runner.cli.answers import brief_format_option
from runner.cli.databases import db_option
from runner.cli.list import date
from runner.cli.sparkline import sparkline
from runner.database import ResultsDatabase
from runner.formats import json_value
from runner.frames import printable, text_of
from runner.records import RunRecord, SettingRecord

if TYPE_CHECKING:
    from runner.contracts import Series

WIDTH = 60
ENDS = 3
COORDINATES = 4


@click.command(short_help="Show everything that is known of a run.")
@click.argument("run")
@db_option
@brief_format_option
def show(run: str, db: str, form: str) -> None:
    """Show everything that is known of a run, and its trajectory in short.

    RUN is a row number, or the beginning of an identity, as `runner runs` shows them.

    \b
    Examples:
      runner show 12
      runner show 3f9a2c
    """
    with ResultsDatabase(db) as database:
        record = database.run(run)
        if form == "json":
            click.echo(json.dumps(_plain(asdict(record)), indent=2, allow_nan=False))
            return
        ((_, series),) = database.trajectories(record.id)
    for line in [*_facts(record), "", *_trajectory(record, series)]:
        click.echo(line)


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return json_value(value)


def _facts(record: RunRecord) -> Iterator[str]:
    yield f"run {record.id}  {record.identity}"
    if record.superseded_by is not None:
        yield f"superseded by run {record.superseded_by}"
    rows = [
        ("objective", _setting(record.objective)),
        ("gradient", _setting(record.gradient)),
        ("optimizer", _setting(record.optimizer)),
        ("rules", _values(record.rules)),
        ("start", _point(record.start)),
        ("experiments", ", ".join(f"{each.name} ({each.id}), place {each.position}" for each in record.experiments) or "none"),
        ("outcome", record.outcome + (f", {record.behaviour}" if record.behaviour else "")),
        *([("error", record.error)] if record.error else []),
        ("steps", f"{record.steps:,}"),
        ("evaluations", ", ".join(f"{count:,} {name}" for name, count in record.evaluations.items())),
        ("final value", f"{record.final_value!r}" + _gap(record)),
        ("gradient norm", repr(record.final_gradient_norm)),
        ("best value", f"{record.best_value!r} at step {record.best_step:,}"),
        ("finished", f"{date(record.finished_at)} UTC, {record.seconds:.3g} s"),
        ("computed with", _environment(record)),
    ]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        yield f"  {name:{width}}  {printable(text)}"


def _setting(setting: SettingRecord) -> str:
    values = _values(setting)
    return f"{setting.name}  {values}" if values else setting.name


def _values(setting: SettingRecord) -> str:
    return ", ".join(f"{name} = {_value(value)}" for name, value in setting.parameters.items() if value is not None)


def _value(value: object) -> str:
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else str(value)


def _point(x: Sequence[float]) -> str:
    shown = ", ".join(f"{each:.6g}" for each in x[:COORDINATES])
    return f"({shown}{', …' if len(x) > COORDINATES else ''})"


def _gap(record: RunRecord) -> str:
    return "" if record.minimum is None else f", {record.final_gap:.6g} above the minimum {record.minimum.value:.6g}"


def _environment(record: RunRecord) -> str:
    packages = record.environment["packages"]
    versions = ", ".join(f"{name} {version}" for name, version in packages.items()) if not isinstance(packages, str) else packages
    return ", ".join(filter(None, (str(record.environment[name]) for name in ("python", "cpu", "platform")))) + f", {versions}"


def _trajectory(record: RunRecord, series: Series) -> Iterator[str]:
    """Give the first, the best and the last steps, and a line of all."""
    count = len(series.value)
    if count == 0:
        yield "no step is stored"
        return
    values = series.value.tolist()
    name, heights = ("f − f*", [each - record.minimum.value for each in values]) if record.minimum else ("f", values)
    scale, picture = sparkline(heights, WIDTH)
    yield f"  {picture}  {name}{scale}"
    places = sorted({*range(min(ENDS, count)), min(record.best_step, count - 1), *range(max(0, count - ENDS), count)})
    yield f"  {'step':>8}  {'f':>13}  {'‖∇f‖':>13}  x"
    before = -1
    for place in places:
        if place > before + 1:
            yield f"  {'…':>8}"
        before = place
        x = "" if series.x is None else _point(series.x[place].tolist())
        best = "  best" if place == record.best_step and not math.isnan(record.best_value) else ""
        norm = text_of(float(series.gradient_norm[place]))
        yield f"  {place:>8,}  {text_of(values[place]):>13}  {norm:>13}  {x}{best}".rstrip()
