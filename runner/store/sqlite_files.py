"""SQLite files: opening them to read or to write, making one whole, and telling them from others."""

from __future__ import annotations

import errno
import os
import sqlite3
import struct
import sys
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from runner.errors import StoreError
from runner.tables.output_files import SQLITE_HEADER, parent_folders

if sys.platform != "win32":
    import fcntl

ONE_WAIT = 0.5
"""So many seconds SQLite itself waits for other writers: Ctrl-C is heard between two waits only."""
READER_WAIT = 60.0
"""A reader waits for others only while they open or close the file, or make it anew."""
PAGE_BYTES = 65536


def open_to_write(path: Path, patience: float = ONE_WAIT) -> sqlite3.Connection:
    """Open a file that is there."""
    connection = _opened(path, "mode=rw", patience)
    # Whatever triggers somebody gave the file may call nothing that could do harm. Readers need our function in the view `steps`,
    # and Python has no way to say that it is harmless.
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a file that is there, such that nothing can be written.

    Raises:
        StoreError: where nothing may be written a write-ahead log cannot be read.
    """
    connection = _opened(path, "mode=ro", READER_WAIT)
    try:
        connection.execute("PRAGMA schema_version")
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorname.partition("_")[2].split("_")[0] not in ("CANTOPEN", "READONLY"):
            raise
        for log in logs_of(path):
            raise StoreError(
                f"database {path}: {log.name} beside it holds what is not in the file yet, and can be read only where one may "
                "write; copy both files into a folder of your own and read them there"
            ) from error
        # Nobody has it open, or there would be a log; so nobody changes it while it is read.
        return _opened(path, "mode=ro&immutable=1", READER_WAIT)
    return connection


def _opened(path: Path, how: str, patience: float) -> sqlite3.Connection:
    uri = f"file://{quote(os.fsencode(os.path.abspath(str(path))))}?{how}"  # noqa: PTH100 - resolves no links
    # The pool gives a connection to one thread at a time.
    connection = sqlite3.connect(uri, uri=True, timeout=patience, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.create_function("ieee754_from_blob", 1, _float_from_blob, deterministic=True)
    return connection


def _float_from_blob(blob: bytes | None) -> float | None:
    return struct.unpack(">d", blob)[0] if blob is not None and len(blob) == 8 else None


def is_sqlite_file(path: Path, name: str) -> bool:
    """Whether there is a file with something in it.

    Raises:
        StoreError: it cannot be read, or holds something else.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            raise StoreError(f"database {name}: is a pipe or a device; name a file")
        with path.open("rb") as file:
            header = file.read(len(SQLITE_HEADER))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"database {name}: cannot be read: {error.strerror}") from error
    if header and header != SQLITE_HEADER:
        raise StoreError(f"database {name}: is not an SQLite database; name another file")
    return bool(header)


def may_write(path: Path) -> bool:
    """Whether this user may write a file, and others beside it, as SQLite does."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def put_in_place(path: Path, make: Callable[[Path], None]) -> bool:
    """Make a file aside and give it its name when it is whole: nobody ever sees half of it, nor is it made twice.

    Args:
        path: its name.
        make: makes it under the name that it is given.

    Returns:
        Whether it was made; False if there was one by that name.

    Raises:
        OSError, sqlite3.Error: it cannot be made; nothing is left of it.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with parent_folders(path):
        refuse_remains(path)
        try:
            make(part)
            _settle(part)
            refuse_remains(path)
            return _named(part, path)
        finally:
            for file in (part, *beside(part)):
                file.unlink(missing_ok=True)


def _settle(part: Path) -> None:
    """See a file that nobody has open onto the disk.

    Raises:
        OSError: the disk does not take it, or a log beside it holds what is not in the file.
    """
    if logs_of(part):
        # SQLite keeps quiet about it when the last one leaves.
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with part.open("r+b") as file:
        os.fsync(file.fileno())


def _named(part: Path, path: Path) -> bool:
    """Name a file, unless the name is taken by one that is not empty."""
    try:
        os.link(part, path)
        return True
    except FileExistsError:
        pass
    except OSError:
        # Not every file system has hard links. There, an empty file takes the name first.
        path.touch()
    return _put_for_empty(part, path)


def _put_for_empty(part: Path, path: Path) -> bool:
    """Put a file in the place of an empty one, unless somebody did already: one at a time may, who has locked the empty one."""
    with path.open("rb") as empty:
        if sys.platform != "win32":
            # SQLite's own locks will not do: of an empty file's log it thinks that it was left behind, and removes it.
            fcntl.flock(empty, fcntl.LOCK_EX)
        now = path.stat()
        if now.st_size or not os.path.samestat(now, os.fstat(empty.fileno())):
            return False
        part.replace(path)
    return True


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


class OwnFile:
    """The file that a database's writer has opened.

    A file that is removed or replaced while it is open lives on without a name, and its write-ahead log keeps the name: whoever
    opens another file there takes what is in that log for a part of it. So who finds its file gone takes the log along.
    """

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._file: tuple[int, int] | None = None
        self._companions: dict[Path, tuple[int, int] | None] = {}

    def open(self) -> sqlite3.Connection:
        """Open it to write.

        Raises:
            StoreError: there is another file of its name now.
        """
        connection = open_to_write(self._path)
        self._file = self._file or _identity(self._path)
        if not self.is_there():
            connection.close()  # before anything is read, so that it leaves the other file's log alone
            raise self._gone()
        return connection

    def is_there(self) -> bool:
        """Whether its name is still its own; true of one that was not opened."""
        return self._file in (None, _identity(self._path))

    def require(self) -> None:
        """Look whether it is there.

        Raises:
            StoreError: it is not.
        """
        if not self.is_there():
            raise self._gone()

    def check(self, connection: sqlite3.Connection) -> None:
        """Look whether it is there, in a transaction.

        Raises:
            StoreError: it is not; the transaction has been rolled back.
        """
        companions = {file: _identity(file) for file in beside(self._path)}
        if not self.is_there():
            raise self._gone(self.leave(connection))
        self._companions = companions

    def leave(self, connection: sqlite3.Connection) -> Path | None:
        """Take the log away from a name that is another file's, and put what is in it where it belongs.

        Returns:
            The log's new name, if it could not be put there.
        """
        connection.rollback()
        aside = self._path.with_name(f"{self._path.name}-wal.removed.{os.getpid()}")
        for file, identity in self._companions.items():
            if identity is not None and identity == _identity(file):
                with suppress(OSError):
                    file.unlink() if file.name.endswith(INDEX) else file.replace(aside)
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if is_filled(aside):
            return aside
        aside.unlink(missing_ok=True)
        return None

    def _gone(self, aside: Path | None = None) -> StoreError:
        rest = f"; {aside} holds what could not be put into the old file any more" if aside else ""
        return StoreError(f"database {self._name}: was removed or replaced while it was in use; run the same command again{rest}")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
