"""`runner db`: looking after a database."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click

from runner.cli.terminal.command_groups import Group
from runner.cli.terminal.database_option import db_option, size_in_words
from runner.cli.terminal.output_options import brief_format_option
from runner.cli.terminal.progress import many_runs
from runner.errors import OutdatedDatabase
from runner.results.results_database import ResultsDatabase
from runner.store.urls import without_password
from runner.tables.readable import date


@click.group(cls=Group, short_help="Look after a database: info, backup, upgrade, copy, vacuum.")
def db() -> None:
    """Look after a results database.

    \b
    Examples:
      runner db info
      runner db backup
      runner db copy results/small.db
    """


@db.command(short_help="Say what it is, its size and what it holds.")
@db_option
@brief_format_option
def info(db: str, form: str) -> None:
    """Say what a database is, how large, what it holds, and who is computing just now.

    \b
    Example:
      runner db info
    """
    with _quiet(db) as database:
        found = database.facts()
    if form == "json":
        click.echo(json.dumps(asdict(found), indent=2))
        return
    free = found.free_bytes
    lines = {
        "database": found.name,
        "kept by": found.system,
        "schema": found.schema,
        "size": size_in_words(found.bytes) + (f", of which {size_in_words(free)} are free" if free else ""),
        "experiments": f"{found.experiments:,}",
        "runs": f"{found.runs:,}" + (f", and {found.superseded:,} superseded" if found.superseded else ""),
        "iterates": f"{found.iterates:,}",
        "stored": _span(found.first_run_at, found.last_run_at),
        "at work": ", ".join(found.at_work) or "nobody",
    }
    click.echo("\n".join(f"{name:12}  {value}" for name, value in lines.items()))
    if found.outdated:
        click.echo(found.outdated)


@db.command(short_help="Copy the file, while others may be using it.")
@click.argument("file", required=False)
@db_option
def backup(file: str | None, db: str) -> None:
    """Copy a database file as of one instant, while others may be using it.

    Without a name the copy goes beside the file, with its schema and the date in its name. No file is ever overwritten.

    \b
    Examples:
      runner db backup
      runner db backup /media/safe/runner.db
    """
    with _quiet(db) as database:
        click.echo(f"copied to {database.backup(file)}")


@db.command(short_help="Bring an older database to today's schema.")
@db_option
def upgrade(db: str) -> None:
    """Bring a database that an older version of runner made to today's schema, in one transaction.

    A file is copied first, as `runner db backup` does; a server has backups of its own.

    \b
    Example:
      runner db upgrade --db results/runner.db
    """
    with _quiet(db) as database:
        before = database.facts().schema
        backup = database.upgrade()
        after = database.facts().schema
    if before == after:
        click.echo(f"{database.name}: has schema {after} already")
    else:
        click.echo(f"{database.name}: upgraded from schema {before} to {after}" + (f"; before: {backup}" if backup else ""))


@db.command(short_help="Copy everything into a new database, a file or on a server.")
@click.argument("target", metavar="PATH|URL")
@db_option
def copy(target: str, db: str) -> None:
    """Copy everything into a new or empty database: from file to file, to PostgreSQL, and back.

    Every bit of every trajectory is the same there; the copy is verified at the end, and has today's schema.

    \b
    Examples:
      runner db copy small.db
      runner db copy postgresql+psycopg://user@host/name
      runner db copy --db postgresql+psycopg://user@host/name results/runner.db
    """
    with _quiet(db) as database:
        rows = database.copy(target)
    click.echo(f"{without_password(target)}: {many_runs(rows['run'])} copied, and verified")


@db.command(short_help="Give the room of what was deleted back to the disk.")
@db_option
def vacuum(db: str) -> None:
    """Give the room of what was deleted back to the disk. It needs as much room again while it lasts.

    \b
    Example:
      runner db vacuum
    """
    with ResultsDatabase(db) as database:
        before, after = database.vacuum()
    click.echo(f"{database.name}: {size_in_words(before)} before, {size_in_words(after)} now")


@contextmanager
def _quiet(name: str) -> Iterator[ResultsDatabase]:
    """Open a database, and say nothing of its being old: who looks after it knows, or is about to mend it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutdatedDatabase)
        database = ResultsDatabase(name)
    with database:
        yield database


def _span(first: float | None, last: float | None) -> str:
    return "nothing" if first is None or last is None else f"{date(first)} to {date(last)} UTC"
