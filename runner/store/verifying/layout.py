"""The check of the layout: the tables, columns, indexes, views and triggers."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from runner.store.schema import metadata, views
from runner.store.verifying.part import VerifiedPart

TRIGGERS = {
    "sqlite": "SELECT name, tbl_name FROM main.sqlite_master WHERE type = 'trigger' ORDER BY name",
    "postgresql": "SELECT DISTINCT trigger_name, event_object_table FROM information_schema.triggers "
    "WHERE event_object_schema = current_schema() ORDER BY trigger_name",
}


def check_layout(connection: Connection, part: VerifiedPart) -> None:
    """Check that everything of the current schema exists, and that no trigger changes its tables.

    Tables, columns, indexes and views that a user has added are ignored.
    """
    dialect = connection.dialect.name
    expected = {("view", name) for name in views(dialect)}
    for each in metadata.sorted_tables:
        expected |= {("table", each.name), *(("column", str(column)) for column in each.columns)}
        expected |= {("index", str(index.name)) for index in each.indexes}
    part.count = len(expected)

    inspector = inspect(connection)
    found = {("view", name) for name in inspector.get_view_names()}
    for name in inspector.get_table_names():
        found |= {("table", name), *(("column", f"{name}.{column['name']}") for column in inspector.get_columns(name))}
        found |= {("index", str(index["name"])) for index in inspector.get_indexes(name)}
    part.problems += [f"{kind} {name} is missing" for kind, name in sorted(expected - found)]

    if dialect == "sqlite":
        # PostgreSQL keeps a translation of a view's query, which cannot be compared with the query itself.
        rows = connection.execute(text("SELECT name, sql FROM main.sqlite_master WHERE type = 'view'"))
        stored = {name: str(query) for name, query in rows}
        for name, query in views(dialect).items():
            if name in stored and stored[name].split() != f"CREATE VIEW {name} AS {query}".split():
                part.problems.append(f"the query of view {name} is not the one that runner gave it")

    for trigger, table in connection.execute(text(TRIGGERS[dialect])):
        if table in {*metadata.tables, *views(dialect)}:
            part.problems.append(f"trigger {trigger} is not one of runner's, and may change table {table} when it is written")
