"""SQLite files: opening them to read or to write, making one whole, and telling them from others."""

from __future__ import annotations

import errno
import os
import sqlite3
import struct
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from runner.errors import StoreError
from runner.folders import DATABASE, folder_of
from runner.store.beside import beside, logs_of, refuse_remains

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
            header = file.read(len(DATABASE))
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"database {name}: cannot be read: {error.strerror}") from error
    if header and header != DATABASE:
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
    with folder_of(path):
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
