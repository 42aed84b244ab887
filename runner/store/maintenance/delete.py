"""The deletion of runs and experiments, together with the rows that only they refer to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select, union

from runner.errors import StoreError
from runner.store import schema
from runner.store.connection import Database
from runner.store.reading.experiments import ExperimentKey, find_experiment
from runner.store.reading.parameter_values import KEYS_AT_ONCE
from runner.store.writing.workers import Worker, worker_names


@dataclass(frozen=True)
class DeletionRequest:
    """The runs and experiments that a user names for deletion.

    Attributes:
        runs: row numbers of runs.
        experiments: experiments, each by its row number or its name; if several have the name, the one that was run last. An
            experiment is deleted with the runs that belong to no other experiment.
        superseded: whether all superseded runs are deleted too.
    """

    runs: tuple[int, ...]
    experiments: tuple[int | str, ...]
    superseded: bool


@dataclass(frozen=True)
class Deletion:
    """A planned deletion.

    Attributes:
        request: the runs and experiments that the user named.
        runs: the row numbers of the runs to delete, including superseded runs, in ascending order.
        superseded: the number of superseded runs among these runs.
        experiments: the experiments to delete.
        kept: the number of runs of these experiments that are kept, because they belong to other experiments too.
        bytes: the size of the runs' trajectories, in bytes.
        identities: the identities of the runs, in the same order, because another run may get the number of a deleted run.
    """

    request: DeletionRequest
    runs: tuple[int, ...]
    superseded: int
    experiments: tuple[ExperimentKey, ...]
    kept: int
    bytes: int
    identities: tuple[str, ...]


def plan_deletion(
    database: Database, runs: Sequence[int], experiments: Sequence[int | str] = (), superseded: bool = False
) -> Deletion:
    """Plan a deletion. Every run is deleted together with the runs that it has superseded.

    Args:
        database: the database.
        runs: row numbers of runs.
        experiments: experiments, each by its row number or its name; if several have the name, the one that was run last.
        superseded: whether all superseded runs are deleted too.

    Raises:
        QueryError: an experiment does not exist.
        StoreError: the database cannot be read.
    """
    with database.reading() as connection:
        return _plan(connection, database.name, DeletionRequest(tuple(runs), tuple(experiments), superseded))


def _plan(connection: Connection, name: str, request: DeletionRequest) -> Deletion:
    run, member, chunk = schema.run, schema.experiment_run, schema.chunk
    experiments = tuple(dict.fromkeys(find_experiment(connection, key, name) for key in request.experiments))
    experiment_ids = [each.id for each in experiments]
    other = member.alias()
    in_others = select(other.c.run_id).where(other.c.experiment_id.not_in(experiment_ids), other.c.run_id == member.c.run_id)
    only_in_these = select(member.c.run_id).where(member.c.experiment_id.in_(experiment_ids), ~in_others.exists())
    members = set(connection.execute(only_in_these).scalars())
    all_members = select(func.count(member.c.run_id.distinct())).where(member.c.experiment_id.in_(experiment_ids))
    kept = connection.execute(all_members).scalar_one() - len(members)

    chosen = {*request.runs, *members}
    if request.superseded:
        chosen |= set(connection.execute(select(run.c.id).where(run.c.superseded_by.is_not(None))).scalars())
    # A run may have superseded another, which has superseded a third, and so on.
    latest = chosen
    while latest:
        predecessors: set[int] = set()
        for some in _portions(sorted(latest)):
            predecessors |= set(connection.execute(select(run.c.id).where(run.c.superseded_by.in_(some))).scalars())
        latest = predecessors - chosen
        chosen = chosen | latest

    runs = tuple(sorted(chosen))
    superseded, size = 0, 0
    identities: list[str] = []
    for some in _portions(runs):
        count = select(func.count()).where(run.c.id.in_(some), run.c.superseded_by.is_not(None))
        superseded += connection.execute(count).scalar_one()
        length = select(func.coalesce(func.sum(func.length(chunk.c.data)), 0)).where(chunk.c.run_id.in_(some))
        size += int(connection.execute(length).scalar_one())
        identities += connection.execute(select(run.c.identity).where(run.c.id.in_(some)).order_by(run.c.id)).scalars()
    return Deletion(request, runs, superseded, experiments, kept, size, tuple(identities))


def carry_out(database: Database, deletion: Deletion) -> None:
    """Carry out a planned deletion in one transaction, and delete all settings, starts and environments that no run refers to.

    Nothing is deleted if an error is raised.

    Raises:
        StoreError: the plan is out of date; it includes an experiment while a process computes runs; or the database cannot be
            written.
    """
    run = schema.run
    with database.writing() as connection:
        is_unused = Worker.of_this_process().remove_dead(connection)
        if deletion.experiments and not is_unused:
            raise StoreError(
                f"database {database.name}: {', '.join(worker_names(connection))} may be computing runs of the experiment; "
                "wait until it has ended, or stop it, then try again"
            )
        # The user may have taken a long time to agree.
        if _plan(connection, database.name, deletion.request) != deletion:
            raise StoreError(
                f"database {database.name}: the runs to delete have changed since the deletion was planned, so nothing was "
                "deleted; check them and try again"
            )
        for some in _portions(deletion.runs):
            connection.execute(delete(run).where(run.c.id.in_(some)))
        if deletion.experiments:
            experiment_ids = [each.id for each in deletion.experiments]
            connection.execute(delete(schema.experiment).where(schema.experiment.c.id.in_(experiment_ids)))
        # A process that is computing has written settings that no run refers to yet.
        if is_unused:
            used = union(*(select(run.c[f"{kind}_id"]) for kind in ("objective", "gradient", "optimizer", "rules")))
            connection.execute(delete(schema.setting).where(schema.setting.c.id.not_in(used)))
            for table, column in ((schema.start, run.c.start_id), (schema.environment, run.c.environment_id)):
                connection.execute(delete(table).where(table.c.id.not_in(select(column))))


def _portions(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(numbers), KEYS_AT_ONCE):
        yield numbers[first : first + KEYS_AT_ONCE]
