"""`runner db`: the maintenance of a database."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import click

from runner.cli.terminal.command_groups import Group
from runner.cli.terminal.options import brief_format_option, db_option
from runner.cli.terminal.tables import size_text
from runner.errors import OutdatedDatabase
from runner.results.results_database import ResultsDatabase
from runner.store.urls import without_password
from runner.tables.readable import counted, date


@click.group(cls=Group)
def db() -> None:
    """Maintain a results database.

    \b
    Examples:
      runner db info
      runner db backup
      runner db copy results/small.db
    """


@db.command()
@db_option
@brief_format_option
def info(db: str, form: str) -> None:
    """Show the system, schema, size and content of a database.

    The processes that are computing runs for it are listed too.

    \b
    Example:
      runner db info
    """
    with _open_outdated(db) as database:
        facts = database.facts()
    if form == "json":
        click.echo(json.dumps(asdict(facts), indent=2))
        return
    first, last = facts.first_run_at, facts.last_run_at
    lines = {
        "database": facts.name,
        "system": facts.system,
        "schema": facts.schema,
        "size": size_text(facts.bytes) + (f", of which {size_text(facts.free_bytes)} are free" if facts.free_bytes else ""),
        "experiments": f"{facts.experiments:,}",
        "runs": f"{facts.runs:,}" + (f", and {facts.superseded:,} superseded" if facts.superseded else ""),
        "iterates": f"{facts.iterates:,}",
        "stored": "no run" if first is None or last is None else f"{date(first)} to {date(last)} UTC",
        "computing": ", ".join(facts.at_work) or "no process",
    }
    click.echo("\n".join(f"{name:12}  {value}" for name, value in lines.items()))
    if facts.outdated:
        click.echo(facts.outdated)


@db.command()
@click.argument("file", required=False)
@db_option
def backup(file: str | None, db: str) -> None:
    """Copy a database file while others may be using it.

    The copy has the state of one instant. Without FILE, it is written beside the database, and its name contains the schema and
    the date. No file is overwritten.

    \b
    Examples:
      runner db backup
      runner db backup /media/safe/runner.db
    """
    with _open_outdated(db) as database:
        click.echo(f"copied to {database.backup(file)}")


@db.command()
@db_option
def upgrade(db: str) -> None:
    """Upgrade a database of an older version to the current schema.

    The upgrade is one transaction. A file is backed up first, as by `runner db backup`. Back up a server with its own tools
    before you upgrade it.

    \b
    Example:
      runner db upgrade --db results/runner.db
    """
    with _open_outdated(db) as database:
        before = database.facts().schema
        backup = database.upgrade()
        after = database.facts().schema
    if before == after:
        click.echo(f"{database.name}: already has schema {after}")
    else:
        click.echo(f"{database.name}: upgraded from schema {before} to {after}" + (f"; backup: {backup}" if backup else ""))


@db.command()
@click.argument("target", metavar="PATH|URL")
@db_option
def copy(target: str, db: str) -> None:
    """Copy everything into a new or empty database.

    Source and target are each a file or a PostgreSQL database. Every bit of every trajectory is copied. The copy has the current
    schema, and is verified at the end.

    \b
    Examples:
      runner db copy small.db
      runner db copy postgresql+psycopg://user@host/name
      runner db copy --db postgresql+psycopg://user@host/name results/runner.db
    """
    with _open_outdated(db) as database:
        rows = database.copy(target)
    click.echo(f"{without_password(target)}: {counted(rows['run'], 'run')} copied and verified")


@db.command()
@db_option
def vacuum(db: str) -> None:
    """Return the disk space of deleted runs to the system.

    While it runs, the command needs as much free space as the database takes.

    \b
    Example:
      runner db vacuum
    """
    with ResultsDatabase(db) as database:
        before, after = database.vacuum()
    click.echo(f"{database.name}: {size_text(before)} before, {size_text(after)} now")


@contextmanager
def _open_outdated(name: str) -> Iterator[ResultsDatabase]:
    """Open a database without the warning that it is outdated, because these commands report or change its schema."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OutdatedDatabase)
        database = ResultsDatabase(name)
    with database:
        yield database
