"""What a database's errors mean, and what to do about them."""

from __future__ import annotations

import re
import sqlite3
import struct

from sqlalchemy.exc import NoResultFound

from runner.store.schema import Senseless

SENSELESS = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, struct.error, RecursionError, NoResultFound)
"""What goes wrong where a value, or what a row refers to, is not what it should be."""
ADVICE = "; `runner verify` says where, and a backup is better than what is left"
DAMAGED = f"is damaged ({{}}){ADVICE}"
READ_ONLY = "cannot be written; the file or its folder is read-only"
MEANINGS = {
    "SQLITE_BUSY": "another program keeps it locked; end that program or wait for it, then try again",
    "SQLITE_CANTOPEN": "{}; look whether the file and its folder may be read and written",
    "SQLITE_CORRUPT": DAMAGED,
    "SQLITE_FULL": "the disk is full; make room, then run the same command again: what was stored before is kept",
    "SQLITE_IOERR": "the disk cannot be read or written ({}); what was stored before is kept as far as the disk keeps it",
    "SQLITE_NOTADB": DAMAGED,
    "SQLITE_READONLY": READ_ONLY,
}
"""By the beginning of SQLite's name for the error, with SQLite's own words in between."""


def is_busy(error: object) -> bool:
    """Whether an error says that another connection holds the lock."""
    return isinstance(error, sqlite3.Error) and _kind(error).startswith("SQLITE_BUSY")


def busy(seconds: float) -> str:
    """Say that another program keeps everybody waiting."""
    return f"another program has been writing to it for {seconds:.0f} s"


def reason(error: object) -> str:
    """Return what an error of the driver or the operating system means, and what to do."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    text = str(error).strip().partition("\n")[0]
    undecodable = re.match("Could not decode to UTF-8 column '(.*?)'", text)
    if undecodable:
        return DAMAGED.format(f"a text in its column {undecodable[1]} is none")
    if isinstance(error, sqlite3.Error):
        meaning = next((words for kind, words in MEANINGS.items() if _kind(error).startswith(kind)), None)
        return meaning.format(text) if meaning else text
    return text


def senseless(error: Exception) -> str:
    """Say what makes no sense, of an error that is among `SENSELESS`."""
    if isinstance(error, Senseless):
        return str(error)
    if isinstance(error, NoResultFound):
        return "a row is not there to which another one refers"
    return f"{type(error).__name__}: {error}"


def _kind(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", "")
