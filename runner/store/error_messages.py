"""Explanations of the errors of a database, with remedies."""

from __future__ import annotations

import re
import sqlite3
import struct

from sqlalchemy.exc import NoResultFound

from runner.store.schema import ImpossibleValue

INVALID_CONTENT = (
    *(TypeError, ValueError, LookupError, ArithmeticError, AttributeError),
    *(struct.error, RecursionError, NoResultFound),
)
"""The exceptions that are raised where a stored value is invalid, or where a row refers to a missing row."""
DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
"""The beginnings of the names of SQLite errors that mean damage."""
READ_ONLY = "cannot be written; the file or its folder is read-only"
MEANINGS = {
    "SQLITE_BUSY": "another program keeps it locked; end that program or wait for it, then try again",
    "SQLITE_CANTOPEN": "{}; check that the file and its folder may be read and written",
    "SQLITE_FULL": "the disk is full; free some space, then run the same command again: everything stored before is kept",
    "SQLITE_IOERR": "the disk cannot be read or written ({}); check the disk, then run `runner verify`",
    "SQLITE_READONLY": READ_ONLY,
}
"""The message for each kind of SQLite error, by the beginning of its name; `{}` stands for SQLite's own message."""


def is_busy(error: object) -> bool:
    """Return whether an error means that another connection holds the lock."""
    return isinstance(error, sqlite3.Error) and _sqlite_name(error).startswith("SQLITE_BUSY")


def busy_message(seconds: float) -> str:
    """Return the message that another program keeps this one waiting."""
    return f"another program has been writing to it for {seconds:.0f} s"


def damage(error: object) -> str | None:
    """Return a phrase for the damage that an error reports; None if the error does not mean damage."""
    if isinstance(error, UnicodeDecodeError):
        return "a text is not valid UTF-8"
    text = _first_line(error)
    # For a text that is not UTF-8, SQLite's error has no name that identifies it.
    undecodable = re.match("Could not decode to UTF-8 column '(.*?)'", text)
    if undecodable:
        return f"a text in column {undecodable[1]} is not valid UTF-8"
    return text if isinstance(error, sqlite3.Error) and _sqlite_name(error).startswith(DAMAGE) else None


def explain(error: object) -> str:
    """Return the meaning of an error of the driver or the operating system, and the remedy."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    damaged = damage(error)
    if damaged is not None:
        return f"is damaged: {damaged}; use a backup"
    text = _first_line(error)
    if isinstance(error, sqlite3.Error):
        meaning = next((words for kind, words in MEANINGS.items() if _sqlite_name(error).startswith(kind)), None)
        return meaning.format(text) if meaning else text
    return text


def describe_invalid_content(error: Exception) -> str:
    """Return a phrase for the invalid content that an error of one of the classes `INVALID_CONTENT` reports."""
    if isinstance(error, ImpossibleValue):
        return str(error)
    if isinstance(error, NoResultFound):
        return "a row refers to a row that is missing"
    return f"{type(error).__name__}: {error}"


def _first_line(error: object) -> str:
    return str(error).strip().partition("\n")[0]


def _sqlite_name(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", "")
