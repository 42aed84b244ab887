"""`runner verify`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

import runner
from runner.cli.terminal.database_option import db_option
from runner.cli.terminal.option_types import WholeNumber
from runner.cli.terminal.progress import many_runs
from runner.errors import DamagedDatabase, StoreError
from runner.results.results_database import ResultsDatabase
from runner.tables.frame import printable

if TYPE_CHECKING:
    from runner.store.verifying.verify import Check


MOST_SHOWN = 20
DAMAGED = StoreError.exit_code


@click.command()
@db_option
@click.option("--replay", "count", type=WholeNumber(0), default=0, metavar="N", help="Compute N stored runs again.")
@click.option(
    "--seed", type=WholeNumber(), metavar="N", help="Of the choice of these runs; another choice each time if left out."
)
@click.option(
    "--plugin", "files", multiple=True, type=click.Path(path_type=Path), metavar="FILE", help="A plugin that they need."
)
def verify(db: str, count: int, seed: int | None, files: tuple[Path, ...]) -> int:
    """Check that everything in a database is whole: the file, runs, trajectories, experiments.

    Each run's identity, each chunk's checksum, the steps without a gap, and each summary against its trajectory. Damage is
    named, run by run, and the exit code is then 4. With --replay, runs are chosen at random and computed again; they must have
    the same bits where code, packages and processor are the same, and where not, the differences are told.

    \b
    Examples:
      runner verify
      runner verify --replay 20 --seed 1
      runner verify --db old.db --replay 5 --plugin experiments/my_optimizer.py
    """
    with _opened(db) as database:
        damaged = sum([_say(check) for check in database.verify()])
        if count:
            damaged += _replay(database, count, seed, files)
    click.echo(f"{database.name}: {'damaged; see above' if damaged else 'whole'}")
    return DAMAGED if damaged else 0


def _opened(db: str) -> ResultsDatabase:
    try:
        return runner.open(db)
    except DamagedDatabase as error:
        raise StoreError(f"{error.finding}; too little can be read to say where; use a backup") from error


def _say(check: Check) -> int:
    """Say a line of what was looked at, and one for each problem and note; return how many problems there are."""
    count = len(check.problems)
    click.echo(f"{check.name:14}{check.count:>10,}  {f'{count:,} damaged' if count else 'ok'}")
    for sentences in (check.problems, check.notes):
        for sentence in sentences[:MOST_SHOWN]:
            click.echo(f"  {printable(sentence)}")
        if len(sentences) > MOST_SHOWN:
            click.echo(f"  and {len(sentences) - MOST_SHOWN:,} more")
    return count


def _replay(database: ResultsDatabase, count: int, seed: int | None, files: tuple[Path, ...]) -> int:
    """Compute runs again; return how many have other bits without a reason."""
    # Plugins are found in all installed packages, which is looked for only where they are needed.
    from runner.registry.registry import Registry

    catalogue = Registry()
    for file in files:
        catalogue.load_file(file)
    verdicts: Counter[str] = Counter()
    lines = []
    for replay in database.replay(count, catalogue, seed):
        verdicts[replay.verdict] += 1
        if replay.words:
            lines.append(f"  run {replay.run}: {printable(replay.words)}")
    words = {
        "same": "with the same bits",
        "different": "with other bits",
        "other circumstances": "with other bits under other circumstances",
        "impossible": "that cannot be computed here",
    }
    click.echo(f"{'replayed':14}{verdicts.total():>10,}  {', '.join(_counted(verdicts, words)) or 'there is none to replay'}")
    click.echo("".join(f"{line}\n" for line in lines), nl=False)
    return verdicts["different"]


def _counted(verdicts: Counter[str], words: dict[str, str]) -> Iterator[str]:
    for verdict, phrase in words.items():
        if verdicts[verdict]:
            yield f"{many_runs(verdicts[verdict])} {phrase}"
