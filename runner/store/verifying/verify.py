"""The verification of a results database: the file, its layout, the shared rows, the runs, and their memberships."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Connection

from runner.errors import DamagedDatabase, StoreError
from runner.store.connection import Database
from runner.store.schema import SCHEMA_VERSION
from runner.store.verifying.layout import check_layout
from runner.store.verifying.memberships import check_memberships
from runner.store.verifying.part import VerifiedPart
from runner.store.verifying.runs import check_runs
from runner.store.verifying.shared_rows import check_environments, check_parameters, check_settings, check_starts
from runner.store.verifying.sqlite_file import check_pages, check_references
from runner.store.verifying.values import accept_invalid_text, check_values


def verify(database: Database) -> Iterator[VerifiedPart]:
    """Check everything that is stored, and yield the parts of the database one after another. Nothing is written.

    Raises:
        StoreError: the database cannot be opened.
    """

    def checked(name: str, check: Callable[[Connection, VerifiedPart], None]) -> VerifiedPart:
        part = VerifiedPart(name)
        try:
            with database.reading() as connection:
                accept_invalid_text(connection)
                check(connection, part)
        except StoreError as error:
            part.problems.append(_unreadable(error))
        return part

    if database.path is not None:
        yield checked("pages", check_pages)
        yield checked("references", check_references)
    if database.exists() and database.schema == SCHEMA_VERSION:
        yield checked("layout", check_layout)
    yield checked("values", check_values)
    yield checked("settings", check_settings)
    yield checked("parameters", check_parameters)
    yield checked("starts", check_starts)
    yield checked("environments", check_environments)
    runs, trajectories = VerifiedPart("runs"), VerifiedPart("trajectories")
    try:
        check_runs(database, runs, trajectories)
    except StoreError as error:
        runs.problems.append(_unreadable(error))
    yield runs
    yield trajectories
    yield checked("memberships", check_memberships)


def _unreadable(error: StoreError) -> str:
    return f"cannot be read to the end: {error.finding if isinstance(error, DamagedDatabase) else error}"
