"""The script that Alembic runs: it applies the migrations on the connection, and within the transaction, of the caller."""

from __future__ import annotations

from alembic import context

from runner.store.schema import schema_version

context.configure(connection=context.config.attributes["connection"], version_table=schema_version.name)
context.run_migrations()
