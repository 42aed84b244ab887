"""Reading from the results database; nothing here writes."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from runner.contracts import Objective, Results, Series, StoredRun
from runner.errors import PluginError, StoreError
from runner.filters.syntax import Filter
from runner.labels import Labels, Scalar, label
from runner.offers import Catalogue
from runner.remaking import remake
from runner.rowwise import Array
from runner.stopping import Outcome
from runner.store import schema
from runner.store.asking import Question, run_query
from runner.store.connection import Database
from runner.store.domains import require, require_row
from runner.store.parameter_values import read_settings, scalars
from runner.store.run_columns import among, from_class, rows_of
from runner.store.run_rows import chunk_checksum

RUNS_AT_ONCE = 1000
"""How many runs' trajectories are read with one query, at most."""
BYTES_AT_ONCE = 2**26
"""How many bytes of trajectories are read with one query, unless one run has more."""


class HasTrajectory(Protocol):
    """What is known of a run whose trajectory is to be read."""

    @property
    def id(self) -> int:
        """The row's number."""

    @property
    def identity(self) -> str:
        """SHA-256 over everything that decides the run's numbers."""

    @property
    def outcome(self) -> str:
        """How it ended."""

    @property
    def steps(self) -> int:
        """How many steps it took."""

    @property
    def dimension(self) -> int:
        """How many coordinates x has."""

    @property
    def records_x(self) -> bool:
        """Whether its iterates are stored."""

    @property
    def records_gradient(self) -> bool:
        """Whether its gradients are stored."""


RunT = TypeVar("RunT", bound=HasTrajectory)


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
                raise _deleted(run, self._database.name)
            if number not in self._objectives:
                stored = connection.execute(select(setting).where(setting.c.id == number)).one()
                texts = connection.execute(select(parameter.c.text).where(parameter.c.setting_id == number)).scalars().all()
                self._objectives[number] = _remade(stored, [text for text in texts if text is not None], self._catalogue)
        return self._objectives[number]


def _remade(stored: Any, texts: Sequence[str], catalogue: Catalogue) -> Objective | None:
    try:
        setting = remake("objective", stored.canonical, catalogue, texts)
    except PluginError:
        return None
    return cast(Objective, setting.plugin) if setting.fingerprint == stored.fingerprint else None


def read_series(database: Database, runs: Sequence[RunT]) -> Iterator[tuple[RunT, Series]]:
    """Read trajectories, in the order given, with bounded memory.

    Raises:
        StoreError: a chunk is damaged or missing, a run was deleted since it was looked up, or the database cannot be read.
    """
    with database.reading() as connection:
        try:
            yield from trajectories_of(connection, runs, database.name)
        except StoreError:
            _refuse_deleted(connection, runs, database.name)
            raise


def _refuse_deleted(connection: Connection, runs: Sequence[HasTrajectory], database: str) -> None:
    """Say which run is gone, if one is: the number of a run that was deleted may be another's by now."""
    for first in range(0, len(runs), RUNS_AT_ONCE):
        some = runs[first : first + RUNS_AT_ONCE]
        there = dict(rows_of(connection, f"SELECT id, identity FROM run WHERE {among('id', [run.id for run in some])}"))
        for run in some:
            if there.get(run.id) != run.identity:
                raise _deleted(run, database)


def _deleted(run: HasTrajectory, database: str) -> StoreError:
    return StoreError(f"database {database}: run {run.id} was deleted after it had been found; do the same again with those left")


def trajectories_of(connection: Connection, runs: Sequence[RunT], database: str) -> Iterator[tuple[RunT, Series]]:
    """Read trajectories, in the order given, with bounded memory.

    Args:
        connection: to the database.
        runs: whose they are.
        database: its name, for messages.

    Raises:
        StoreError: a chunk is damaged or missing.
    """
    for some in portions(runs):
        trajectories = _trajectories(connection, some, database)
        yield from ((run, trajectories[run.id]) for run in some)
        # Before the next are there.
        del trajectories


