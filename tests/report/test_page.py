"""The page and its files: whole, escaped, reproducible, and written even if a figure cannot be drawn."""

from __future__ import annotations

import base64
import csv
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure as MatplotlibFigure

from runner import Drawing, Figure, Outcome, Results, Series, StoredRun
from runner.errors import Interrupted, ReportError
from runner.report.files import render, write_file
from runner.report.page import SHOWN_ERRORS, Section, Table, WrittenReport, write_report
from runner.report.style import OUTCOME_COLOURS, house_style, panels, wrapped

SUMMARY = Table(("objective", "runs"), [("quadratic", "3"), ("a, \"b\"\n'c'", "12")])


def summary(table: Table = SUMMARY) -> list[Section]:
    return [Section("summary", "Summary", "How to read it.", table, SUMMARY)]


@dataclass(frozen=True)
class Fixed(Results):
    """Results that hold what they are given."""

    runs: Sequence[StoredRun] = ()
    name: str = "sweep"
    description: str = "What happens"

    @property
    def swept(self) -> Mapping[str, tuple[str, ...]]:
        return {}

    def series(self, runs: Sequence[StoredRun]) -> Iterator[tuple[StoredRun, Series]]:
        raise AssertionError("the page itself reads no trajectory")


@dataclass(frozen=True)
class Drawn(Figure):
    """A figure made by a function."""

    drawing: Callable[[], Drawing | None]
    title = "A <title>"

    def draw(self, results: Results) -> Drawing | None:
        return self.drawing()


def stored(outcome: str = Outcome.CONVERGED, error: str = "", optimizer: str = "newton") -> StoredRun:
    return StoredRun(
        1, "", "quadratic", "analytic", optimizer, {}, 0, 1, outcome, error, 3, 0.0, 0.0, 0.0, {}, 0.0, 0.0, None
    )  # fmt: skip


def line(label: str = "line") -> Drawing:
    figure, (panel,) = panels([label])
    panel.plot([1, 2, 3], [1, 4, 9])
    return Drawing(figure, "Reading & meaning.\nFinding: 1 < 2.")


def raises(error: BaseException) -> Callable[[], Drawing | None]:
    def draw() -> Drawing | None:
        raise error

    return draw


class Page(HTMLParser):
    """An HTML page taken apart; refuses elements that are closed out of turn."""

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


def write(folder: Path, results: Results, *figures: tuple[str, Figure], command: str = "runner run x.toml") -> WrittenReport:
    return write_report(folder, results, figures, summary(), command)


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


def test_the_page_says_what_there_is(tmp_path: Path) -> None:
    runs = [stored(), stored(), stored(Outcome.DIVERGED), stored("abandoned")]
    page = page_of(write(tmp_path, Fixed(runs), command="runner run 'my file.toml'"))
    assert "4 runs are in the database, and this is how they ended. 2 converged 1 diverged 1 abandoned" in " ".join(
        page.text.split()
    )
    assert "runner run 'my file.toml'" in page.text
    assert page.all("html") == [{"lang": "en"}]
    assert not page.all("script")


def test_the_picture_is_the_svg_file_and_its_alternative_the_caption(tmp_path: Path) -> None:
    page = page_of(write(tmp_path, Fixed([stored()]), ("line", Drawn(line))))
    (image,) = page.all("img")
    assert image["alt"] == "Reading & meaning.\nFinding: 1 < 2."
    kind, content = str(image["src"]).split(",")
    assert kind == "data:image/svg+xml;base64"
    assert base64.b64decode(content) == (tmp_path / "figures" / "line.svg").read_bytes()
    assert "Reading & meaning. " in page.text
    assert "Finding: 1 < 2. " in page.text


def test_what_comes_from_the_database_is_escaped(tmp_path: Path) -> None:
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
    assert "What the 5 runs that have an error said" in text
    assert "4 quadratic × analytic × newton; quadratic × analytic × other often" in " ".join(text.split())
    assert text.index("often") < text.index("ValueError: rare")


def test_more_messages_than_fit_are_counted(tmp_path: Path) -> None:
    runs = [stored(Outcome.FAILED, f"message {number:03}") for number in range(SHOWN_ERRORS + 1)]
    text = page_of(write(tmp_path, Fixed(runs))).text
    assert f"message {SHOWN_ERRORS - 1:03}" in text
    assert f"message {SHOWN_ERRORS:03}" not in text
    assert "1 more message is in the database." in text


def test_an_experiment_without_runs_has_a_page(tmp_path: Path) -> None:
    report = write_report(tmp_path, Fixed(description=""), [("none", Drawn(lambda: None))], summary(Table(("a",), [])), "x")
    text = page_of(report).text
    assert "The database holds no run of this experiment yet." in text
    assert "These results hold nothing that this figure could show." in text
    assert "Failed runs" not in text
    assert not (tmp_path / "figures").exists()
    assert report.warnings == ()


@pytest.mark.parametrize(("rows", "folded"), [(30, 0), (31, 1)])
def test_a_long_table_is_folded_for_the_pictures_to_stay_in_sight(tmp_path: Path, rows: int, folded: int) -> None:
    table = Table(("a",), [(f"row {number}",) for number in range(rows)])
    report = write_report(tmp_path, Fixed([stored()]), [("line", Drawn(line))], summary(table), "x")
    page = page_of(report)
    assert len(page.all("details")) == folded
    assert ("31 rows " in page.text) == bool(folded)
    assert f"row {rows - 1} " in page.text


