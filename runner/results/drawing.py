"""Figures and reports of stored experiments, drawn again from the database alone."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from runner.experiment.reader import DEFAULT_FIGURES
from runner.contracts.figure import Drawing, Figure
from runner.errors import Interrupted, NoSuchPlugin, QueryError, ReportError, StoreError
from runner.store.filters.syntax import Filter
from runner.registry.catalogue import Catalogue
from runner.report.experiment_report import report
from runner.report.checked_drawing import drawn, reason
from runner.report.files import render_one, write_file
from runner.report.page import WrittenReport
from runner.report.style import house_style
from runner.store.connection import Database
from runner.store.reading.experiments import find_experiment
from runner.store.reading.stored_results import StoredResults, read_results


SUFFIXES = (".svg", ".png", ".pdf")


def stored_results(database: Database, experiment: int | str, where: Filter | None, catalogue: Catalogue) -> StoredResults:
    """Return an experiment, or those of its runs that satisfy a filter.

    Raises:
        QueryError: there is no such experiment, the filter is wrong, or no run satisfies it.
        StoreError: the database cannot be read.
    """
    with database.reading() as connection:
        key = find_experiment(connection, experiment, database.name)
    results = read_results(database, key.name, key.id, catalogue, where)
    if not results.runs:
        reason = "satisfies the filter" if where is not None else "is stored"
        raise QueryError(f"experiment {key.name} ({key.id}): none of its runs {reason}")
    return results


def draw(results: StoredResults, name: str, catalogue: Catalogue) -> Drawing:
    """Draw one figure.

    Raises:
        QueryError: there is no such figure, or these results hold nothing that it could show.
        ReportError: it cannot be drawn.
    """
    (figure,) = _figures([name], catalogue)
    with house_style(), _telling(name):
        drawing = drawn(figure[1], results)
    if drawing is None:
        raise QueryError(f"figure {name!r}: these results hold nothing that it could show")
    return drawing


@contextmanager
def _telling(name: str) -> Iterator[None]:
    """Say which figure could not be drawn."""
    try:
        yield
    except (Interrupted, StoreError):
        raise
    except Exception as error:  # a plugin may raise anything
        raise ReportError(f"figure {name!r} could not be drawn: {reason(error)}") from error


def plot(path: Path, results: StoredResults, name: str, catalogue: Catalogue) -> tuple[str, ...]:
    """Draw one figure into a file; return its caption and what the drawing complained about.

    Raises:
        QueryError: there is no such figure, it shows nothing, or the file's name ends in no known format.
        ReportError: it cannot be drawn or written.
    """
    if path.suffix not in SUFFIXES:
        raise QueryError(f"{path}: must end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}, which says the format")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        drawing = draw(results, name, catalogue)
        with _telling(name):
            picture = render_one(drawing.figure, path.suffix[1:])
        write_file(path.parent, path.name, picture)
    return (drawing.caption, *dict.fromkeys(str(each.message) for each in caught))


def redraw(folder: Path, results: StoredResults, figures: Sequence[str] | None, catalogue: Catalogue) -> WrittenReport:
    """Write the report of an experiment again.

    Args:
        folder: where to write.
        results: the experiment.
        figures: which figures; those that its file names if None.
        catalogue: where figures are looked up.

    Raises:
        QueryError: there is no such figure.
        ReportError: the folder cannot be written.
    """
    chosen = _figures_of(results.source) if figures is None else figures
    return report(results, _figures(chosen, catalogue), folder, f"runner report {results.number}", computes=False)


def _figures(names: Sequence[str], catalogue: Catalogue) -> list[tuple[str, Figure]]:
    found = []
    for name in names:
        try:
            found.append((name, cast(Figure, catalogue.find("figure", name).cls())))
        except NoSuchPlugin as error:
            raise QueryError(f"figure: {error}") from error
    return found


def _figures_of(source: str) -> Sequence[str]:
    """Return the figures that an experiment's file names."""
    try:
        named = tomllib.loads(source).get("report", {}).get("figures", DEFAULT_FIGURES)
    except (tomllib.TOMLDecodeError, AttributeError):
        return DEFAULT_FIGURES
    return named if isinstance(named, list) and all(isinstance(each, str) for each in named) else DEFAULT_FIGURES
