"""Reading from the results database; nothing here writes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import select

from runner.contracts.figure import Results, Series, StoredRun
from runner.contracts.objective import Objective
from runner.errors import PluginError, StoreError
from runner.experiment.labels import Labels, Scalar, label
from runner.registry.catalogue import Catalogue
from runner.registry.setting import restore_setting
from runner.store import schema
from runner.store.connection import Database
from runner.store.filters.syntax import Filter
from runner.store.reading.parameter_values import read_settings, scalars
from runner.store.reading.question import Question
from runner.store.reading.run_sql import run_values
from runner.store.reading.runs_table import run_query
from runner.store.reading.trajectories import deleted, read_series
from runner.store.schema import check_columns, check_row

FIELDS = frozenset(field.name for field in dataclasses.fields(StoredRun))


class StoredResults(Results):
    """One experiment, read from the database when asked."""

    def __init__(
        self,
        database: Database,
        experiment: Mapping[str, Any],
        runs: Sequence[StoredRun],
        swept: Mapping[str, Any],
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
        """What the experiment says of itself."""
        return str(self._experiment["description"])

    @property
    def source(self) -> str:
        """The text of its file, with any overrides named in comments behind it."""
        return str(self._experiment["source"])

    @property
    def runs(self) -> Sequence[StoredRun]:
        """Every stored run of its grid, in the order of the grid."""
        return self._runs

    @property
    def swept(self) -> Mapping[str, tuple[str, ...]]:
        """For each optimizer label, the numeric parameters in which its runs differ."""
        return self._swept

    def series(self, runs: Sequence[StoredRun]) -> Iterator[tuple[StoredRun, Series]]:
        """Read trajectories, in the order given.

        Raises:
            StoreError: a chunk is damaged or missing, or a run was deleted meanwhile.
        """
        return read_series(self._database, runs)

    def objective(self, run: StoredRun) -> Objective | None:
        """Return a run's objective, made again; None where its plugin is not here, or is not the code that computed the run.

        Raises:
            StoreError: the run was deleted meanwhile, or the database cannot be read.
        """
        if self._catalogue is None:
            return None
        setting, parameter = schema.setting, schema.parameter
        with self._database.reading() as connection:
            same = (schema.run.c.id == run.id) & (schema.run.c.identity == run.identity)
            number = connection.execute(select(schema.run.c.objective_id).where(same)).scalar_one_or_none()
            if number is None:
                raise deleted(run, self._database.name)
            if number not in self._objectives:
                stored = connection.execute(select(setting).where(setting.c.id == number)).one()
                texts = connection.execute(select(parameter.c.text).where(parameter.c.setting_id == number)).scalars().all()
                self._objectives[number] = _remade(stored, [text for text in texts if text is not None], self._catalogue)
        return self._objectives[number]


def _remade(stored: Any, texts: Sequence[str], catalogue: Catalogue) -> Objective | None:
    try:
        setting = restore_setting("objective", stored.canonical, catalogue, texts)
    except PluginError:
        return None
    return cast(Objective, setting.plugin) if setting.fingerprint == stored.fingerprint else None


def read_results(
    database: Database,
    name: str,
    number: int | None = None,
    catalogue: Catalogue | None = None,
    where: Filter | None = None,
) -> StoredResults:
    """Return an experiment.

    Args:
        database: where it is.
        name: the experiment's name.
        number: its row number; without one, that of the experiment of this name that was run last.
        catalogue: where plugins are looked up for `Results.objective`; without one, it knows none.
        where: which of its runs; all if None.

    Raises:
        QueryError: the filter names what is not there.
        StoreError: there is none, or the database cannot be read.
    """
    table = schema.experiment
    with database.reading() as connection:
        query = select(table).where(table.c.name == name).order_by(table.c.last_run_at.desc(), table.c.id.desc()).limit(1)
        query = query if number is None else query.where(table.c.id == number)
        experiment = connection.execute(query).mappings().one_or_none()
        if experiment is None:
            raise StoreError(f"database {database.name}: holds no experiment {name!r}")
        check_row(table, experiment)
        chosen = _runs_query(experiment["id"])
        if where is not None:
            some = run_query(connection, Question(where)).with_only_columns(schema.run.c.id).order_by(None)
            chosen = chosen.where(schema.run.c.id.in_(some))
        rows = [dict(row) for row in connection.execute(chosen).mappings()]
        for column in chosen.selected_columns:
            # An objective's minimum may be unknown.
            values = (row[column.key] for row in rows)
            check_columns([(column, [value for value in values if value is not None or column.table is not schema.landmark])])
        ids = {row[f"{axis}_id"] for row in rows for axis in ("objective", "gradient", "optimizer")}
        stored = read_settings(connection, ids)
        settings = {number: (setting.name, scalars(setting.parameters)) for number, setting in stored.items()}
        runs, swept = _stored_runs(rows, settings)
    return StoredResults(database, dict(experiment), runs, swept, catalogue)


def _runs_query(experiment_id: int) -> Any:
    run, member, landmark = schema.run, schema.experiment_run, schema.landmark
    marks = (landmark.c.minimum_value, landmark.c.curvature_min, landmark.c.curvature_max)
    return (
        select(run, member.c.start_number, *marks)
        .join(member, member.c.run_id == run.c.id)
        .outerjoin(landmark, landmark.c.setting_id == run.c.objective_id)
        .where(member.c.experiment_id == experiment_id)
        .order_by(member.c.position)
    )


def _stored_runs(
    rows: Sequence[Mapping[str, Any]], settings: Mapping[int, tuple[str, Mapping[str, Scalar]]]
) -> tuple[list[StoredRun], Mapping[str, tuple[str, ...]]]:
    named: dict[str, dict[int, str]] = {}
    labels: Labels = Labels((), {})
    for axis in ("objective", "gradient", "optimizer"):
        ids = list(dict.fromkeys(row[f"{axis}_id"] for row in rows))
        labels = label([settings[number] for number in ids], numbers=axis != "optimizer")
        named[axis] = dict(zip(ids, labels.labels, strict=True))
    parameters = {
        (axis, number): {f"{axis}.{key}": value for key, value in settings[number][1].items()}
        for axis, ids in named.items()
        for number in ids
    }
    return [_stored_run(row, named, parameters) for row in rows], labels.swept


def _stored_run(
    row: Mapping[str, Any], named: Mapping[str, Mapping[int, str]], parameters: Mapping[tuple[str, int], Mapping[str, Scalar]]
) -> StoredRun:
    ids = {axis: row[f"{axis}_id"] for axis in named}
    curvature = (row["curvature_min"], row["curvature_max"])
    return StoredRun(
        **run_values(row, FIELDS),
        objective=named["objective"][ids["objective"]],
        gradient=named["gradient"][ids["gradient"]],
        optimizer=named["optimizer"][ids["optimizer"]],
        parameters=dict(itertools.chain.from_iterable(parameters[axis, number].items() for axis, number in ids.items())),
        start=row["start_number"],
        minimum_value=row["minimum_value"],
        curvature=None if None in curvature else cast(tuple[float, float], curvature),
    )
