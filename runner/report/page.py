"""The page of a report: one self-contained HTML file, with its pictures and tables as separate files in the same folder."""

from __future__ import annotations

import base64
import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from runner.analysis.summary import count_endings, surprises_in_words
from runner.contracts.figure import Figure, Results, StoredRun
from runner.contracts.outcomes import BEHAVIOURS
from runner.errors import Interrupted, StoreError
from runner.report.checked_drawing import draw_checked, failure_reason
from runner.report.files import render, write_file
from runner.report.style import ENDING_COLOURS
from runner.tables.frame import printable_lines

PAGE = "index.html"
FIGURES = "figures"
SHOWN_ERRORS = 25
"""Largest number of error messages on the page."""
MOST_UNFOLDED_ROWS = 30
"""A table with more rows is folded, so that the pictures below it stay in sight."""


@dataclass(frozen=True)
class Table:
    """A table whose cells are texts.

    Attributes:
        header: the headings of the columns.
        rows: the cells; each row is as long as the header.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def csv(self) -> bytes:
        """The content of a CSV file with the table, in UTF-8; a line feed ends each line."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.header, *self.rows])
        return text.getvalue().encode()

    @property
    def numeric(self) -> list[bool]:
        """For each column, true if every cell is a number or stands for a number. The page aligns such a column to the right."""
        return [
            any(column) and all(re.fullmatch(r"|-?[\d.]+(e-?\d+)?|unknown|-?infinite", cell) for cell in column)
            for column in zip(*self.rows, strict=True)
        ] or [False] * len(self.header)


@dataclass(frozen=True)
class Section:
    """A table on the page, and the CSV file that belongs to it.

    Attributes:
        name: the CSV file's name without its suffix.
        title: the heading above the table.
        caption: the explanation above the table.
        table: the table on the page, numbers rounded; without rows the section is left out.
        export: the table in the CSV file, numbers in full.
    """

    name: str
    title: str
    caption: str
    table: Table
    export: Table


