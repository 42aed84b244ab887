"""The stored results of an experiment, from which figures and reports are drawn."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

from sqlalchemy import select

from runner.contracts.figure import Results, Series, StoredRun
from runner.contracts.objective import Objective
from runner.errors import PluginError
from runner.experiment.labels import Labels, Scalar, label
from runner.registry.catalogue import Catalogue
from runner.registry.setting import restore_setting
from runner.store import schema
from runner.store.connection import Database
from runner.store.filters.syntax import Filter
from runner.store.reading.experiments import find_experiment
from runner.store.reading.parameter_values import read_settings, scalars
from runner.store.reading.question import Question
from runner.store.reading.run_sql import columns_of_values, run_values
from runner.store.reading.runs_table import run_query
from runner.store.reading.trajectories import deletion_error, read_series
from runner.store.run_columns import SETTING_KINDS
from runner.store.schema import check_columns, check_row

LABELLED_KINDS = ("objective", "gradient", "optimizer")
"""The kinds of settings whose rows get a label."""
FIELDS = frozenset(field.name for field in dataclasses.fields(StoredRun))


class StoredResults(Results):
    """The runs of one experiment. Trajectories and objectives are read on demand.

    Args:
        database: the database.
        experiment: the experiment's row.
        runs: the runs.
        swept: the numeric parameters in which the runs of each optimizer label differ.
        catalogue: the plugins that `objective` looks up; if None, `objective` returns None.
    """

    def __init__(
        self,
        database: Database,
        experiment: Mapping[str, Any],
        runs: Sequence[StoredRun],
        swept: Mapping[str, tuple[str, ...]],
        catalogue: Catalogue | None = None,
    ) -> None:
        self._database = database
        self._experiment = experiment
        self._runs = tuple(runs)
        self._swept = dict(swept)
        self._catalogue = catalogue
        self._objectives: dict[int, Objective | None] = {}

    @property
    def name(self) -> str:
        """The experiment's name."""
        return str(self._experiment["name"])

    @property
    def number(self) -> int:
        """The experiment's row number."""
        return int(self._experiment["id"])

    @property
    def description(self) -> str:
        """The description in the experiment file."""
        return str(self._experiment["description"])

    @property
    def source(self) -> str:
        """The text of the experiment file, followed by the overrides as comments."""
        return str(self._experiment["source"])

    @property
    def runs(self) -> Sequence[StoredRun]:
        """The stored runs of the experiment's grid, in the order of the grid."""
        return self._runs

    @property
    def swept(self) -> Mapping[str, tuple[str, ...]]:
        """The numeric parameters in which the runs of an optimizer differ, by the optimizer's label."""
        return self._swept

    def series(self, runs: Sequence[StoredRun]) -> Iterator[tuple[StoredRun, Series]]:
        """Yield each run with its trajectory, in the order of the runs.

        Raises:
            StoreError: a chunk is damaged or missing, or a run was deleted since it was looked up.
        """
        return read_series(self._database, runs)

    def objective(self, run: StoredRun) -> Objective | None:
        """Return a run's objective, restored from its stored parameters.

        The result is None if the plugin is not installed, or if the plugin's code has changed since it computed the run.

        Raises:
            StoreError: the run was deleted since it was looked up, or the database cannot be read.
        """
        if self._catalogue is None:
            return None
        setting, parameter = schema.setting, schema.parameter
        with self._database.reading() as connection:
            is_run = (schema.run.c.id == run.id) & (schema.run.c.identity == run.identity)
            number = connection.execute(select(schema.run.c.objective_id).where(is_run)).scalar_one_or_none()
            if number is None:
                raise deletion_error(run, self._database.name)
            if number not in self._objectives:
                stored = connection.execute(select(setting).where(setting.c.id == number)).one()
                of_setting = (parameter.c.setting_id == number) & parameter.c.text.is_not(None)
                texts = connection.execute(select(parameter.c.text).where(of_setting)).scalars().all()
                self._objectives[number] = None
                with suppress(PluginError):
                    restored = restore_setting(
                        "objective", stored.canonical, self._catalogue, [text for text in texts if text is not None]
                    )
                    if restored.fingerprint == stored.fingerprint:
                        self._objectives[number] = cast(Objective, restored.plugin)
        return self._objectives[number]


