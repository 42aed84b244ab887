"""What people call a database, a path or a URL: read, and shown without its password."""

from __future__ import annotations

import os
import re

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from runner.errors import StoreError

DRIVER = "psycopg"
SUPPORTED = (
    f"results are kept in an SQLite file or in PostgreSQL: give a path, or a URL such as postgresql+{DRIVER}://user@host/name"
)
# Of what cannot be read as a URL too, and as far as the last @, wherever that belongs.
_PASSWORD = re.compile(r"(://[^:/?]*:).+@", re.DOTALL)
_IN_QUERY = re.compile(r"([?&][^=&]*(?:password|secret|_key)[^=&]*=)[^&]+", re.IGNORECASE)


def shown(name: str) -> str:
    """Return what a database is called as anybody may see it: with `***` for a password in a URL."""
    return _IN_QUERY.sub(r"\1***", _PASSWORD.sub(r"\1***@", name)) if "://" in name else name


def location(name: object) -> str:
    """Return a path or URL as a text.

    Raises:
        StoreError: it is neither, or empty.
    """
    found = os.fspath(name) if isinstance(name, str | os.PathLike) else None
    if not isinstance(found, str):
        raise StoreError(f"database {name!r}: is neither a path nor a database URL; {SUPPORTED}")
    if not found:
        raise StoreError("database '': has no name; give a path or URL with --db or RUNNER_DB")
    return found


def read_url(name: str) -> URL:
    """Return a path or URL as SQLAlchemy has it.

    Raises:
        StoreError: it is neither, or of a database that is not supported.
    """
    if "://" not in name:
        return make_url("sqlite://").set(database=name)
    try:
        url = make_url(name)
    except (ArgumentError, ValueError):
        # Their own words may hold what is hidden.
        raise StoreError(f"database {shown(name)}: is neither a path nor a database URL; {SUPPORTED}") from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(f"database {shown(name)}: {url.get_backend_name()} is not supported; {SUPPORTED}")
    if "@" in (url.host or ""):
        raise StoreError(f"database {shown(name)}: has more than one @ before its host; in a name or a password write %40 for it")
    # What SQLAlchemy takes where no driver is named differs between its versions.
    return url.set(drivername=f"postgresql+{DRIVER}") if url.drivername == "postgresql" else url


def server_engine(name: str, url: URL) -> Engine:
    """Return an engine for a server.

    Raises:
        StoreError: its driver cannot be loaded.
    """
    try:
        return create_engine(url)
    except (NoSuchModuleError, ImportError) as error:
        cause, remedy = str(error).partition("\n")[0], f"python -m pip install 'gradient-runner[postgresql]' brings {DRIVER}"
        if url.drivername != f"postgresql+{DRIVER}":
            remedy = f"write postgresql+{DRIVER}://..., and {remedy}"
        raise StoreError(f"database {name}: its driver cannot be loaded ({cause}); {remedy}") from error
