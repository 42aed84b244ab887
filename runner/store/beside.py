"""The files that SQLite keeps beside a database, and finds by their names alone."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from pathlib import Path

if sys.platform != "win32":
    import fcntl

LOGS, INDEX = ("-wal", "-journal"), "-shm"
"""How their names end: those that hold a part of the database, and the index of the write-ahead log."""
IN_USE = 128
"""The byte of an index that every process keeps locked that has the database open."""


def beside(path: Path, endings: Sequence[str] = (*LOGS, INDEX)) -> list[Path]:
    """Return the names of the files beside a database; if that is a link, beside the file that it leads to."""
    path = Path(os.path.realpath(path))
    return [path.with_name(f"{path.name}{ending}") for ending in endings]


def is_filled(path: Path) -> bool:
    """Whether there is a file with something in it."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def logs_of(path: Path) -> list[Path]:
    """Return the files beside a database that hold what is not in it yet, or not any more."""
    return [log for log in beside(path, LOGS) if is_filled(log)]


def refuse_remains(path: Path) -> None:
    """Look for remains of a database that is gone, which SQLite would take for parts of a new one of that name.

    Raises:
        FileExistsError: there are some, and they may be all that is left of what somebody computed; or the name is that of a file
            beside another database.
    """
    owner = next((path.with_name(path.name.removesuffix(end)) for end in (*LOGS, INDEX) if path.name.endswith(end)), path)
    if owner != path and is_filled(owner):
        raise FileExistsError(errno.EEXIST, f"{path.name} is what SQLite keeps a part of {owner.name} in; name another file")
    # In this order: what belongs to a database that another process makes just now comes after its file.
    in_use, logs = _in_use(*beside(path, [INDEX])), logs_of(path)
    if is_filled(path):
        return
    if in_use:
        raise FileExistsError(
            errno.EEXIST,
            "a program that is still running has a database of this name open that is gone; wait until that program ends, or end "
            "it, then run the same command again",
        )
    for log in logs:
        raise FileExistsError(
            errno.EEXIST,
            f"{log.name} beside it is left of a database of this name that is gone, and would be taken for a part of a new one; "
            "delete it or move it away, or bring that database back, then run the same command again",
        )


def _in_use(index: Path) -> bool:
    if sys.platform == "win32" or not index.exists():
        return False
    try:
        with index.open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, IN_USE)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False
