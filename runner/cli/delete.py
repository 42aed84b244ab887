"""`runner delete`."""

from __future__ import annotations

import sys

import click

from runner.cli.terminal.options import db_option
from runner.cli.terminal.tables import size_text
from runner.results.results_database import ResultsDatabase
from runner.tables.readable import counted


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...")
@click.option("--where", metavar="FILTER", help="Delete the runs that satisfy a filter, as in `runner runs`.")
@click.option(
    "--experiment",
    "experiments",
    multiple=True,
    metavar="EXPERIMENT",
    help="Delete an experiment, by name (the latest of that name) or number, and the runs that belong to no other experiment; "
    "may be repeated.",
)
@click.option("--superseded", is_flag=True, help="Delete all superseded runs.")
@click.option("--dry-run", is_flag=True, help="Report what would be deleted, and delete nothing.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
@db_option
def delete(
    runs: tuple[str, ...], where: str | None, experiments: tuple[str, ...], superseded: bool, dry_run: bool, yes: bool, db: str
) -> None:
    """Delete runs or experiments permanently. RUN is the number of a run or the beginning of its identity.

    The trajectory of a run is deleted with it, and so are the runs that it superseded. If runs are deleted by number or filter,
    their experiment stays, even without runs. `--experiment` deletes the experiment too, but not others of the same name. If you
    answer no, nothing is deleted and the exit code is 0. The file keeps its size until `runner db vacuum`.

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
        if not (deletion.runs or deletion.experiments):
            click.echo("there is nothing to delete")
            return
        content = counted(len(deletion.runs), "run") + (f" ({deletion.superseded:,} superseded)" if deletion.superseded else "")
        content += f" with {size_text(deletion.bytes)} of trajectories"
        if deletion.experiments:
            plural = "s" if len(deletion.experiments) > 1 else ""
            content += f", and experiment{plural} {', '.join(f'{each.name} ({each.id})' for each in deletion.experiments)}"
        if deletion.kept:
            verb = "belongs" if deletion.kept == 1 else "belong"
            content += f", but not {counted(deletion.kept, 'run')} that {verb} to other experiments too"
        if dry_run:
            click.echo(f"would delete {content}")
            return
        if not yes:
            if not sys.stdin.isatty():
                raise click.UsageError(
                    f"would delete {content} from {database.name}; standard input is not a terminal, so confirm with --yes"
                )
            if not click.confirm(f"Delete {content} from {database.name}?"):
                click.echo("nothing was deleted")
                return
        database.delete(deletion)
    click.echo(f"deleted {content}")
