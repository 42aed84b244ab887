"""SQLite files: opening for reading or writing, creation as a whole, and the files that SQLite keeps next to them."""

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

WRITER_WAIT = 0.5
"""The seconds that SQLite waits for another writer. It is short, because Ctrl-C takes effect only between two waits."""
READER_WAIT = 60.0
"""The seconds that a reader waits. It waits only while another process opens, closes or replaces the file."""
PAGE_BYTES = 65536
LOGS, INDEX = ("-wal", "-journal"), "-shm"
"""The endings of the files next to a database: the logs, which hold a part of it, and the index of the write-ahead log."""
IN_USE_BYTE = 128
"""The byte of the index that every process locks while it has the database open."""


def open_to_write(path: Path, patience: float = WRITER_WAIT) -> sqlite3.Connection:
    """Open an existing file for writing."""
    connection = _open(path, "mode=rw", patience)
    # With this setting, a trigger in the file cannot call a harmful function. Readers cannot use the setting, because the view
    # `steps` calls a function of this module, and Python cannot declare that function harmless.
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open an existing file so that nothing can be written.

    Raises:
        StoreError: the file has a write-ahead log, and its folder is read-only.
    """
    connection = _open(path, "mode=ro", READER_WAIT)
    try:
        connection.execute("PRAGMA schema_version")
    except sqlite3.OperationalError as error:
        connection.close()
        if error.sqlite_errorname.partition("_")[2].split("_")[0] not in ("CANTOPEN", "READONLY"):
            raise
        for log in filled_logs(path):
            raise StoreError(
                f"database {path}: {log.name} next to it holds data that is not in the file yet, and its folder is read-only; "
                "copy both files into a folder of your own and read them there"
            ) from error
        # Without a log, no process has the file open, so it does not change while it is read.
        return _open(path, "mode=ro&immutable=1", READER_WAIT)
    return connection


def _open(path: Path, options: str, patience: float) -> sqlite3.Connection:
    uri = f"file://{quote(os.fsencode(os.path.abspath(str(path))))}?{options}"  # noqa: PTH100 - links are not resolved
    # The connection pool gives a connection to one thread at a time.
    connection = sqlite3.connect(uri, uri=True, timeout=patience, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON")

    def float_from_blob(blob: bytes | None) -> float | None:
        return struct.unpack(">d", blob)[0] if blob is not None and len(blob) == 8 else None

    connection.create_function("ieee754_from_blob", 1, float_from_blob, deterministic=True)
    return connection


def is_sqlite_file(path: Path, name: str) -> bool:
    """Return whether an SQLite file exists and is not empty.

    Args:
        path: the file.
        name: the user's name for the file, for messages.

    Raises:
        StoreError: the file cannot be read, or is not an SQLite database.
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
    """Return whether this user may write a file and create files next to it, because SQLite does both."""
    return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)


def create_in_place(path: Path, create: Callable[[Path], None]) -> bool:
    """Create a file under a temporary name, and give it its own name once it is whole.

    No other process sees an incomplete file. If several processes create it at the same time, one of them succeeds.

    Args:
        path: the file's own name.
        create: the function that creates the file under the name that is its argument.

    Returns:
        True if the file was created; False if a file of that name exists.

    Raises:
        OSError, sqlite3.Error: the file cannot be created; nothing is left of it.
    """
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with parent_folders(path):
        refuse_remains(path)
        try:
            create(part)
            if filled_logs(part):
                # SQLite reports no error when the last connection cannot fold its log into the file.
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            with part.open("r+b") as whole:
                os.fsync(whole.fileno())
            refuse_remains(path)
            return _take_name(part, path)
        finally:
            for file in (part, *companions(part)):
                file.unlink(missing_ok=True)


def _take_name(part: Path, path: Path) -> bool:
    """Rename a file to its own name, unless another file that is not empty has this name."""
    try:
        os.link(part, path)
        return True
    except FileExistsError:
        pass
    except OSError:
        # Not every file system has hard links. There, an empty file takes the name first.
        path.touch()
    # Several processes may find an empty file. Only the process that holds its lock may replace it.
    with path.open("rb") as empty:
        if sys.platform != "win32":
            # SQLite's own locks cannot be used, because SQLite removes the log of an empty file as left over.
            fcntl.flock(empty, fcntl.LOCK_EX)
        status = path.stat()
        if status.st_size or not os.path.samestat(status, os.fstat(empty.fileno())):
            return False
        part.replace(path)
    return True


