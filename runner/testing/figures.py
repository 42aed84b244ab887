"""The checks of a figure, on made-up results."""

from __future__ import annotations

import sys
import warnings
from typing import Any

from runner.contracts.figure import Drawing, Figure, Results
from runner.errors import PluginError
from runner.report.checked_drawing import check_drawing
from runner.report.files import render
from runner.report.style import house_style
from runner.testing.check import Check, Failure, Skip, describe_error, fail_unless, make_checks
from runner.testing.declarations import declaration_checks
from runner.testing.samples import SampleResults, failed_run


def checks_of(figure: Figure) -> list[Check]:
    """Return the checks of a figure, in their order."""
    suite = _FigureSuite(figure)
    return make_checks(
        ("title", suite.title, ()),
        ("drawing", suite.drawing, ("validate", "title")),
        ("same bytes", suite.same_bytes, ("drawing",)),
        ("no runs", suite.no_runs, ("drawing",)),
        ("lost runs", suite.lost_runs, ("drawing",)),
        first=declaration_checks(figure),
    )


class _FigureSuite:
    """The bodies of the checks of one figure."""

    def __init__(self, figure: Figure) -> None:
        self.figure = figure
        self.name = type(figure).__name__

    def title(self) -> None:
        title: object = getattr(self.figure, "title", None)
        fail_unless(isinstance(title, str) and bool(title), f'{self.name} needs a title, as in title: ClassVar[str] = "..."')

    def drawing(self) -> None:
        open_before = _open_figures()
        drawing = self._draw(SampleResults(), "made-up results")
        if drawing is None:
            raise Skip("because the figure draws nothing for the made-up results of runner.testing")
        try:
            check_drawing(f"{self.name}.draw", drawing)
        except PluginError as error:
            raise Failure(str(error)) from error
        fail_unless(
            bool(drawing.caption.strip()),
            f"{self.name}.draw must give its Drawing a caption that says how to read the picture and what it shows",
        )
        with house_style(), warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                render(drawing.figure)
            except Exception as error:
                raise Failure(
                    f"rendering the figure of {self.name}.draw raises {describe_error(error)}; warnings count as errors"
                ) from error
        fail_unless(_open_figures() == open_before, f"{self.name}.draw leaves a figure open in pyplot; make figures with "
                                                "matplotlib.figure.Figure() or runner.panels")  # fmt: skip

    def same_bytes(self) -> None:
        first, second = (self._draw(SampleResults(), "made-up results") for _ in range(2))
        assert first is not None
        assert second is not None
        fits = render(first.figure) == render(second.figure) and first.caption == second.caption
        fail_unless(fits, f"{self.name}.draw returns different figures or captions for the same results")

    def no_runs(self) -> None:
        self._draw(SampleResults([]), "results without runs")

    def lost_runs(self) -> None:
        drawing = self._draw(SampleResults([failed_run(1), failed_run(2)]), "runs that failed before their first iterate")
        if drawing is not None:
            render(drawing.figure)

    def _draw(self, results: Results, description: str) -> Drawing | None:
        with house_style():
            try:
                drawing: Any = self.figure.draw(results)
            except Exception as error:
                raise Failure(
                    f"{self.name}.draw raises {describe_error(error)} for {description}; return None if there is nothing to show"
                ) from error
        fits = drawing is None or isinstance(drawing, Drawing)
        fail_unless(fits, f"{self.name}.draw must return a runner.Drawing or None, not {type(drawing).__name__}")
        return drawing if isinstance(drawing, Drawing) else None


def _open_figures() -> list[int]:
    """Return the numbers of the figures that pyplot keeps open; empty if pyplot has not been imported."""
    pyplot = sys.modules.get("matplotlib.pyplot")
    return list(pyplot.get_fignums()) if pyplot is not None else []
