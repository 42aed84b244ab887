"""Reports written from results and figures that are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner import Drawing, Figure, Outcome, Results, Series, StoredRun
from runner.report.page import Section, Table, WrittenReport, write_report
from runner.report.style import panels

SUMMARY = Table(("objective", "runs"), [("quadratic", "3"), ("a, \"b\"\n'c'", "12")])


def summary(table: Table = SUMMARY) -> list[Section]:
    return [Section("summary", "Summary", "How to read it.", table, SUMMARY)]


@dataclass(frozen=True)
class Fixed(Results):
    """Results that hold the given runs."""

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


def write(folder: Path, results: Results, *figures: tuple[str, Figure], command: str = "runner run x.toml") -> WrittenReport:
    return write_report(folder, results, figures, summary(), command)
