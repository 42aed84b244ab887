"""Drawing: figures and reports, from the database alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.database.asking import Asking
from runner.database.questions import Key, catalogue_with, plain, read_filter

if TYPE_CHECKING:
    from runner.contracts import Drawing
    from runner.offers import Catalogue
    from runner.report.page import WrittenReport
    from runner.store.reading import StoredResults


class Redrawing(Asking):
    """A results database that draws."""

    def figure(self, name: str, experiment: Key, *, where: str | None = None, plugins: Sequence[str | Path] = ()) -> Drawing:
        """Draw a figure from the database alone; it is a Matplotlib figure with a caption.

        Args:
            name: the figure's name, as `runner plugins` lists it.
            experiment: an experiment's name, for the one that was run last, or its row number.
            where: a filter; all of its runs if None.
            plugins: files with plugins to load first.

        Raises:
            QueryError: there is no such figure or experiment, or nothing to show.
            ReportError: it cannot be drawn.
        """
        # Matplotlib takes longer to load than most questions to answer.
        from runner.redrawing import draw

        catalogue = catalogue_with(plugins)
        return draw(self._results(experiment, where, catalogue), name, catalogue)

    def plot(
        self,
        path: str | Path,
        name: str,
        experiment: Key,
        *,
        where: str | None = None,
        plugins: Sequence[str | Path] = (),
    ) -> tuple[str, ...]:
        """Draw a figure into a file, whose name ends in .svg, .png or .pdf; the same database gives the same bytes.

        Args:
            path: the file.
            name: the figure's name.
            experiment: an experiment's name, for the one that was run last, or its row number.
            where: a filter; all of its runs if None.
            plugins: files with plugins to load first.

        Returns:
            The caption, and behind it what the drawing complained about.

        Raises:
            QueryError: there is no such figure or experiment, or nothing to show.
            ReportError: it cannot be drawn or written.
        """
        # As above.
        from runner.redrawing import plot

        catalogue = catalogue_with(plugins)
        return plot(Path(path), self._results(experiment, where, catalogue), name, catalogue)

    def report(
        self,
        folder: str | Path,
        experiment: Key,
        *,
        where: str | None = None,
        figures: Sequence[str] | None = None,
        plugins: Sequence[str | Path] = (),
    ) -> WrittenReport:
        """Write the report of an experiment from the database alone; the same database gives the same bytes.

        Args:
            folder: where to write; it is made if it is missing.
            experiment: an experiment's name, for the one that was run last, or its row number.
            where: a filter; all of its runs if None.
            figures: which figures; those that the experiment's file names if None.
            plugins: files with plugins to load first.

        Raises:
            QueryError: there is no such figure or experiment.
            ReportError: the folder cannot be written.
        """
        # As above.
        from runner.redrawing import redraw

        catalogue = catalogue_with(plugins)
        return redraw(Path(folder), self._results(experiment, where, catalogue), figures, catalogue)

    def _results(self, experiment: Key, where: str | None, catalogue: Catalogue) -> StoredResults:
        # As above.
        from runner.redrawing import stored_results

        return stored_results(
            self._database, plain(experiment, "experiment"), None if where is None else read_filter(where), catalogue
        )
