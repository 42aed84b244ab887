"""Figures and reports of stored experiments, drawn from the database alone."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runner.contracts.figure import Drawing, Figure
from runner.errors import Interrupted, NoSuchPlugin, QueryError, ReportError, StoreError
from runner.registry.catalogue import Catalogue
from runner.report.checked_drawing import draw_checked, failure_reason
from runner.report.experiment_report import find_figures, report
from runner.report.files import render, write_file
from runner.store.connection import Database
from runner.store.filters.syntax import Filter
from runner.store.reading.stored_results import StoredResults, read_results

if TYPE_CHECKING:
    from runner.report.page import WrittenReport

SUFFIXES = (".svg", ".png", ".pdf")
"""The suffixes of picture files; each names a format."""


def stored_results(database: Database, experiment: int | str, where: Filter | None, catalogue: Catalogue) -> StoredResults:
    """Return the results of an experiment: all its runs, or the runs that satisfy a filter.

    Raises:
        QueryError: the experiment does not exist, the filter is wrong, or no run satisfies it.
        StoreError: the database cannot be read.
    """
    results = read_results(database, experiment, catalogue, where)
    if not results.runs:
        missing = "satisfies the filter" if where is not None else "is stored"
        raise QueryError(f"experiment {results.name} ({results.number}): none of its runs {missing}")
    return results


def draw(results: StoredResults, name: str, catalogue: Catalogue) -> Drawing:
    """Draw one figure.

    Raises:
        QueryError: no figure has this name, or the results hold nothing that the figure shows.
        ReportError: the figure cannot be drawn.
    """
    ((_, figure),) = _figures([name], catalogue)
    with _failures_reported(name):
        drawing = draw_checked(figure, results)
    if drawing is None:
        raise QueryError(f"figure {name!r}: these results hold nothing that it could show")
    return drawing


def plot(path: Path, results: StoredResults, name: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Draw one figure into a file; return its caption, followed by the warnings that the drawing raised.

    Raises:
        QueryError: no figure has this name, the results hold nothing that it shows, or the suffix is not in `SUFFIXES`.
        ReportError: the figure cannot be drawn, or the file cannot be written.
    """
    suffix = path.suffix
    if suffix not in SUFFIXES:
        raise QueryError(f"{path}: must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]} (the suffix sets the format)")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        drawing = draw(results, name, catalogue)
        with _failures_reported(name):
            picture = render(drawing.figure, [suffix[1:]])[suffix[1:]]
        write_file(path.parent, path.name, picture)
    return (drawing.caption, *dict.fromkeys(str(each.message) for each in caught))


def draw_report(folder: Path, results: StoredResults, names: Sequence[str] | None, catalogue: Catalogue) -> WrittenReport:
    """Write the report of a stored experiment.

    Args:
        folder: the folder to write into.
        results: the experiment.
        names: the names of the figures; if None, those in the experiment's file, or the default figures if it has no names.
        catalogue: the plugins among which the figures are looked up.

    Raises:
        QueryError: no figure has one of the names.
        ReportError: the folder cannot be written.
    """
    # Drawing a single figure does not need the reader of experiment files.
    from runner.experiment.reader import DEFAULT_FIGURES

    if names is None:
        try:
            names = tomllib.loads(results.source).get("report", {}).get("figures", DEFAULT_FIGURES)
        except (tomllib.TOMLDecodeError, AttributeError):
            names = DEFAULT_FIGURES
        if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
            names = DEFAULT_FIGURES
    return report(results, _figures(names, catalogue), folder, f"runner report {results.number}", computes=False)


def _figures(names: Sequence[str], catalogue: Catalogue) -> list[tuple[str, Figure]]:
    """Return the figures with the given names.

    Raises:
        QueryError: no figure has one of the names.
        PluginError: a figure cannot be loaded.
    """
    found, errors = find_figures(names, catalogue)
    for _, error in errors:
        if isinstance(error, NoSuchPlugin):
            raise QueryError(f"figure: {error}") from error
        raise error
    return found


@contextmanager
def _failures_reported(name: str) -> Iterator[None]:
    """Turn an exception from a figure plugin into a ReportError that names the figure."""
    try:
        yield
    except (Interrupted, StoreError):
        raise
    except Exception as error:  # a plugin may raise anything
        raise ReportError(f"figure {name!r} could not be drawn: {failure_reason(error)}") from error
