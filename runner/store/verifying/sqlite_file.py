"""The checks of a file by SQLite itself. PostgreSQL has no such checks."""

from __future__ import annotations

from sqlalchemy import Connection, text

from runner.store.verifying.part import VerifiedPart

MOST_LISTED = 100
"""The largest number of problems that SQLite lists."""


def check_pages(connection: Connection, part: VerifiedPart) -> None:
    """Check the pages of the file, by SQLite's `integrity_check`."""
    part.count = int(connection.execute(text("PRAGMA page_count")).scalar_one())
    found = connection.execute(text(f"PRAGMA integrity_check({MOST_LISTED})")).scalars()
    part.problems += [" ".join(str(line).split()) for line in found if line != "ok"]


def check_references(connection: Connection, part: VerifiedPart) -> None:
    """Check the foreign keys, by SQLite's `foreign_key_check`."""
    for table, row_id, target, _ in connection.execute(text("PRAGMA main.foreign_key_check")):
        row = "a row" if row_id is None else f"row {row_id}"
        part.problems.append(f"{row} of table {table} refers to a row of table {target} that is missing")
    tables = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
    part.count = sum(len(connection.execute(text(f'PRAGMA main.foreign_key_list("{table}")')).all()) for table in tables)