def test_a_figure_that_cannot_be_drawn_costs_its_own_place_alone(tmp_path: Path) -> None:
    broken = Drawn(raises(ZeroDivisionError("by <zero>")))
    late = Drawn(lambda: Drawing(line("$x_{$").figure, ""))
    report = write(tmp_path, Fixed([stored()]), ("broken", broken), ("late", late), ("line", Drawn(line)))
    assert report.warnings == ("figure 'broken' could not be drawn: ZeroDivisionError: by <zero>",)
    page = page_of(report)
    assert "This figure could not be drawn: ZeroDivisionError: by <zero>" in page.text
    assert len(page.all("img")) == 2


def test_a_figure_that_cannot_be_rendered_costs_its_own_place_alone(tmp_path: Path) -> None:
    def formula() -> Drawing:
        drawing = line()
        drawing.figure.axes[0].set_title("$x_{$")
        return drawing

    report = write(tmp_path, Fixed([stored()]), ("formula", Drawn(formula)), ("line", Drawn(line)))
    assert len(page_of(report).all("img")) == 1
    assert report.warnings[0].startswith("figure 'formula' could not be drawn: ValueError")


def test_matplotlib_s_complaints_are_handed_back(tmp_path: Path) -> None:
    def draw() -> Drawing:
        warnings.warn("mind the gap", stacklevel=1)
        return line()

    assert write(tmp_path, Fixed([stored()]), ("line", Drawn(draw))).warnings == ("figure 'line': mind the gap",)


def test_an_interruption_is_no_broken_figure(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        write(tmp_path, Fixed([stored()]), ("line", Drawn(raises(Interrupted("stop")))))
    assert not (tmp_path / "index.html").exists()


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    pages: list[dict[Path, bytes]] = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        with mpl.rc_context({"font.size": 30 if pages else 5, "svg.hashsalt": None, "savefig.dpi": 20}):
            report = write(folder, Fixed([stored()]), ("line", Drawn(line)))
        pages.append({path.relative_to(folder): path.read_bytes() for path in report.files})
    assert pages[0] == pages[1]


def test_a_figure_made_elsewhere_is_rendered_the_same_whatever_the_user_s_style() -> None:
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


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    with pytest.raises(ReportError, match="results is a file, not a folder; move it away or choose another folder$"):
        write(tmp_path / "results" / "sweep", Fixed())
    with pytest.raises(ReportError, match="results is a file, not a folder"):
        write(tmp_path / "results", Fixed())


def test_a_folder_where_a_file_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.html").mkdir()
    with pytest.raises(ReportError, match=r"index\.html cannot be written: it is a folder"):
        write(tmp_path, Fixed())


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(ReportError, match=f"you may not write into {tmp_path}; change its permissions"):
        write(tmp_path, Fixed())


def test_a_full_disk_leaves_the_old_file_and_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(tmp_path, "page.html", b"old")
    part_written = Path.write_bytes

    def fill_up(path: Path, content: bytes) -> int:
        part_written(path, content[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill_up)
    with pytest.raises(ReportError, match=r"page\.html cannot be written: No space left on device"):
        write_file(tmp_path, "page.html", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("page.html", b"old")]


def test_files_have_the_permissions_the_user_wants(tmp_path: Path) -> None:
    umask = os.umask(0o027)
    try:
        path = write_file(tmp_path, "page.html", b"")
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["../page", "a/b", "", ".hidden", "/etc/passwd", "a\nb"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReportError, match="is no name for a file"):
        write_file(tmp_path, name, b"")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", range(1, 14))
def test_panels_are_as_many_as_their_titles(count: int) -> None:
    figure, axes = panels([f"panel {number}" for number in range(count)])
    assert [panel.get_title() for panel in axes] == [f"panel {number}" for number in range(count)]
    figure.draw_without_rendering()
    boxes = [panel.get_position() for panel in axes]
    assert len({(round(box.x0, 3), round(box.y0, 3)) for box in boxes}) == count
    assert len({round(box.x0, 3) for box in boxes}) <= 3


def test_no_panels_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one panel"):
        panels([])


def test_names_are_drawn_as_they_are() -> None:
    assert wrapped("cost $a$") == r"cost \$a\$"
    assert wrapped("one two three four", width=9, lines=2) == "one two\nthree …"
    figure = MatplotlibFigure()
    text = figure.text(0, 0, wrapped("$a_{$"))
    figure.draw_without_rendering()
    assert text.get_text() == r"\$a_{\$"


def test_every_outcome_has_a_colour_of_its_own() -> None:
    assert set(OUTCOME_COLOURS) == set(Outcome)
    assert len(set(OUTCOME_COLOURS.values())) == len(Outcome)


def test_last_bits_of_the_layout_leave_no_trace():
    pictures = []
    for noise in (0.0, 1e-13):
        figure = MatplotlibFigure()
        panel = figure.add_axes((0.1 + noise, 0.1, 0.8 - noise, 0.8))
        panel.plot([0.0, 1.0], [0.0, 2.0])
        pictures.append(render(figure))
    assert pictures[0] == pictures[1]
