"""What a database's errors mean, and what to do about them."""

from __future__ import annotations

import sqlite3


def is_busy(error: object) -> bool:
    """Whether an error says that another connection holds the lock."""
    return isinstance(error, sqlite3.Error) and _kind(error).startswith("SQLITE_BUSY")


def busy(seconds: float) -> str:
    """Say that another program keeps everybody waiting."""
    return f"another program has been writing to it for {seconds:.0f} s"


def reason(error: object) -> str:
    """Return what an error of the driver or the operating system means."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error).strip().partition("\n")[0]


def _kind(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", "")
