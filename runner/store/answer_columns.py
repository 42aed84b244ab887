"""Answers as tables: columns of runs as they are, and beside them the parameters of their settings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement

from runner.frames import Column, ColumnKind, Frame
from runner.labels import Scalar
from runner.store.domains import require
from runner.store.names import KINDS, ParameterName
from runner.store.parameter_values import StoredSetting, scalars
from runner.store.run_columns import RunColumn, from_class


@dataclass(frozen=True)
class ParameterColumn:
    """A parameter as a column.

    Attributes:
        parameter: which.
        kind: what its values are; what those of one table are if None.
    """

    parameter: ParameterName
    kind: ColumnKind | None = None


Wanted = Mapping[str, RunColumn | ParameterColumn]
Answer = Mapping[str, Sequence[Any]]
"""What a query gave: values by label, for each run one."""
Settings = Mapping[int, StoredSetting]
"""Settings by row number."""


def columnar(labels: Sequence[str], rows: Sequence[Sequence[Any]]) -> Answer:
    """Return rows as columns, by their labels."""
    return dict(zip(labels, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(labels, ())


def kinds_of(wanted: Wanted | None) -> Collection[str]:
    """Return the kinds of settings in which the wanted parameters are; all if None."""
    return KINDS if wanted is None else {what.parameter.kind for what in wanted.values() if isinstance(what, ParameterColumn)}


def settings_of(answer: Answer, wanted: Wanted | None) -> set[int]:
    """Return the row numbers of the settings in which the wanted parameters of some runs are; of all if None."""
    return {number for kind in kinds_of(wanted) for number in answer[f"{kind}_id"]}


def frame_of(answer: Answer, wanted: Wanted, settings: Settings) -> Frame:
    """Return the columns that are wanted of some runs."""
    cells = {number: scalars(setting.parameters) for number, setting in settings.items()}
    return Frame([_column(name, what, answer, cells) for name, what in wanted.items()])


def parameter_columns(types: Mapping[ParameterName, set[type]]) -> Wanted:
    """Return a column for each parameter, given the types of its values."""
    order = sorted(types, key=lambda each: (KINDS.index(each.kind), each.name))
    return {f"{each.kind}.{each.name}": ParameterColumn(each, _kind(types[each])) for each in order}


def types_in(settings: Iterable[StoredSetting]) -> dict[ParameterName, set[type]]:
    """Return the types of the values that each parameter has."""
    types: dict[ParameterName, set[type]] = defaultdict(set)
    for setting in settings:
        for name, value in scalars(setting.parameters).items():
            types[ParameterName(setting.kind, name)].add(type(value))
    return types


def expressions(wanted: Wanted) -> Iterator[ColumnElement[Any]]:
    """Give what must be selected for columns."""
    for name, what in wanted.items():
        if isinstance(what, RunColumn):
            yield what.expression.label(f"column {name}")
            if what.number_class is not None:
                yield what.number_class.label(f"class of {name}")


def _column(name: str, what: RunColumn | ParameterColumn, answer: Answer, cells: Mapping[int, Mapping[str, Scalar]]) -> Column:
    if isinstance(what, RunColumn):
        values = answer[f"column {name}"]
        require(what.expression, values)
        if what.number_class is None:
            return Column(name, what.kind, list(values))
        classes = answer[f"class of {name}"]
        restored = [None if each is None else from_class(value, each) for value, each in zip(values, classes, strict=True)]
        return Column(name, what.kind, restored)
    # The setting that the run of a damaged database has may not be there.
    found = [cells.get(number, {}).get(what.parameter.name) for number in answer[f"{what.parameter.kind}_id"]]
    kind = what.kind or _kind(set(map(type, found)))
    return Column(name, kind, [None if value is None else _as(kind, value) for value in found])


def _kind(types: set[type]) -> ColumnKind:
    """Return what holds values of some types, NoneType among them or not."""
    held = types - {type(None)}
    if held == {bool}:
        return "truth"
    if held == {int}:
        return "integer"
    return "number" if held <= {int, float} else "text"


def _as(kind: ColumnKind, value: Any) -> Any:
    """Return a value as a column holds it that may have other types beside it."""
    if kind == "number":
        return float(value)
    if kind == "text" and not isinstance(value, str):
        return str(value).lower() if isinstance(value, bool) else repr(value)
    return value
