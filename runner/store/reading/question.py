"""What is asked, from the texts that people give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, SupportsIndex

from runner.errors import QueryError
from runner.store.filters.sorting import parse_columns, parse_sort
from runner.store.reading.runs_table import Question
from runner.tables.frame import MOST_ROWS, Frame, shortened

if TYPE_CHECKING:
    from runner.registry.catalogue import Catalogue
    from runner.store.filters.syntax import Filter


Key = SupportsIndex | str
"""A run's row number, or the beginning of its identity; an experiment's row number, or its name. Any whole number will do."""
Runs = Key | Iterable[Key] | Frame | None
"""A run, several, or a table of runs with their `id`."""


def question(where: str | None, sort: str | None, columns: str | Sequence[str] | None, limit: int | None) -> Question:
    """Return what is asked, from texts.

    Raises:
        QueryError: one of them cannot be understood.
    """
    if columns is not None and not isinstance(columns, str):
        columns = ", ".join(columns)
    return Question(
        None if where is None else read_filter(where),
        None if sort is None else parse_sort(sort),
        None if columns is None else parse_columns(columns),
        None if limit is None else checked_limit(limit),
    )


def checked_limit(limit: int, least: int = 0) -> int:
    """Return how many rows at most, as Python's own whole number.

    Raises:
        QueryError: it is none, or out of all bounds.
    """
    if not isinstance(limit, Integral) or not least <= limit <= MOST_ROWS:
        raise QueryError(f"limit: must be a whole number from {least} to {MOST_ROWS:,}, not {limit!r}")
    return int(limit)


def read_filter(text: str) -> Filter:
    """Return what a filter says.

    Raises:
        QueryError: it cannot be understood.
    """
    # The parsing library takes longer to load than most questions to answer.
    from runner.store.filters.parsing import parse_filter

    return parse_filter(text)


def catalogue_with(plugins: Sequence[str | Path]) -> Catalogue:
    """Return the installed plugins, and those in some files.

    Raises:
        PluginError: a file cannot be loaded.
    """
    # Plugins take longer to find than most questions to answer.
    from runner.registry.registry import Registry

    catalogue = Registry()
    for file in plugins:
        catalogue.load_file(Path(file))
    return catalogue


def wanted(runs: Runs, where: str | None) -> Question | list[int | str]:
    """Return what to ask for: the runs that are named, or those of the filter, or all.

    Raises:
        QueryError: both are given, or the filter cannot be understood.
    """
    if runs is None:
        return question(where, None, None, None)
    if where is not None:
        raise QueryError("runs: give runs or a filter, not both")
    if isinstance(runs, Frame):
        if "id" not in runs.names:
            raise QueryError(f"runs: the table has no column id, which names runs; it has: {', '.join(runs.names)}")
        return [int(each) for each in runs["id"]]
    if isinstance(runs, str) or not isinstance(runs, Iterable):
        return [plain(runs, "run")]
    # Thousands of Python's own numbers need no closer look.
    return [each if type(each) is int else plain(each, "run") for each in runs]


def plain(key: object, what: str) -> int | str:
    """Return what names a run or an experiment as Python's own.

    Raises:
        QueryError: it is neither a whole number nor a text.
    """
    if isinstance(key, Integral):
        return int(key)
    if isinstance(key, str):
        return key
    text = "the beginning of its identity" if what == "run" else "its name"
    raise QueryError(f"{what}: must be a row number, or {text}, not {shortened(repr(key))}")
