"""The upgrade of a database to the current schema, after a backup."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from runner.store.connection import Database, create_views
from runner.store.maintenance.backup import back_up
from runner.store.schema import SCHEMA_VERSION, views

MIGRATIONS = Path(__file__).parent.parent / "migrations"


def upgrade(database: Database) -> Path | None:
    """Bring a database to the current schema in one transaction.

    A file is first copied within its folder. The name of the copy has the old schema and the date. A server is not backed up.

    Returns:
        The path of the copy; None on a server, or if the database already has the current schema.

    Raises:
        StoreError: the database cannot be read, copied or written; it is unchanged then.
    """
    database.check_exists()
    if database.schema == SCHEMA_VERSION:
        return None
    # Alembic takes longer to load than most commands take to answer.
    from alembic import command, config

    with database.migrating() as connection:
        # The copy is made within the transaction, which keeps other writers out. So the copy has the same rows as the database.
        copy = None if database.path is None else back_up(database)
        for name in views(connection.dialect.name):
            connection.execute(text(f"DROP VIEW IF EXISTS {name}"))
        settings = config.Config(attributes={"connection": connection})
        settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        command.upgrade(settings, SCHEMA_VERSION)
        create_views(connection)
    database.schema = SCHEMA_VERSION
    return copy
