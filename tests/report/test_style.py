"""The style of figures: panels, names and colours."""

from __future__ import annotations

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure as MatplotlibFigure

from runner import Outcome
from runner.contracts.reached import ENDINGS
from runner.report.files import render
from runner.report.style import ENDING_COLOURS, OUTCOME_COLOURS, house_style, panels, wrapped
from tests.support.reports import line


def test_style_of_the_user_does_not_change_a_figure() -> None:
    figures = []
    for _ in range(2):
        with house_style():
            figures.append(line().figure)
    first = render(figures[0])
    with mpl.rc_context({"svg.fonttype": "none", "savefig.bbox": "tight", "savefig.facecolor": "red"}):
        second = render(figures[1])
    assert list(first) == ["svg", "png"]
    assert first == second
    svg = first["svg"].decode()
    assert "<dc:date>" not in svg
    assert mpl.__version__ not in svg
    assert mpl.__version__.encode() not in first["png"]


@pytest.mark.parametrize("count", range(1, 14))
def test_one_panel_for_each_title(count: int) -> None:
    figure, axes = panels([f"panel {number}" for number in range(count)])
    assert [panel.get_title() for panel in axes] == [f"panel {number}" for number in range(count)]
    figure.draw_without_rendering()
    boxes = [panel.get_position() for panel in axes]
    assert len({(round(box.x0, 3), round(box.y0, 3)) for box in boxes}) == count
    assert len({round(box.x0, 3) for box in boxes}) <= 3


def test_no_panels_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one panel"):
        panels([])


def test_names_are_not_read_as_mathematics() -> None:
    assert wrapped("cost $a$") == r"cost \$a\$"
    assert wrapped("one two three four", width=9, lines=2) == "one two\nthree …"
    figure = MatplotlibFigure()
    text = figure.text(0, 0, wrapped("$a_{$"))
    figure.draw_without_rendering()
    assert text.get_text() == r"\$a_{\$"


def test_every_outcome_has_a_colour_of_its_own() -> None:
    assert set(OUTCOME_COLOURS) == set(Outcome)
    assert len(set(OUTCOME_COLOURS.values())) == len(Outcome)


def test_every_ending_has_its_own_colour():
    assert set(ENDING_COLOURS) == set(ENDINGS)
    assert len(set(ENDING_COLOURS.values())) == len(ENDINGS)


def test_rounding_in_the_layout_does_not_change_the_file():
    pictures = []
    for noise in (0.0, 1e-13):
        figure = MatplotlibFigure()
        panel = figure.add_axes((0.1 + noise, 0.1, 0.8 - noise, 0.8))
        panel.plot([0.0, 1.0], [0.0, 2.0])
        pictures.append(render(figure))
    assert pictures[0] == pictures[1]
