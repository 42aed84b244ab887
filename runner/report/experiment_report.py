"""The report of an experiment: its figures and tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from runner.analysis.learning_rates import CAPTION, rate_sweeps, rates_export, rates_table
from runner.analysis.summary import SUMMARY_CAPTION, settings_table, summarize, summarize_settings, summary_table
from runner.contracts.figure import Figure, Results
from runner.errors import ExperimentError, PluginError
from runner.experiment.model import Experiment
from runner.registry.catalogue import Catalogue

if TYPE_CHECKING:
    from runner.report.page import WrittenReport


def find_figures(experiment: Experiment, catalogue: Catalogue) -> list[tuple[str, Figure]]:
    """Return the figures of an experiment's report, by name.

    Raises:
        ExperimentError: there is no such figure, or it cannot be loaded.
    """
    found, problems = [], []
    for number, name in enumerate(experiment.figures):
        try:
            found.append((name, cast(Figure, catalogue.find("figure", name).cls())))
        except PluginError as error:
            problems.append(f"report.figures[{number}]: {error}")
    if problems:
        raise ExperimentError(str(experiment.path), problems)
    return found


def report(
    results: Results, figures: Sequence[tuple[str, Figure]], folder: Path, command: str, computes: bool = True
) -> WrittenReport:
    """Write the report of an experiment from the database alone.

    Args:
        results: the experiment, as the database holds it.
        figures: what to draw.
        folder: where to write.
        command: what to type to compute the results again, or to draw them again.
        computes: which of the two it does.

    Raises:
        StoreError: the database is damaged.
        ReportError: the folder cannot be written.
    """
    # Matplotlib takes longer to load than a small sweep to compute, and many calls write no report.
    from runner.report.page import Section, Table, write_report

    summary, settings = summary_table(summarize(results.runs)), settings_table(summarize_settings(results.runs))
    sections = [Section("summary", "Summary", SUMMARY_CAPTION, Table(*summary), Table(*settings))]
    if sweeps := rate_sweeps(results):
        sections.append(Section("rates", "Learning rates", CAPTION, Table(*rates_table(sweeps)), Table(*rates_export(sweeps))))
    return write_report(folder, results, figures, sections, command, computes)
