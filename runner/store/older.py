"""Reading databases of older schemas: what they have not got is put before them in views that end with the connection."""

from __future__ import annotations

from sqlalchemy import Connection, text

from runner.store.schema import views

OLDER = {
    "0001": {
        "run": "SELECT r.*, {false} AS records_gradient, CAST(NULL AS VARCHAR(16)) AS behaviour FROM {schema}.run r",
        "parameter": "SELECT setting_id, name, number, text FROM {schema}.parameter UNION ALL "
        "SELECT id, 'record_gradient', NULL, 'false' FROM {schema}.setting WHERE kind = 'rules'",
        "worker": "SELECT 0 AS id, '' AS token, '' AS host, '' AS boot, 0 AS process, 0.0 AS process_started, 0.0 AS seen_at "
        "WHERE 1 = 0",
        "claim": "SELECT '' AS identity, 0 AS worker_id WHERE 1 = 0",
    },
    "0002": {},
}
"""For each older schema, tables of today's as queries on its own."""


def show_as_current(connection: Connection, version: str) -> None:
    """Put views before the tables of an older schema, for this connection (SQLite) or transaction (PostgreSQL) only."""
    sqlite = connection.dialect.name == "sqlite"
    schema = "main" if sqlite else connection.execute(text("SELECT current_schema()")).scalar_one()
    tables = {name: query.format(schema=schema, false="0" if sqlite else "false") for name, query in OLDER[version].items()}
    for name, query in {**tables, **views(connection.dialect.name)}.items():
        connection.execute(text(f"CREATE TEMPORARY VIEW {name} AS {query}"))
