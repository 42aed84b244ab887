"""The file that a process writes to, told from another one that has got its name since."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from runner.errors import StoreError
from runner.store.beside import INDEX, beside, is_filled
from runner.store.sqlite_files import open_to_write


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
