"""The page of a report: its tables, pictures and captions, all text escaped, written even if a figure fails."""

from __future__ import annotations

import base64
import csv
import warnings
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from runner import Drawing, Outcome
from runner.errors import Interrupted
from runner.report.page import SHOWN_ERRORS, Table, WrittenReport, write_report
from tests.support.reports import SUMMARY, Drawn, Fixed, line, stored, summary, write


def raises(error: BaseException) -> Callable[[], Drawing | None]:
    def draw() -> Drawing | None:
        raise error

    return draw


class Page(HTMLParser):
    """A parsed HTML page; elements that are closed in the wrong order are refused."""

    VOID = frozenset({"meta", "img", "br", "hr", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += " ".join(data.split()) + " "

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def page_of(report: WrittenReport) -> Page:
    return Page(report.page.read_text("utf-8"))


def test_the_report_has_its_page_its_table_and_its_pictures(tmp_path: Path) -> None:
    report = write(tmp_path / "new" / "folder", Fixed([stored()] * 3), ("line", Drawn(line)))
    folder = tmp_path / "new" / "folder"
    assert report.page == folder / "index.html"
    assert report.warnings == ()
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == [
        "figures/line.png",
        "figures/line.svg",
        "index.html",
        "summary.csv",
    ]
    assert set(report.files) == {path for path in folder.rglob("*") if path.is_file()}
    assert [link["href"] for link in page_of(report).all("a")] == [
        "index.html",
        "summary.csv",
        "figures/line.svg",
        "figures/line.png",
    ]


def test_page_gives_outcomes_and_command(tmp_path: Path) -> None:
    runs = [stored(), stored(), stored(Outcome.DIVERGED), stored("abandoned")]
    page = page_of(write(tmp_path, Fixed(runs), command="runner run 'my file.toml'"))
    assert "The database holds 4 runs of this experiment. The outcomes are: 2 converged 1 diverged 1 abandoned" in " ".join(
        page.text.split()
    )
    assert "runner run 'my file.toml'" in page.text
    assert page.all("html") == [{"lang": "en"}]
    assert not page.all("script")


def test_picture_is_the_svg_file_with_the_caption_as_alternative_text(tmp_path: Path) -> None:
    page = page_of(write(tmp_path, Fixed([stored()]), ("line", Drawn(line))))
    (image,) = page.all("img")
    assert image["alt"] == "Reading & meaning.\nFinding: 1 < 2."
    kind, content = str(image["src"]).split(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(content) == (tmp_path / "figures" / "line.svg").read_bytes()
    assert "Reading & meaning. " in page.text
    assert "Finding: 1 < 2. " in page.text


def test_stored_text_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert('x')</script>"
    table = Table((evil,), [(evil,)])
    results = Fixed([stored(evil, evil, evil)], name=evil, description=evil)
    drawn = Drawn(lambda: Drawing(line().figure, f'{evil}" onload="x'))
    broken = Drawn(raises(ValueError(evil)))
    page = page_of(write_report(tmp_path, results, [("a", drawn), ("b", broken)], summary(table), evil))
    assert not page.all("script")
    assert "onload" not in page.all("img")[0]
    assert page.text.count(evil) == 11


def test_the_summary_is_a_table_with_scopes_and_aligned_numbers(tmp_path: Path) -> None:
    page = page_of(write(tmp_path, Fixed([stored()])))
    assert [cell for cell in page.all("th") if cell["scope"] == "col"] == [{"scope": "col"}, {"scope": "col", "class": "number"}]
    assert [cell for cell in page.all("th") if cell["scope"] == "row"] == [{"scope": "row"}] * 2
    assert page.all("caption") == [{}]


def test_the_csv_file_reads_back_as_the_table(tmp_path: Path) -> None:
    write(tmp_path, Fixed())
    content = (tmp_path / "summary.csv").read_bytes()
    with (tmp_path / "summary.csv").open(newline="", encoding="utf-8") as file:
        assert [tuple(row) for row in csv.reader(file)] == [SUMMARY.header, *SUMMARY.rows]
    assert b"\r" not in content


def test_failed_runs_are_grouped_by_their_message(tmp_path: Path) -> None:
    runs = [
        stored(Outcome.FAILED, "ValueError: rare"),
        *[stored(Outcome.FAILED, "often", name) for name in ("newton", "other")] * 2,
    ]
    text = page_of(write(tmp_path, Fixed(runs))).text
    assert "The error messages of 5 runs, the most frequent message first." in text
    assert "4 quadratic × analytic × newton; quadratic × analytic × other often" in " ".join(text.split())
    assert text.index("often") < text.index("ValueError: rare")


def test_more_messages_than_fit_are_counted(tmp_path: Path) -> None:
    runs = [stored(Outcome.FAILED, f"message {number:03}") for number in range(SHOWN_ERRORS + 1)]
    text = page_of(write(tmp_path, Fixed(runs))).text
    assert f"message {SHOWN_ERRORS - 1:03}" in text
    assert f"message {SHOWN_ERRORS:03}" not in text
    assert "The database holds 1 more message." in text


def test_an_experiment_without_runs_has_a_page(tmp_path: Path) -> None:
    report = write_report(tmp_path, Fixed(description=""), [("none", Drawn(lambda: None))], summary(Table(("a",), [])), "x")
    text = page_of(report).text
    assert "The database holds no run of this experiment yet." in text
    assert "These results hold nothing that this figure could show." in text
    assert "Failed runs" not in text
    assert not (tmp_path / "figures").exists()
    assert report.warnings == ()


@pytest.mark.parametrize(("rows", "folded"), [(30, 0), (31, 1)])
def test_long_table_is_folded(tmp_path: Path, rows: int, folded: int) -> None:
    table = Table(("a",), [(f"row {number}",) for number in range(rows)])
    report = write_report(tmp_path, Fixed([stored()]), [("line", Drawn(line))], summary(table), "x")
    page = page_of(report)
    assert len(page.all("details")) == folded
    assert ("31 rows " in page.text) == bool(folded)
    assert f"row {rows - 1} " in page.text


def test_figure_that_cannot_be_drawn_loses_only_its_own_place(tmp_path: Path) -> None:
    broken = Drawn(raises(ZeroDivisionError("by <zero>")))
    late = Drawn(lambda: Drawing(line("$x_{$").figure, ""))
    report = write(tmp_path, Fixed([stored()]), ("broken", broken), ("late", late), ("line", Drawn(line)))
    assert report.warnings == ("figure 'broken' could not be drawn: ZeroDivisionError: by <zero>",)
    page = page_of(report)
    assert "This figure could not be drawn: ZeroDivisionError: by <zero>" in page.text
    assert len(page.all("img")) == 2


def test_figure_that_cannot_be_rendered_loses_only_its_own_place(tmp_path: Path) -> None:
    def formula() -> Drawing:
        drawing = line()
        drawing.figure.axes[0].set_title("$x_{$")
        return drawing

    report = write(tmp_path, Fixed([stored()]), ("formula", Drawn(formula)), ("line", Drawn(line)))
    assert len(page_of(report).all("img")) == 1
    assert report.warnings[0].startswith("figure 'formula' could not be drawn: ValueError")


def test_warnings_of_matplotlib_are_returned(tmp_path: Path) -> None:
    def draw() -> Drawing:
        warnings.warn("mind the gap", stacklevel=1)
        return line()

    assert write(tmp_path, Fixed([stored()]), ("line", Drawn(draw))).warnings == ("figure 'line': mind the gap",)


def test_interruption_is_not_caught_as_a_broken_figure(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        write(tmp_path, Fixed([stored()]), ("line", Drawn(raises(Interrupted("stop")))))
    assert not (tmp_path / "index.html").exists()
