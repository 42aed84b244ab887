"""Deleting runs and experiments, and what nothing refers to afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, select, union

from runner.errors import StoreError
from runner.store import schema
from runner.store.connection import Database
from runner.store.reading.experiments import ExperimentKey, find_experiment
from runner.store.writing.shared_rows import LOOKUP
from runner.store.writing.workers import Worker, described


@dataclass(frozen=True)
class Wish:
    """What somebody wants to be deleted.

    Attributes:
        runs: row numbers of runs.
        experiments: experiments, each by its row number, or by its name for the one that was run last; they go with the runs that
            belong to no others.
        superseded: every superseded run too.
    """

    runs: tuple[int, ...]
    experiments: tuple[int | str, ...]
    superseded: bool


@dataclass(frozen=True)
class Deletion:
    """What is deleted, or would be.

    Attributes:
        wish: what it was asked for.
        runs: the row numbers of the runs, superseded ones too.
        superseded: how many of them are superseded.
        experiments: the experiments.
        kept: how many of the experiments' runs stay, because others have them too.
        bytes: how many bytes of trajectories go with them.
        identities: of the runs, in the same order: the number of a run that is gone may become another's.
    """

    wish: Wish
    runs: tuple[int, ...]
    superseded: int
    experiments: tuple[ExperimentKey, ...]
    kept: int
    bytes: int
    identities: tuple[str, ...]


def plan_deletion(
    database: Database, runs: Sequence[int], experiments: Sequence[int | str] = (), superseded: bool = False
) -> Deletion:
    """Return what a deletion would delete; a run always goes with those that it has superseded.

    Args:
        database: where.
        runs: row numbers of runs.
        experiments: experiments, each by its row number, or by its name for the one that was run last.
        superseded: every superseded run too.

    Raises:
        QueryError: there is no such experiment.
        StoreError: the database cannot be read.
    """
    with database.reading() as connection:
        return _planned(connection, database.name, Wish(tuple(runs), tuple(experiments), superseded))


def _planned(connection: Connection, name: str, wish: Wish) -> Deletion:
    run, member = schema.run, schema.experiment_run
    chosen = set(wish.runs)
    experiments = tuple(dict.fromkeys(find_experiment(connection, key, name) for key in wish.experiments))
    numbers = [each.id for each in experiments]
    theirs = set(_only_of(connection, numbers))
    members = select(func.count(member.c.run_id.distinct())).where(member.c.experiment_id.in_(numbers))
    kept = connection.execute(members).scalar_one() - len(theirs)
    chosen |= theirs
    if wish.superseded:
        chosen |= set(connection.execute(select(run.c.id).where(run.c.superseded_by.is_not(None))).scalars())
    chosen |= _superseded_by(connection, chosen)
    runs = tuple(sorted(chosen))
    counts = [_weigh(connection, some) for some in _portions(runs)]
    superseded, size = sum(count for count, _ in counts), sum(size for _, size in counts)
    return Deletion(wish, runs, superseded, experiments, kept, size, tuple(_identities(connection, runs)))


def carry_out(database: Database, deletion: Deletion) -> None:
    """Delete, in one transaction, with all settings, starts and environments that nothing refers to any more.

    Raises:
        StoreError: what was planned is no longer what it was; an experiment is to go while somebody computes; or the database
            cannot be written. Nothing is deleted then.
    """
    with database.writing() as connection:
        here = Worker.here()
        here.end()
        alone = here.remove_gone(connection)
        if deletion.experiments and not alone:
            raise StoreError(
                f"database {database.name}: {', '.join(described(connection))} may be computing runs of the experiment; "
                "wait for its end or stop it, then try again"
            )
        # Somebody may have thought about it for long.
        if _planned(connection, database.name, deletion.wish) != deletion:
            raise StoreError(f"database {database.name}: what was to be deleted has changed meanwhile; look at it and try again")
        for some in _portions(deletion.runs):
            connection.execute(delete(schema.run).where(schema.run.c.id.in_(some)))
        if deletion.experiments:
            connection.execute(
                delete(schema.experiment).where(schema.experiment.c.id.in_([each.id for each in deletion.experiments]))
            )
        # Who is computing counts on the settings that it wrote, though no run may refer to them yet.
        if alone:
            _delete_orphans(connection)


def _only_of(connection: Connection, experiments: Sequence[int]) -> Iterator[int]:
    """Give the runs that belong to these experiments and to no others."""
    member = schema.experiment_run
    others = member.alias()
    elsewhere = select(others.c.run_id).where(others.c.experiment_id.not_in(experiments), others.c.run_id == member.c.run_id)
    query = select(member.c.run_id).where(member.c.experiment_id.in_(experiments), ~elsewhere.exists())
    yield from connection.execute(query).scalars()


def _superseded_by(connection: Connection, runs: set[int]) -> set[int]:
    """Return the runs that these have superseded, and those that were superseded by them."""
    found: set[int] = set()
    latest = runs
    while latest:
        older: set[int] = set()
        for some in _portions(sorted(latest)):
            older |= set(connection.execute(select(schema.run.c.id).where(schema.run.c.superseded_by.in_(some))).scalars())
        latest = older - runs - found
        found |= latest
    return found


def _identities(connection: Connection, runs: Sequence[int]) -> Iterator[str]:
    run = schema.run
    for some in _portions(runs):
        yield from connection.execute(select(run.c.identity).where(run.c.id.in_(some)).order_by(run.c.id)).scalars()


def _weigh(connection: Connection, runs: Sequence[int]) -> tuple[int, int]:
    """Return how many of some runs are superseded, and how many bytes of trajectories they all have."""
    run, chunk = schema.run, schema.chunk
    superseded = select(func.count()).where(run.c.id.in_(runs), run.c.superseded_by.is_not(None))
    size = select(func.coalesce(func.sum(func.length(chunk.c.data)), 0)).where(chunk.c.run_id.in_(runs))
    return int(connection.execute(superseded).scalar_one()), int(connection.execute(size).scalar_one())


def _delete_orphans(connection: Connection) -> None:
    run = schema.run
    used = union(*(select(run.c[f"{kind}_id"]) for kind in ("objective", "gradient", "optimizer", "rules")))
    connection.execute(delete(schema.setting).where(schema.setting.c.id.not_in(used)))
    for table, column in ((schema.start, run.c.start_id), (schema.environment, run.c.environment_id)):
        connection.execute(delete(table).where(table.c.id.not_in(select(column))))


def _portions(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(numbers), LOOKUP):
        yield numbers[first : first + LOOKUP]
