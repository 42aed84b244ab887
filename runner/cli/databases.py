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