def portions(runs: Sequence[RunT], width: int = 0) -> Iterator[Sequence[RunT]]:
    """Cut runs into portions whose trajectories together take little memory.

    Args:
        runs: the runs.
        width: how many numbers an iterate takes at least, as in a table that is as wide as the widest run needs.
    """
    first = size = 0
    for place, run in enumerate(runs):
        added = 8 * (run.steps + 1) * max(width, 2 + run.dimension * (run.records_x + run.records_gradient))
        if place > first and (size + added > BYTES_AT_ONCE or place - first == RUNS_AT_ONCE):
            yield runs[first:place]
            first, size = place, 0
        size += added
    if runs:
        yield runs[first:]


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
        require_row(table, experiment)
        chosen = _runs_query(experiment["id"])
        if where is not None:
            some = run_query(connection, Question(where)).with_only_columns(schema.run.c.id).order_by(None)
            chosen = chosen.where(schema.run.c.id.in_(some))
        rows = [dict(row) for row in connection.execute(chosen).mappings()]
        for column in chosen.selected_columns:
            # An objective's minimum may be unknown.
            values = (row[column.key] for row in rows)
            require(column, [value for value in values if value is not None or column.table is not schema.landmark])
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
        id=row["id"],
        identity=row["identity"],
        objective=named["objective"][ids["objective"]],
        gradient=named["gradient"][ids["gradient"]],
        optimizer=named["optimizer"][ids["optimizer"]],
        parameters=dict(itertools.chain.from_iterable(parameters[axis, number].items() for axis, number in ids.items())),
        start=row["start_number"],
        dimension=row["dimension"],
        outcome=row["outcome"],
        error=row["error"],
        steps=row["steps"],
        final_value=from_class(row["final_value"], row["final_value_class"]),
        best_value=from_class(row["best_value"], row["best_value_class"]),
        final_gradient_norm=from_class(row["final_gradient_norm"], row["final_gradient_norm_class"]),
        evaluations={name: row[f"{name}_evaluations"] for name in ("value", "gradient", "hessian")},
        seconds=row["seconds"],
        minimum_value=row["minimum_value"],
        curvature=None if None in curvature else cast(tuple[float, float], curvature),
        records_x=row["records_x"],
        records_gradient=row["records_gradient"],
        behaviour=row["behaviour"],
    )


def _trajectories(connection: Connection, runs: Sequence[HasTrajectory], database: str) -> dict[int, Series]:
    """Return trajectories by row number."""
    lacking = {run.id: run for run in runs}
    query = "SELECT run_id, first_step, count, checksum, data FROM chunk WHERE {} ORDER BY run_id, first_step"
    rows = rows_of(connection, query.format(among("run_id", lacking)))
    found = {number: _series(lacking.pop(number), chunks, database) for number, chunks in itertools.groupby(rows, itemgetter(0))}
    return found | {number: _series(run, (), database) for number, run in lacking.items()}


def _series(run: HasTrajectory, chunks: Iterable[Any], database: str) -> Series:
    pieces = []
    step = 0
    for _, first_step, count, checksum, data in chunks:
        damaged = first_step != step or checksum != chunk_checksum(run.identity, step, count, data)
        if damaged or len(data) % (8 * count):
            raise StoreError(f"database {database}: the trajectory of run {run.id} is damaged at step {step}")
        pieces.append(np.frombuffer(data, ">f8").reshape(-1, count))
        step += count
    if step != run.steps + 1 and not (run.steps == step == 0 and run.outcome in (Outcome.FAILED, Outcome.TIMEOUT)):
        raise StoreError(f"database {database}: run {run.id} took {run.steps} steps, but {step} iterates are stored")
    if pieces and len(pieces[0]) != 2 + run.dimension * (run.records_x + run.records_gradient):
        raise StoreError(f"database {database}: the trajectory of run {run.id} is damaged at step 0")
    return assembled(pieces, run)


def _joined(pieces: Sequence[NDArray[Any]]) -> Array:
    whole = np.empty((len(pieces[0]), sum(piece.shape[1] for piece in pieces)))
    np.concatenate(pieces, axis=1, out=whole)
    return whole


def assembled(pieces: Sequence[NDArray[Any]], run: HasTrajectory) -> Series:
    """Join the chunks of a trajectory, each `(series, iterates)`."""
    if not pieces:
        return Series(np.empty(0), np.empty(0), None)
    whole = pieces[0].astype(float) if len(pieces) == 1 else _joined(pieces)
    x = whole[2 : 2 + run.dimension].T if run.records_x else None
    return Series(whole[0], whole[1], x, whole[-run.dimension :].T if run.records_gradient else None)