def companions(path: Path, endings: Sequence[str] = (*LOGS, INDEX)) -> list[Path]:
    """Return the paths of the files that SQLite keeps next to a database, or next to the target if the database is a link."""
    path = Path(os.path.realpath(path))
    return [path.with_name(f"{path.name}{ending}") for ending in endings]


def is_filled(path: Path) -> bool:
    """Return whether a file exists and is not empty."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def filled_logs(path: Path) -> list[Path]:
    """Return the logs next to a database that are not empty. Without its logs, the file lacks changes, or has unfinished ones."""
    return [log for log in companions(path, LOGS) if is_filled(log)]


def refuse_remains(path: Path) -> None:
    """Check that a removed database has left no files, because SQLite would use them as parts of a new database of that name.

    Raises:
        FileExistsError: a file is left, which may hold the last copy of some results; or `path` is the name of a file that
            SQLite keeps next to another database.
    """
    owner = next((path.with_name(path.name.removesuffix(end)) for end in (*LOGS, INDEX) if path.name.endswith(end)), path)
    if owner != path and is_filled(owner):
        raise FileExistsError(errno.EEXIST, f"SQLite keeps a part of {owner.name} in {path.name}; name another file")
    # The order of the checks matters: while another process creates the database, its index and log appear after its file.
    is_in_use, logs = _is_in_use(*companions(path, [INDEX])), filled_logs(path)
    if is_filled(path):
        return
    if is_in_use:
        raise FileExistsError(
            errno.EEXIST,
            "a database of this name was removed, but a running program still has it open; wait until that program ends, "
            "or end it, then run the same command again",
        )
    for log in logs:
        raise FileExistsError(
            errno.EEXIST,
            f"{log.name} next to it is left from a removed database of this name, and would be taken for a part of the new one; "
            "delete it or move it away, or bring that database back, then run the same command again",
        )


def _is_in_use(index: Path) -> bool:
    """Return whether a process holds the index of a write-ahead log open."""
    if sys.platform == "win32" or not index.exists():
        return False
    try:
        with index.open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, IN_USE_BYTE)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        pass
    return False


class OpenedFile:
    """The file that a database's writer has opened, with checks that it has not been removed or replaced.

    A file that is removed while it is open lives on without a name, but its write-ahead log keeps its name. SQLite would use this
    log as a part of another file of the same name. Therefore a writer whose file was removed takes the log away.
    """

    def __init__(self, name: str, path: Path) -> None:
        self._name = name
        self._path = path
        self._file: tuple[int, int] | None = None
        self._companions: dict[Path, tuple[int, int] | None] = {}

    def open(self) -> sqlite3.Connection:
        """Open the file for writing.

        Raises:
            StoreError: another file has its name now.
        """
        connection = open_to_write(self._path)
        self._file = self._file or _device_and_inode(self._path)
        if not self.is_in_place():
            # Nothing has been read yet, so closing does not change the log of the other file.
            connection.close()
            raise self._removed_error()
        return connection

    def is_in_place(self) -> bool:
        """Return whether the file still has its name, or was never opened."""
        return self._file in (None, _device_and_inode(self._path))

    def check_in_place(self) -> None:
        """Check that the file still has its name.

        Raises:
            StoreError: the file was removed or replaced.
        """
        if not self.is_in_place():
            raise self._removed_error()

    def check(self, connection: sqlite3.Connection) -> None:
        """Check within a transaction that the file still has its name.

        Raises:
            StoreError: the file was removed or replaced; the transaction has been rolled back.
        """
        found = {file: _device_and_inode(file) for file in companions(self._path)}
        if not self.is_in_place():
            raise self._removed_error(self.abandon(connection))
        self._companions = found

    def abandon(self, connection: sqlite3.Connection) -> Path | None:
        """Rename this file's log, so that no other file gets it, and fold the log into this file.

        Returns:
            The log's new path if it could not be folded; otherwise None.
        """
        connection.rollback()
        aside = self._path.with_name(f"{self._path.name}-wal.removed.{os.getpid()}")
        for file, known in self._companions.items():
            if known is not None and known == _device_and_inode(file):
                with suppress(OSError):
                    file.unlink() if file.name.endswith(INDEX) else file.replace(aside)
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if is_filled(aside):
            return aside
        aside.unlink(missing_ok=True)
        return None

    def _removed_error(self, aside: Path | None = None) -> StoreError:
        rest = f"; {aside} holds the changes that could not be written to the removed file" if aside else ""
        return StoreError(f"database {self._name}: was removed or replaced while it was in use; run the same command again{rest}")


def _device_and_inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
