"""The report: one HTML page that needs nothing else, with its pictures and tables beside it as files."""

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

from runner.contracts.figure import Figure, Results, StoredRun
from runner.contracts.outcomes import BEHAVIOURS
from runner.errors import Interrupted, StoreError
from runner.report.checked_drawing import drawn, heading, reason
from runner.report.files import render, write_file
from runner.report.style import OUTCOME_COLOURS, house_style
from runner.tables.frame import printable_lines

PAGE = "index.html"
FIGURES = "figures"
SHOWN_ERRORS = 25
MOST_ROWS = 30
"""A table with more is folded, for the pictures to stay in sight."""


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Attributes:
        header: the columns' headings.
        rows: the cells, each row as long as the header.
    """

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def csv(self) -> bytes:
        """The table as a CSV file: UTF-8, lines ended by a line feed."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.header, *self.rows])
        return text.getvalue().encode()

    @property
    def numeric(self) -> list[bool]:
        """For each column whether it is better read with its ends aligned."""
        return [_is_numeric(column) for column in zip(*self.rows, strict=True)] or [False] * len(self.header)


@dataclass(frozen=True)
class Section:
    """A table with its place on the page, and as a file.

    Attributes:
        name: the file's name without its suffix.
        title: the heading.
        caption: how to read it.
        table: what people read; without rows it is not on the page.
        export: what programs read.
    """

    name: str
    title: str
    caption: str
    table: Table
    export: Table


@dataclass(frozen=True)
class WrittenReport:
    """What was written.

    Attributes:
        page: the page to open.
        files: every file, the page included.
        warnings: one sentence for each figure that could not be drawn, or that Matplotlib complained about.
    """

    page: Path
    files: tuple[Path, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Picture:
    """A figure's place on the page.

    Attributes:
        name: the plugin's name.
        title: the heading.
        caption: what the picture shows, or why there is none.
        files: the pictures by their suffix, and its table as `csv`; empty if there is none.
        warnings: what went wrong, one sentence each.
        table: the numbers that belong to it.
    """

    name: str
    title: str
    caption: str
    files: dict[str, bytes]
    warnings: tuple[str, ...] = ()
    table: Table | None = None

    @property
    def source(self) -> str:
        """The SVG picture as a data URI; inside an image element its scripts and identifiers stay its own."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.files["svg"]).decode()


@dataclass(frozen=True)
class ErrorGroup:
    """Runs that failed with the same message.

    Attributes:
        runs: how many.
        places: the combinations in which they occurred.
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
    """Draw every figure and write the page, the pictures and the tables into a folder, which is made if it is missing.

    The same results give the same bytes. A figure that cannot be drawn costs its own place alone, which then says why.

    Args:
        folder: where to write.
        results: the experiment as the database holds it.
        figures: the names of the figure plugins and the plugins, in the order of the page.
        sections: the tables, in the order of the page.
        command: what to type to compute these results again, or to draw them again.
        computes: which of the two it does.

    Raises:
        ReportError: the folder or a file in it cannot be written.
    """
    # Before the drawing, so that a folder that cannot be written is known at once.
    written = [write_file(folder, f"{section.name}.csv", section.export.csv) for section in sections]
    pictures = [draw_picture(name, figure, results) for name, figure in figures]
    for picture in pictures:
        for suffix, content in picture.files.items():
            written.append(write_file(folder / FIGURES, f"{picture.name}.{suffix}", content))
    files = [path.relative_to(folder).as_posix() for path in written]
    html = render_page(results, pictures, sections, (command, computes), [PAGE, *files])
    page = write_file(folder, PAGE, html.encode())
    complaints = tuple(warning for picture in pictures for warning in picture.warnings)
    return WrittenReport(page, (page, *written), complaints)


def draw_picture(name: str, figure: Figure, results: Results) -> Picture:
    """Draw one figure in the house style; an exception or a warning becomes a sentence.

    Raises:
        Interrupted: the user stopped it.
        StoreError: the database is damaged.
    """
    with warnings.catch_warnings(record=True) as caught, house_style():
        warnings.simplefilter("always")
        try:
            drawing = drawn(figure, results)
            files = {} if drawing is None else render(drawing.figure)
            caption = "These results hold nothing that this figure could show." if drawing is None else drawing.caption
            table = Table(drawing.table[0], drawing.table[1:]) if drawing is not None and drawing.table else None
            failures = []
        except (Interrupted, StoreError):
            raise
        except Exception as error:  # a plugin may raise anything, and the other figures must not suffer
            files, caption, table = {}, f"This figure could not be drawn: {reason(error)}", None
            failures = [f"figure {name!r} could not be drawn: {reason(error)}"]
    complaints = dict.fromkeys(f"figure {name!r}: {warning.message}" for warning in caught)
    files |= {} if table is None else {"csv": table.csv}
    return Picture(name, heading(figure, name), caption, files, (*failures, *complaints), table)


def render_page(
    results: Results, pictures: Sequence[Picture], sections: Sequence[Section], command: tuple[str, bool], files: Sequence[str]
) -> str:
    """Return the page as HTML; whatever comes from the database is escaped, and what is not for reading is written out."""
    template = resources.files("runner.report").joinpath("page.html.jinja").read_text("utf-8")
    environment = Environment(
        autoescape=True, finalize=_readable, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    outcomes = Counter(run.outcome for run in results.runs)
    known = [outcome for outcome in OUTCOME_COLOURS if outcome in outcomes]
    behaviours = Counter(run.behaviour for run in results.runs)
    errors = group_errors(results.runs)
    return environment.from_string(template).render(
        name=results.name,
        description=results.description,
        runs=len(results.runs),
        outcomes=[(outcome, outcomes[outcome]) for outcome in [*known, *sorted(outcomes.keys() - set(known))]],
        behaviours=[f"{behaviours[behaviour]} {behaviour}" for behaviour in BEHAVIOURS if behaviour in behaviours],
        colours=OUTCOME_COLOURS,
        sections=[section for section in sections if section.table.rows],
        most_rows=MOST_ROWS,
        pictures=pictures,
        errors=errors[:SHOWN_ERRORS],
        more_errors=len(errors[SHOWN_ERRORS:]),
        failed=sum(group.runs for group in errors),
        command=command[0],
        computes=command[1],
        files=files,
    )


def group_errors(runs: Sequence[StoredRun]) -> list[ErrorGroup]:
    """Group the runs that have an error by its message, the most frequent first."""
    groups: dict[str, list[StoredRun]] = {}
    for run in runs:
        if run.error:
            groups.setdefault(run.error, []).append(run)
    found = []
    for message, failed in groups.items():
        places = dict.fromkeys(f"{run.objective} × {run.gradient} × {run.optimizer}" for run in failed)
        found.append(ErrorGroup(len(failed), "; ".join(places), message))
    return sorted(found, key=lambda group: (-group.runs, group.message))


def _readable(value: object) -> object:
    return printable_lines(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _is_numeric(column: Sequence[str]) -> bool:
    return any(column) and all(re.fullmatch(r"|-?[\d.]+(e-?\d+)?|unknown|-?infinite", cell) for cell in column)
