"""The report of an experiment: its figures by name, and the tables that stand above them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from runner.analysis.learning_rates import CAPTION, rate_sweeps, rates_export, rates_table
from runner.analysis.summary import SUMMARY_CAPTION, settings_table, summarize, summarize_settings, summary_table
from runner.contracts.figure import Figure, Results
from runner.errors import PluginError
from runner.registry.catalogue import Catalogue

if TYPE_CHECKING:
    from runner.report.page import WrittenReport


def find_figures(names: Sequence[str], catalogue: Catalogue) -> tuple[list[tuple[str, Figure]], list[tuple[int, PluginError]]]:
    """Return the figure plugins with the given names, and an error for each name that cannot be used.

    The caller decides whether an error is a mistake in an experiment file or in an argument.

    Returns:
        The names that can be used, each with its plugin; and the errors, each with the index of its name in `names`.
    """
    found, errors = [], []
    for place, name in enumerate(names):
        try:
            found.append((name, cast(Figure, catalogue.find("figure", name).cls())))
        except PluginError as error:
            errors.append((place, error))
    return found, errors


def report(
    results: Results, figures: Sequence[tuple[str, Figure]], folder: Path, command: str, computes: bool = True
) -> WrittenReport:
    """Write the report of an experiment from stored results alone.

    Args:
        results: the experiment, as the database holds it.
        figures: the figures to draw, by name, in the order of the page.
        folder: the folder to write into; it is created if it is missing.
        command: the command line that produces this report again; the page shows it.
        computes: true if that command also computes missing runs, false if it only draws.

    Raises:
        StoreError: the database is damaged.
        ReportError: the folder cannot be written.
    """
    # Loading Matplotlib takes longer than computing a small sweep, and many commands write no report.
    from runner.report.page import Section, Table, write_report

    summary, settings = summary_table(summarize(results.runs)), settings_table(summarize_settings(results.runs))
    sections = [Section("summary", "Summary", SUMMARY_CAPTION, Table(*summary), Table(*settings))]
    if sweeps := rate_sweeps(results):
        sections.append(Section("rates", "Learning rates", CAPTION, Table(*rates_table(sweeps)), Table(*rates_export(sweeps))))
    return write_report(folder, results, figures, sections, command, computes)
