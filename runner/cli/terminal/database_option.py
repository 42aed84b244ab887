"""Which database a command speaks of."""

from __future__ import annotations

from pathlib import Path

import click

RESULTS = Path("results")
DEFAULT_DATABASE = str(RESULTS / "runner.db")

db_option = click.option(
    "--db",
    metavar="PATH|URL",
    envvar="RUNNER_DB",
    default=DEFAULT_DATABASE,
    help=f"The results database.  [default: $RUNNER_DB, else {DEFAULT_DATABASE}]",
)


def size_in_words(size: float) -> str:
    """Return a size in words: `3.2 MB`."""
    for unit, bytes_ in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= bytes_:
            return f"{size / bytes_:.1f} {unit}"
    return f"{size} bytes"
