"""Answers as tables: columns of runs as they are, and beside them the parameters of their settings."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, TextClause, func, or_, select, text

from runner.frames import Column, ColumnKind, Frame
from runner.store import schema
from runner.store.names import KINDS, ParameterName
from runner.store.run_columns import RunColumn, among, from_class

LOOKUP = 5000
"""How many keys go into one query."""


@dataclass(frozen=True)
class ParameterColumn:
    """A parameter as a column.

    Attributes:
        parameter: which.
        kind: a number, or a text where some of its values are none.
    """

    parameter: ParameterName
    kind: ColumnKind


Wanted = Mapping[str, RunColumn | ParameterColumn]
Parameters = Mapping[tuple[int, str], tuple[float | None, str | None]]
"""Number and text of parameters, by the setting's row number and the parameter's name."""
Answer = Mapping[str, Sequence[Any]]
"""What a query gave: values by label, for each run one."""


def columnar(labels: Sequence[str], rows: Sequence[Sequence[Any]]) -> Answer:
    """Return rows as columns, by their labels."""
    return dict(zip(labels, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(labels, ())


def frame_of(connection: Connection, answer: Answer, wanted: Wanted) -> Frame:
    """Return the columns that are wanted of some runs; their parameters are read for it."""
    parameters = _parameters(connection, answer, wanted)
    return Frame([_column(name, what, answer, parameters) for name, what in wanted.items()])


def used_by(connection: Connection, answer: Answer) -> Wanted:
    """Return every parameter that some runs have."""
    settings = sorted({number for kind in KINDS for number in answer[f"{kind}_id"]})
    texts: Counter[tuple[str, str]] = Counter()
    for first in range(0, len(settings), LOOKUP):
        counted = _names_of(text(among("setting.id", settings[first : first + LOOKUP])))
        texts.update({(kind, name): count for kind, name, count in connection.execute(counted)})
    return _parameter_columns(texts)


def used_by_all(connection: Connection, query: Select[Any]) -> Wanted:
    """Return every parameter that the runs of a query have, whatever its limit, without reading them."""
    some = query.order_by(None).limit(None).subquery()
    mine = or_(*(schema.setting.c.id.in_(select(some.c[f"{kind}_id"])) for kind in KINDS))
    return _parameter_columns({(kind, name): count for kind, name, count in connection.execute(_names_of(mine))})


def _names_of(which: ColumnElement[bool] | TextClause) -> Select[Any]:
    """Return the query for the parameters of settings: kind, name, and how many of them are texts."""
    setting, table = schema.setting, schema.parameter
    joined_ = select(setting.c.kind, table.c.name, func.count(table.c.text)).join(setting, setting.c.id == table.c.setting_id)
    return joined_.where(which).group_by(setting.c.kind, table.c.name)


def _parameter_columns(texts: Mapping[tuple[str, str], int]) -> Wanted:
    order = sorted(texts, key=lambda key: (KINDS.index(key[0]), key[1]))
    return {
        f"{kind}.{name}": ParameterColumn(ParameterName(kind, name), "text" if texts[kind, name] else "number")
        for kind, name in order
    }


def expressions(wanted: Wanted) -> Iterator[ColumnElement[Any]]:
    """Give what must be selected for columns."""
    for name, what in wanted.items():
        if isinstance(what, RunColumn):
            yield what.expression.label(f"column {name}")
            if what.number_class is not None:
                yield what.number_class.label(f"class of {name}")


def _parameters(connection: Connection, answer: Answer, wanted: Wanted) -> Parameters:
    """Read those parameters of the runs that are wanted, once for each setting."""
    names: dict[str, list[str]] = defaultdict(list)
    for what in wanted.values():
        if isinstance(what, ParameterColumn):
            names[what.parameter.kind].append(what.parameter.name)
    table = schema.parameter
    found: dict[tuple[int, str], tuple[float | None, str | None]] = {}
    for kind, some in names.items():
        settings = sorted(set(answer[f"{kind}_id"]))
        query = select(table.c.setting_id, table.c.name, table.c.number, table.c.text).where(table.c.name.in_(some))
        for first in range(0, len(settings), LOOKUP):
            values = connection.execute(query.where(text(among("setting_id", settings[first : first + LOOKUP]))))
            found.update({(setting, name): (number, words) for setting, name, number, words in values})
    return found


def _column(name: str, what: RunColumn | ParameterColumn, answer: Answer, parameters: Parameters) -> Column:
    if isinstance(what, RunColumn):
        values = answer[f"column {name}"]
        restored = values if what.number_class is None else map(from_class, values, answer[f"class of {name}"])
        return Column(name, what.kind, list(restored))
    settings = answer[f"{what.parameter.kind}_id"]
    pairs = [parameters.get((setting, what.parameter.name), (None, None)) for setting in settings]
    if what.kind == "number":
        return Column(name, "number", [number for number, _ in pairs])
    return Column(name, "text", [words if number is None else repr(number) for number, words in pairs])
