"""The results database as people ask it, from Python and from the command line: there is no other supported way in.

`ResultsDatabase` is put together from what asks, draws, exports and looks after it, each in a file of its own.
"""

from __future__ import annotations

import os

from runner.database.figures import Redrawing
from runner.database.files import Exporting
from runner.database.upkeep import Upkeep


class ResultsDatabase(Redrawing, Exporting, Upkeep):
    """A results database that is there, opened for asking.

    Nothing that only asks writes. Use it in a `with`, or close it.

    Attributes:
        name: the path or URL, without its password.
    """


def open(name: str | os.PathLike[str]) -> ResultsDatabase:  # noqa: A001 - people write runner.open
    """Open a results database for asking.

    Args:
        name: a path, or an SQLAlchemy URL such as `postgresql+psycopg://user@host/name`.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    return ResultsDatabase(name)
