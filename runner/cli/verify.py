"""`runner verify`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

import runner
from runner.cli.terminal.options import WholeNumber, db_option
from runner.errors import DamagedDatabase, PluginError, StoreError
from runner.results.results_database import ResultsDatabase
from runner.tables.frame import printable
from runner.tables.readable import counted

MOST_SHOWN = 20
"""Largest number of problems, and of notes, that are shown for one part."""
DAMAGED = StoreError.exit_code
NOT_REPRODUCIBLE = PluginError.exit_code
VERDICTS = {
    "same": "with the same bits",
    "different": "with different bits",
    "not reproducible": "whose computations here differ from each other",
    "other circumstances": "with different bits, with other code, packages or processor",
    "impossible": "that cannot be computed here",
}


@click.command()
@db_option
@click.option("--replay", "count", type=WholeNumber(0), default=0, metavar="N", help="Compute N stored runs again.")
@click.option("--seed", type=WholeNumber(), metavar="N", help="Seed of the choice of runs to replay.  [default: random]")
@click.option(
    "--plugin",
    "files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Load a plugin file that the runs need; may be repeated.",
)
def verify(db: str, count: int, seed: int | None, files: tuple[Path, ...]) -> int:
    """Check a database for damage.

    The checks cover the file, the identity of each run, the checksum of each part of a trajectory, and the sequence of the steps.
    The results of each run must agree with its trajectory. Each problem is reported with its run, and the exit code is then 4.

    With `--replay`, runs are chosen at random and computed again. They must have the same bits if code, packages and processor
    are the same; otherwise the differences are reported. A run with different bits is computed once more. If its computations
    differ from each other, its plugins are not reproducible. The file is then intact, and the exit code is 3.

    \b
    Examples:
      runner verify
      runner verify --replay 20 --seed 1
      runner verify --db old.db --replay 5 --plugin experiments/my_optimizer.py
    """
    try:
        opened = runner.open(db)
    except DamagedDatabase as error:
        raise StoreError(f"{error.finding}; the file is too damaged to list the damage; use a backup") from error
    with opened as database:
        problems = 0
        for part in database.verify():
            found = len(part.problems)
            problems += found
            click.echo(f"{part.name:14}{part.count:>10,}  {f'{found:,} damaged' if found else 'ok'}")
            for sentences in (part.problems, part.notes):
                for sentence in sentences[:MOST_SHOWN]:
                    click.echo(f"  {printable(sentence)}")
                if len(sentences) > MOST_SHOWN:
                    click.echo(f"  and {len(sentences) - MOST_SHOWN:,} more")
        verdicts = _replay(database, count, seed, files) if count else Counter()
    unrepeatable = verdicts["not reproducible"]
    if problems or verdicts["different"]:
        click.echo(f"{database.name}: damaged; see above")
        return DAMAGED
    if unrepeatable:
        click.echo(f"{database.name}: intact, but {counted(unrepeatable, 'run')} cannot be reproduced; see above")
        return NOT_REPRODUCIBLE
    click.echo(f"{database.name}: intact")
    return 0


def _replay(database: ResultsDatabase, count: int, seed: int | None, files: tuple[Path, ...]) -> Counter[str]:
    """Compute runs again, print the verdicts, and return the number of runs with each verdict."""
    # The registry searches all installed packages for plugins, which takes time that only a replay needs.
    from runner.registry.registry import Registry

    registry = Registry()
    for file in files:
        registry.load_file(file)
    verdicts: Counter[str] = Counter()
    differences = []
    for replay in database.replay(count, registry, seed):
        verdicts[replay.verdict] += 1
        if replay.words:
            differences.append(f"  run {replay.run}: {printable(replay.words)}")
    counts = [f"{counted(verdicts[verdict], 'run')} {phrase}" for verdict, phrase in VERDICTS.items() if verdicts[verdict]]
    click.echo(f"{'replayed':14}{verdicts.total():>10,}  {', '.join(counts) or 'no run can be replayed'}")
    for line in differences:
        click.echo(line)
    return verdicts
