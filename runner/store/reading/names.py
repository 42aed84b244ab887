"""What names in a question mean: a column of runs, the experiment, or a parameter of a plugin."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, exists, select

from runner.errors import QueryError
from runner.store import schema
from runner.store.filters.syntax import Literal, Name, complaint
from runner.store.reading.run_sql import COLUMN_SQL, ColumnSQL
from runner.store.run_columns import SETTING_KINDS
from runner.tables.frame import shortened

EXPERIMENT = "experiment"
SHOWN_NAMES = 12


@dataclass(frozen=True)
class ParameterName:
    """A parameter.

    Attributes:
        kind: objective, gradient, optimizer or rules.
        name: the parameter's.
    """

    kind: str
    name: str


Meaning = ColumnSQL | ParameterName | None
"""A column, a parameter, or the experiment, which is None."""


class Names:
    """The names that a database knows.

    Args:
        connection: to it.
        what: what is asked, for messages: `filter`, `order` or `columns`.
        text: the question, for messages.
    """

    def __init__(self, connection: Connection, what: str, text: str) -> None:
        self._connection = connection
        self._what = what
        self._text = text

    def meaning(self, name: Name) -> Meaning:
        """Return what a name means.

        Raises:
            QueryError: nothing, or several things; the text points at the name.
        """
        if name.text == EXPERIMENT:
            return None
        if name.text in COLUMN_SQL:
            return COLUMN_SQL[name.text]
        kind, dot, rest = name.text.partition(".")
        if dot and kind in SETTING_KINDS:
            return self._qualified(name, kind, rest)
        kinds = [each for each in SETTING_KINDS if self._has(each, name.text)]
        if len(kinds) == 1:
            return ParameterName(kinds[0], name.text)
        if kinds:
            choices = " or ".join(f"{each}.{name.text}" for each in kinds)
            raise self.wrong(name.position, f"{name.text} is a parameter of {' and of '.join(kinds)}; write {choices}")
        raise self._unknown(name, "", name.text, [*COLUMN_SQL, EXPERIMENT, *self._parameters(SETTING_KINDS)])

    def wrong(self, position: int, problem: str) -> QueryError:
        """Return the error that points at a place."""
        return complaint(self._what, self._text, position, problem)

    def require_known(self, literals: Sequence[Literal], what: str, known: Sequence[str | int]) -> None:
        """Refuse values that there are not: with a slip in one, a filter would answer with nothing, or everything.

        Raises:
            QueryError: there is such a value; it points there.
        """
        for each in literals:
            if each.value not in known:
                value, kind = each.value, str if isinstance(each.value, str) else int
                named = repr(shortened(value)) if isinstance(value, str) else value
                hint = _hint("", str(value), [str(other) for other in known if isinstance(other, kind)])
                raise self.wrong(each.position, f"there is no {what} {named}; {hint}")

    def experiments(self) -> list[str | int]:
        """Return the names and the row numbers of all experiments."""
        table = schema.experiment
        rows = self._connection.execute(select(table.c.id, table.c.name).order_by(table.c.name, table.c.id)).all()
        return [*dict.fromkeys(row.name for row in rows), *sorted(row.id for row in rows)]

    def _qualified(self, name: Name, kind: str, rest: str) -> Meaning:
        if self._has(kind, rest):
            return ParameterName(kind, rest)
        if rest == "name" and kind in COLUMN_SQL:
            return COLUMN_SQL[kind]
        raise self._unknown(name, f"{kind}.", rest, self._parameters([kind]))

    def _has(self, kind: str, parameter: str) -> bool:
        """Whether a setting of that kind has a parameter of that name; the first that has ends the search."""
        setting, table = schema.setting, schema.parameter
        has = exists().where(table.c.setting_id == setting.c.id, table.c.name == parameter)
        query = select(setting.c.id).where(setting.c.kind == kind, has).limit(1)
        return self._connection.execute(query).first() is not None

    def _parameters(self, kinds: Sequence[str]) -> list[str]:
        setting, table = schema.setting, schema.parameter
        query = select(table.c.name).join(setting, setting.c.id == table.c.setting_id).where(setting.c.kind.in_(kinds)).distinct()
        return sorted(self._connection.execute(query).scalars())

    def _unknown(self, name: Name, kind: str, wanted: str, known: Sequence[str]) -> QueryError:
        return self.wrong(name.position, f"there is no {shortened(name.text)}; {_hint(kind, wanted, known)}")


def _hint(kind: str, wanted: str, known: Sequence[str]) -> str:
    """Say what comes closest to what is wanted, or what there is."""
    close = difflib.get_close_matches(wanted, known, n=1)
    if close:
        return f"did you mean {kind}{close[0]}?"
    more = ", …" if len(known) > SHOWN_NAMES else ""
    shown = ", ".join(f"{kind}{each}" for each in known[:SHOWN_NAMES])
    return f"there are {shown}{more}" if known else "no run that is stored has any"