def read_results(
    database: Database, key: int | str, catalogue: Catalogue | None = None, where: Filter | None = None
) -> StoredResults:
    """Return the stored results of an experiment.

    Args:
        database: the database.
        key: the experiment's row number, or its name; if several have the name, the one that was run last.
        catalogue: the plugins that `Results.objective` looks up; without them, it returns None.
        where: the filter that the runs satisfy; all runs if None.

    Raises:
        QueryError: no experiment has the key, or the filter has an unknown name.
        StoreError: the database cannot be read.
    """
    experiments, run, member, landmark = schema.experiment, schema.run, schema.experiment_run, schema.landmark
    # A run has columns of the same names for the curvature at its last iterate.
    marks = {
        "minimum_value": landmark.c.minimum_value,
        "least_curvature": landmark.c.curvature_min,
        "largest_curvature": landmark.c.curvature_max,
    }
    # Columns that no figure uses, such as tracebacks, are not read.
    columns = [*columns_of_values(FIELDS), *(run.c[f"{kind}_id"] for kind in SETTING_KINDS), member.c.start_number]
    with database.reading() as connection:
        number = find_experiment(connection, key, database.name).id
        experiment = connection.execute(select(experiments).where(experiments.c.id == number)).mappings().one()
        check_row(experiments, experiment)
        query = (
            select(*columns, *(column.label(name) for name, column in marks.items()))
            .select_from(run)
            .join(member, member.c.run_id == run.c.id)
            .outerjoin(landmark, landmark.c.setting_id == run.c.objective_id)
            .where(member.c.experiment_id == number)
            .order_by(member.c.position)
        )
        if where is not None:
            query = query.where(run.c.id.in_(run_query(connection, Question(where)).with_only_columns(run.c.id).order_by(None)))
        rows = [dict(row) for row in connection.execute(query).mappings()]
        check_columns([(column, [row[column.key] for row in rows]) for column in columns])
        # The minimum of an objective may be unknown.
        known = {name: [row[name] for row in rows if row[name] is not None] for name in marks}
        check_columns([(column, known[name]) for name, column in marks.items()])
        settings = read_settings(connection, {row[f"{kind}_id"] for row in rows for kind in SETTING_KINDS})
    cells = {number: (setting.name, scalars(setting.parameters)) for number, setting in settings.items()}
    runs, swept = _labelled_runs(rows, cells, experiment["target"])
    return StoredResults(database, dict(experiment), runs, swept, catalogue)


def _labelled_runs(
    rows: Sequence[Mapping[str, Any]], settings: Mapping[int, tuple[str, Mapping[str, Scalar]]], target: float | None
) -> tuple[list[StoredRun], Mapping[str, tuple[str, ...]]]:
    """Return runs with the labels of their plugins, and the swept parameters of each optimizer label.

    Args:
        rows: one row for each run.
        settings: the name and the parameters of each setting, by row number.
        target: the largest f − f* of a run that reached the minimum, if the experiment states it.
    """
    names: dict[str, dict[int, str]] = {}
    labels = Labels((), {})
    for kind in LABELLED_KINDS:
        numbers = list(dict.fromkeys(row[f"{kind}_id"] for row in rows))
        labels = label([settings[number] for number in numbers], numbers=kind != "optimizer")
        names[kind] = dict(zip(numbers, labels.labels, strict=True))
    parameters = {
        (kind, number): {f"{kind}.{key}": value for key, value in settings[number][1].items()}
        for kind, numbers in names.items()
        for number in numbers
    }
    runs = []
    for row in rows:
        numbers = [row["objective_id"], row["gradient_id"], row["optimizer_id"]]
        curvature = (row["least_curvature"], row["largest_curvature"])
        rules = settings[row["rules_id"]][1]
        gap = rules.get("gap")
        runs.append(
            StoredRun(
                **run_values(row, FIELDS),
                objective=names["objective"][row["objective_id"]],
                gradient=names["gradient"][row["gradient_id"]],
                optimizer=names["optimizer"][row["optimizer_id"]],
                parameters=dict(
                    itertools.chain.from_iterable(
                        parameters[kind, number].items() for kind, number in zip(LABELLED_KINDS, numbers, strict=True)
                    )
                ),
                start=row["start_number"],
                minimum_value=row["minimum_value"],
                target=float(cast(float, gap)) if target is None and gap is not None else target,
                convergence_test=gap is not None or rules.get("gradient_norm") is not None,
                curvature=None if None in curvature else cast(tuple[float, float], curvature),
            )
        )
    return runs, labels.swept
