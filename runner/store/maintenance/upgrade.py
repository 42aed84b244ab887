"""Bringing a database to today's schema, with a backup first."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from runner.store.connection import Database, create_views
from runner.store.maintenance.backup import back_up
from runner.store.schema import SCHEMA_VERSION, views

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def upgrade(database: Database) -> Path | None:
    """Bring a database to today's schema in one transaction.

    A file is copied first, into one beside it whose name has the old schema and the date. Servers have backups of their own.

    Returns:
        The copy; None where there is none, or nothing to do.

    Raises:
        StoreError: it cannot be read, copied or written; it is then as it was.
    """
    database.require()
    if database.schema == SCHEMA_VERSION:
        return None
    # It takes longer to load than most commands to answer.
    from alembic import command, config

    with database.migrating() as connection:
        # With all other writers kept out, so that nothing is in the one and not in the other.
        copy = None if database.path is None else back_up(database)
        for name in views(connection.dialect.name):
            connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
        settings = config.Config(attributes={"connection": connection})
        settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        command.upgrade(settings, SCHEMA_VERSION)
        create_views(connection)
    database.schema = SCHEMA_VERSION
    return copy
