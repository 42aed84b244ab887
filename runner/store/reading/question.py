"""Questions about runs, parsed from the texts and values that users write."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, SupportsIndex

from runner.errors import QueryError
from runner.store.filters.sorting import parse_columns, parse_sort
from runner.tables.frame import LARGEST_LIMIT, Frame, shortened

if TYPE_CHECKING:
    from runner.store.filters.syntax import Columns, Filter, Order


Key = SupportsIndex | str
"""A run, by its row number or the beginning of its identity; or an experiment, by its row number or its name."""
Runs = Key | Iterable[Key] | Frame | None
"""A run, several runs, or a table of runs with their `id`."""


@dataclass(frozen=True)
class Question:
    """A question about runs.

    Attributes:
        where: the filter that the runs satisfy; all runs if None.
        sort: their order; by row number if None.
        columns: the columns and parameters of the answer; all if None.
        limit: the largest number of runs; all if None.
    """

    where: Filter | None = None
    sort: Order | None = None
    columns: Columns | None = None
    limit: int | None = None


def parse_question(where: str | None, sort: str | None, columns: str | Sequence[str] | None, limit: int | None) -> Question:
    """Return the question that some texts describe.

    Raises:
        QueryError: a text cannot be understood, or the limit is out of bounds.
    """
    if columns is not None and not isinstance(columns, str):
        columns = ", ".join(columns)
    return Question(
        None if where is None else read_filter(where),
        None if sort is None else parse_sort(sort),
        None if columns is None else parse_columns(columns),
        None if limit is None else checked_limit(limit),
    )


def read_filter(text: str) -> Filter:
    """Return the tree of a filter.

    Raises:
        QueryError: the text cannot be understood.
    """
    # Loading the parser takes longer than answering most questions.
    from runner.store.filters.parsing import parse_filter

    return parse_filter(text)


def checked_limit(limit: int, least: int = 0) -> int:
    """Return a limit of rows as an `int`.

    Raises:
        QueryError: the limit is not a whole number, or is out of bounds.
    """
    if not isinstance(limit, Integral) or not least <= limit <= LARGEST_LIMIT:
        raise QueryError(f"limit: must be a whole number from {least} to {LARGEST_LIMIT:,}, not {limit!r}")
    return int(limit)


def checked_key(key: object, what: str) -> int | str:
    """Return the key of a run or an experiment as an `int` or a `str`.

    Args:
        key: the key.
        what: `run` or `experiment`.

    Raises:
        QueryError: the key is neither a whole number nor a text.
    """
    if isinstance(key, Integral):
        return int(key)
    if isinstance(key, str):
        return key
    text = "the beginning of its identity" if what == "run" else "its name"
    raise QueryError(f"{what}: must be a row number, or {text}, not {shortened(repr(key))}")


def chosen_runs(runs: Runs, where: str | None) -> Question | list[int | str]:
    """Return the runs that two arguments choose: a list of keys if runs are given, otherwise a question with the filter.

    Raises:
        QueryError: both arguments are given, or one of them cannot be understood.
    """
    if runs is None:
        return parse_question(where, None, None, None)
    if where is not None:
        raise QueryError("runs: give runs or a filter, not both")
    if isinstance(runs, Frame):
        if "id" not in runs.names:
            raise QueryError(f"runs: the table has no column id, which names runs; it has: {', '.join(runs.names)}")
        return [int(each) for each in runs["id"]]
    if isinstance(runs, str) or not isinstance(runs, Iterable):
        return [checked_key(runs, "run")]
    # A list may hold thousands of numbers, and an int needs no check.
    return [each if type(each) is int else checked_key(each, "run") for each in runs]