@dataclass(frozen=True)
class WrittenReport:
    """The files of a report that was written.

    Attributes:
        page: the path of the page.
        files: the paths of all files, the page included.
        warnings: one sentence for each figure that could not be drawn, and for each warning that drawing raised.
    """

    page: Path
    files: tuple[Path, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """A figure on the page.

    Attributes:
        name: the name of the figure plugin.
        title: the heading above the picture.
        caption: the caption, or the reason why the picture is missing.
        files: the contents of the files by suffix: the pictures, and the table as `csv`; empty if the picture is missing.
        warnings: one sentence for each failure and each warning.
        table: the table below the picture, if the figure has one.
    """

    name: str
    title: str
    caption: str
    files: dict[str, bytes]
    warnings: tuple[str, ...] = ()
    table: Table | None = None

    @property
    def source(self) -> str:
        """The SVG picture as a data URI. In an image element, no script runs, and identifiers of two pictures do not clash."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.files["svg"]).decode()


@dataclass(frozen=True)
class ErrorGroup:
    """Runs that failed with the same message.

    Attributes:
        runs: the number of runs.
        places: the combinations of objective, gradient backend and optimizer in which the message occurred.
        message: the message.
    """

    runs: int
    places: str
    message: str


def write_report(
    folder: Path,
    results: Results,
    figures: Sequence[tuple[str, Figure]],
    sections: Sequence[Section],
    command: str,
    computes: bool = True,
) -> WrittenReport:
    """Draw every figure, and write the page, the pictures and the tables into a folder.

    The same results give the same bytes. If a figure cannot be drawn, the page shows the reason in place of the picture, and the
    rest of the page is not affected.

    Args:
        folder: the folder to write into; it is created if it is missing.
        results: the experiment as the database holds it.
        figures: the figure plugins with their names, in the order of the page.
        sections: the tables, in the order of the page.
        command: the command line that produces this report again; the page shows it.
        computes: true if that command also computes missing runs, false if it only draws.

    Raises:
        ReportError: the folder or a file in it cannot be written.
    """
    # The tables come first, so that a folder that cannot be written is reported before the long work of drawing.
    written = [write_file(folder, f"{section.name}.csv", section.export.csv) for section in sections]
    pictures = [draw_picture(name, figure, results) for name, figure in figures]
    for picture in pictures:
        for suffix, content in picture.files.items():
            written.append(write_file(folder / FIGURES, f"{picture.name}.{suffix}", content))
    files = [path.relative_to(folder).as_posix() for path in written]
    html = render_page(results, pictures, sections, (command, computes), [PAGE, *files])
    page = write_file(folder, PAGE, html.encode())
    return WrittenReport(page, (page, *written), tuple(warning for picture in pictures for warning in picture.warnings))


def draw_picture(name: str, figure: Figure, results: Results) -> Picture:
    """Draw one figure; report each exception and warning as a sentence.

    Raises:
        Interrupted: the user pressed Ctrl-C.
        StoreError: the database is damaged.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            drawing = draw_checked(figure, results)
            files = {} if drawing is None else render(drawing.figure)
            caption = "These results hold nothing that this figure could show." if drawing is None else drawing.caption
            table = Table(drawing.table[0], drawing.table[1:]) if drawing is not None and drawing.table else None
            failures = []
        except (Interrupted, StoreError):
            raise
        except Exception as error:  # a plugin may raise anything, and the other figures must still be drawn
            files, caption, table = {}, f"This figure could not be drawn: {failure_reason(error)}", None
            failures = [f"figure {name!r} could not be drawn: {failure_reason(error)}"]
    caught_warnings = dict.fromkeys(f"figure {name!r}: {warning.message}" for warning in caught)
    files |= {} if table is None else {"csv": table.csv}
    title: object = getattr(figure, "title", None)
    title = title if isinstance(title, str) and title else name
    return Picture(name, title, caption, files, (*failures, *caught_warnings), table)


def render_page(
    results: Results, pictures: Sequence[Picture], sections: Sequence[Section], command: tuple[str, bool], files: Sequence[str]
) -> str:
    """Return the page as HTML.

    Every text is escaped, and unprintable characters are shown as escape sequences.

    Args:
        results: the experiment as the database holds it.
        pictures: the figures, drawn.
        sections: the tables.
        command: the command line that produces this report again, and true if it also computes missing runs.
        files: the paths of the report's files, relative to its folder.
    """
    template = resources.files("runner.report").joinpath("page.html.jinja").read_text("utf-8")

    def finalize(value: object) -> object:
        return printable_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value

    environment = Environment(autoescape=True, finalize=finalize, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    behaviours = Counter(run.behaviour for run in results.runs)
    errors = group_errors(results.runs)
    return environment.from_string(template).render(
        name=results.name,
        description=results.description,
        runs=len(results.runs),
        outcomes=list(count_endings(results.runs).items()),
        behaviours=[f"{behaviours[behaviour]} {behaviour}" for behaviour in BEHAVIOURS if behaviour in behaviours],
        surprises=surprises_in_words(results.runs),
        colours=ENDING_COLOURS,
        sections=[section for section in sections if section.table.rows],
        most_unfolded_rows=MOST_UNFOLDED_ROWS,
        pictures=pictures,
        errors=errors[:SHOWN_ERRORS],
        more_errors=len(errors[SHOWN_ERRORS:]),
        failed=sum(group.runs for group in errors),
        command=command[0],
        computes=command[1],
        files=files,
    )


def group_errors(runs: Sequence[StoredRun]) -> list[ErrorGroup]:
    """Group the runs that have an error message by that message, the most frequent message first."""
    groups: dict[str, list[StoredRun]] = {}
    for run in runs:
        if run.error:
            groups.setdefault(run.error, []).append(run)
    found = []
    for message, failed in groups.items():
        places = dict.fromkeys(f"{run.objective} × {run.gradient} × {run.optimizer}" for run in failed)
        found.append(ErrorGroup(len(failed), "; ".join(places), message))
    return sorted(found, key=lambda group: (-group.runs, group.message))
