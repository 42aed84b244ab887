"""Upkeep: whether all is whole, deleting, copies, upgrades."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from runner.database.asking import Asking
from runner.database.questions import Key, Runs, catalogue_with, plain, wanted
from runner.errors import QueryError
from runner.store.connection import Database
from runner.store.heads import read_heads

if TYPE_CHECKING:
    from runner.offers import Catalogue
    from runner.replaying import Replay
    from runner.store.deleting import Deletion
    from runner.store.facts import Facts
    from runner.store.verifying import Check


class Upkeep(Asking):
    """Looking after a results database."""

    def verify(self) -> Iterator[Check]:
        """Look whether everything that is stored is whole, one kind of thing after another.

        Raises:
            StoreError: the database cannot be read.
        """
        # NumPy takes longer to load than most questions to answer.
        from runner.store.verifying import verify

        return verify(self._database)

    def replay(
        self, count: int, catalogue: Catalogue | None = None, seed: int | None = None, *, plugins: Sequence[str | Path] = ()
    ) -> Iterator[Replay]:
        """Compute runs again, and compare them with what is stored, bit for bit.

        Args:
            count: how many, chosen at random among those that ended by themselves.
            catalogue: where their plugins are looked up; among the installed ones and `plugins` if None.
            seed: of the choice; another choice each time if None.
            plugins: files with plugins to load first, without a catalogue.

        Raises:
            PluginError: a file cannot be loaded.
            StoreError: the database cannot be read.
        """
        # It loads NumPy and the engine.
        from runner.replaying import replay

        return replay(self._database, catalogue_with(plugins) if catalogue is None else catalogue, count, seed)

    def facts(self) -> Facts:
        """Return what the database is, its size, what it holds and who is computing.

        Raises:
            StoreError: it cannot be read.
        """
        # Only who looks after a database needs it.
        from runner.store.facts import facts

        return facts(self._database)

    def plan_deletion(
        self,
        runs: Runs = None,
        *,
        where: str | None = None,
        experiment: Key | Sequence[Key] | None = None,
        superseded: bool = False,
    ) -> Deletion:
        """Return what `delete` would delete: nothing but what is asked for, in one way, and what the runs have superseded.

        Args:
            runs: a run, several, or a table of runs with their `id`.
            where: a filter; the runs that satisfy it.
            experiment: an experiment, or several, each by its row number, or by its name for the one that was run last; they go,
                and the runs that belong to no others.
            superseded: every superseded run.

        Raises:
            QueryError: nothing is named, or in several ways; there is no such run or experiment, or the filter cannot be
                understood.
            StoreError: the database cannot be read.
        """
        named = [runs is not None, where is not None, experiment is not None, superseded]
        if not any(named):
            raise QueryError("nothing is named to delete; name runs, a filter, an experiment, or superseded runs")
        if sum(named) > 1:
            raise QueryError(
                f"runs to delete are named in {sum(named)} ways, and all of them would go; give one, such as the filter "
                'experiment = "lr_sweep" and outcome = "failed"'
            )
        # Only who looks after a database needs it.
        from runner.store.deleting import plan_deletion

        numbers: list[int] = []
        if runs is not None or where is not None:
            with self._database.reading() as connection:
                numbers = [head.id for head in read_heads(connection, wanted(runs, where), self.name)]
        keys = () if experiment is None else experiment if isinstance(experiment, list | tuple) else (experiment,)
        return plan_deletion(self._database, numbers, [plain(key, "experiment") for key in keys], superseded)

    def delete(self, deletion: Deletion) -> None:
        """Delete for good.

        Raises:
            StoreError: the database cannot be written; nothing is deleted.
        """
        # Only who looks after a database needs it.
        from runner.store.deleting import carry_out

        carry_out(self._database, deletion)

    def backup(self, path: str | os.PathLike[str] | None = None) -> str:
        """Copy a file as of one instant, while others may be using it; return the copy's name.

        Args:
            path: the copy's name; beside the original, with the date, if None.

        Raises:
            StoreError: there is a file of that name, or no room; nothing is left of the copy.
        """
        # Only who looks after a database needs it.
        from runner.store.backups import back_up

        return str(back_up(self._database, None if path is None else Path(path)))

    def copy(self, target: str | os.PathLike[str]) -> Mapping[str, int]:
        """Copy everything into a new or empty database, a path or URL, and verify it; return how many rows each table has.

        Raises:
            StoreError: it holds something; or something cannot be read or written, and nothing is left of the copy.
        """
        # NumPy, with which the copy is verified, takes longer to load than most questions to answer.
        from runner.store.copying import copy

        with closing(Database(str(target))) as database:
            return copy(self._database, database)

    def upgrade(self) -> str | None:
        """Bring the database to today's schema; return the name of the backup, None if there was nothing to do.

        Raises:
            StoreError: it cannot be written; it is as it was.
        """
        # Only who looks after a database needs it.
        from runner.store.upgrading import upgrade

        copy = upgrade(self._database)
        return None if copy is None else str(copy)

    def vacuum(self) -> tuple[int, int]:
        """Give the room of what was deleted back to the disk; return how many bytes it took before, and takes now.

        Raises:
            StoreError: the database cannot be written; it is as it was.
        """
        # Only who looks after a database needs it.
        from runner.store.facts import vacuum

        return vacuum(self._database)
