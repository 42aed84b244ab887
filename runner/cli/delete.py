"""`runner delete`."""

from __future__ import annotations

import sys

import click

from runner.cli.terminal.database_option import db_option, size_in_words
from runner.cli.terminal.progress import many_runs
from runner.results.results_database import ResultsDatabase
from runner.store.maintenance.delete import Deletion


@click.command(short_help="Delete runs or an experiment, after asking.")
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--where", metavar="FILTER", help="The runs that satisfy a filter, as for `runner runs`.")
@click.option(
    "--experiment",
    "experiments",
    multiple=True,
    metavar="EXPERIMENT",
    help="An experiment, by its name (the one run last) or number, and the runs of no other; may be repeated.",
)
@click.option("--superseded", is_flag=True, help="All runs that others took the place of.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted, and delete nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@db_option
def delete(
    runs: tuple[str, ...], where: str | None, experiments: tuple[str, ...], superseded: bool, dry_run: bool, yes: bool, db: str
) -> None:
    """Delete runs for good: by number or the beginning of their identity, by a filter, or whole experiments.

    A run goes with its trajectory, and with the superseded runs that it took the place of. An experiment whose runs are deleted
    by number or filter stays, with no runs; --experiment deletes it, and nothing of others that have its name. Who answers no has
    nothing deleted, and exit code 0. The file keeps its size; `runner db vacuum` makes it smaller.

    \b
    Examples:
      runner delete 17 3f9a
      runner delete --where 'outcome = "failed"' --dry-run
      runner delete --experiment lr_sweep --yes
      runner delete --experiment 1 --experiment 2
      runner delete --superseded
    """
    with ResultsDatabase(db) as database:
        deletion = database.plan_deletion(runs or None, where=where, experiment=experiments or None, superseded=superseded)
        what = _in_words(deletion)
        if not (deletion.runs or deletion.experiments):
            click.echo("there is nothing to delete")
            return
        if dry_run:
            click.echo(f"would delete {what}")
            return
        if not (yes or _agreed(what, database.name)):
            click.echo("nothing was deleted")
            return
        database.delete(deletion)
    click.echo(f"deleted {what}")


def _in_words(deletion: Deletion) -> str:
    """Say what exactly goes, and what of it stays because others have it too."""
    what = many_runs(len(deletion.runs)) + (f" ({deletion.superseded:,} superseded)" if deletion.superseded else "")
    what += f" with {size_in_words(deletion.bytes)} of trajectories"
    if deletion.experiments:
        plural = "s" if len(deletion.experiments) > 1 else ""
        what += f", and experiment{plural} {', '.join(f'{each.name} ({each.id})' for each in deletion.experiments)}"
    if deletion.kept:
        verb = "belongs" if deletion.kept == 1 else "belong"
        what += f", but not {many_runs(deletion.kept)} that {verb} to others too"
    return what


def _agreed(what: str, db: str) -> bool:
    """Whether somebody is there who says yes."""
    if not sys.stdin.isatty():
        raise click.UsageError(f"would delete {what} from {db}; nobody is there to ask, so say --yes")
    return click.confirm(f"Delete {what} from {db}?")
