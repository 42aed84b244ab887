"""Experiments computed in this process, from their text to the results that figures draw."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from runner.contracts.figure import Figure
from runner.engine.trajectories import Trajectory
from runner.pipeline.execute import execute
from runner.pipeline.plan import Choices, Plan, make_plan, read
from runner.registry.registry import Registry
from runner.report.experiment_report import report
from runner.store.reading.stored_results import StoredResults, read_results
from runner.store.writing.recording import Store


class Silent:
    """A listener that ignores progress and raises each warning."""

    def began(self, plan: Plan) -> None: ...

    def saved(self, trajectories: Sequence[Trajectory]) -> None: ...

    def warned(self, warning: str) -> None:
        raise AssertionError(warning)


def compute(path: Path) -> StoredResults:
    """Run an experiment into a database beside its file, and return what is stored."""
    catalogue, choices = Registry(), Choices()
    with closing(Store(str(path.with_suffix(".db")))) as store:
        plan = make_plan(read(path, catalogue, choices), store, choices)
        execute(plan, store, catalogue, choices, Silent())
    # The results open the file again for each question.
    return read_results(store.database, plan.experiment.name, catalogue=catalogue)


def reported(results: StoredResults, folder: Path, *figures: tuple[str, Figure]) -> Path:
    """Write the report into a folder and return it; a complaint about a figure is an error."""
    written = report(results, figures, folder, "runner run")
    assert written.warnings == ()
    return folder
