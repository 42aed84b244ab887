"""The results database as people ask it, from Python and from the command line: there is no other supported way in.

`ResultsDatabase` is put together from what asks, draws and exports, each in a file of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from runner.database.figures import Redrawing
from runner.database.files import Exporting

if TYPE_CHECKING:
    from runner.offers import Catalogue
    from runner.replaying import Replay
    from runner.store.verifying import Check


class ResultsDatabase(Redrawing, Exporting):
    """A results database that is there, opened for asking.

    Nothing that only asks writes. Use it in a `with`, or close it.

    Attributes:
        name: the path or URL.
    """

    def verify(self) -> Iterator[Check]:
        """Look whether everything that is stored is whole, one kind of thing after another.

        Raises:
            StoreError: the database cannot be read.
        """
        # NumPy takes longer to load than most questions to answer.
        from runner.store.verifying import verify

        return verify(self._database)

    def replay(self, count: int, catalogue: Catalogue, seed: int | None = None) -> Iterator[Replay]:
        """Compute runs again, and compare them with what is stored, bit for bit.

        Args:
            count: how many, chosen at random among those that ended by themselves.
            catalogue: where their plugins are looked up.
            seed: of the choice; another choice each time if None.

        Raises:
            StoreError: the database cannot be read.
        """
        # It loads NumPy and the engine.
        from runner.replaying import replay

        return replay(self._database, catalogue, count, seed)


def open(name: str) -> ResultsDatabase:  # noqa: A001 - people write runner.open
    """Open a results database for asking.

    Args:
        name: a path, or an SQLAlchemy URL such as `postgresql+psycopg://user@host/name`.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    return ResultsDatabase(name)
