"""Whether the tables, columns, indexes and views of today's schema are there, and nothing that would change what they hold."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, inspect, text

from runner.store.schema import metadata, views

TRIGGERS = {
    "sqlite": "SELECT name, tbl_name FROM main.sqlite_master WHERE type = 'trigger' ORDER BY name",
    "postgresql": "SELECT DISTINCT trigger_name, event_object_table FROM information_schema.triggers "
    "WHERE event_object_schema = current_schema() ORDER BY trigger_name",
}


def parts_of_schema(dialect: str) -> set[tuple[str, str]]:
    """Return all that belongs to today's schema, each as what it is and its name."""
    wanted = {("view", name) for name in views(dialect)}
    for each in metadata.sorted_tables:
        wanted |= {("table", each.name), *(("column", str(column)) for column in each.columns)}
        wanted |= {("index", str(index.name)) for index in each.indexes}
    return wanted


def wrong_with_layout(connection: Connection) -> Iterator[str]:
    """Give a sentence for all that is missing, or is another than it should be; what somebody added is theirs."""
    looked = inspect(connection)
    there = {("view", name) for name in looked.get_view_names()}
    for table in looked.get_table_names():
        there |= {("table", table), *(("column", f"{table}.{column['name']}") for column in looked.get_columns(table))}
        there |= {("index", str(index["name"])) for index in looked.get_indexes(table)}
    dialect = connection.dialect.name
    yield from (f"{kind} {name} is missing" for kind, name in sorted(parts_of_schema(dialect) - there))
    if dialect == "sqlite":
        yield from _wrong_with_views(connection)
    ours = {*metadata.tables, *views(dialect)}
    for name, table in connection.execute(text(TRIGGERS[dialect])):
        if table in ours:
            yield f"trigger {name} is not runner's, and may change {table} whenever it is written"


def _wrong_with_views(connection: Connection) -> Iterator[str]:
    """Compare the queries of the views with ours. A server keeps no text, but what it makes of it."""
    rows = connection.execute(text("SELECT name, sql FROM main.sqlite_master WHERE type = 'view'"))
    stored = {name: str(query) for name, query in rows}
    for name, query in views("sqlite").items():
        found = stored.get(name, "")
        if found and _plain(found) != _plain(f"CREATE VIEW {name} AS {query}"):
            yield f"view {name} has another query than runner gives it"


def _plain(query: str) -> str:
    return " ".join(query.split())
