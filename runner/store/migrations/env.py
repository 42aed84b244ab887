"""What Alembic runs: the migrations, on the connection and in the transaction of whoever calls it."""

from __future__ import annotations

from alembic import context

from runner.store.schema import schema_version

context.configure(connection=context.config.attributes["connection"], version_table=schema_version.name)
context.run_migrations()
