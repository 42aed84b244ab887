"""The names of databases, which are paths or URLs: parsing, and display without passwords."""

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
# These patterns also match texts that are not valid URLs. The first pattern reaches to the last @ of the text.
_PASSWORD = re.compile(r"(://[^:/?]*:).+@", re.DOTALL)
_PASSWORD_IN_QUERY = re.compile(r"([?&][^=&]*(?:password|secret|_key)[^=&]*=)[^&]+", re.IGNORECASE)


def without_password(name: str) -> str:
    """Return the name of a database with `***` in place of a password."""
    return _PASSWORD_IN_QUERY.sub(r"\1***", _PASSWORD.sub(r"\1***@", name)) if "://" in name else name


def database_location(name: object) -> str:
    """Return a path or URL as text.

    Raises:
        StoreError: `name` is neither a path nor text, or is empty.
    """
    location = os.fspath(name) if isinstance(name, str | os.PathLike) else None
    if not isinstance(location, str):
        raise StoreError(f"database {name!r}: is neither a path nor a database URL; {SUPPORTED}")
    if not location:
        raise StoreError("database '': has no name; give a path or URL with --db or RUNNER_DB")
    return location


def read_url(location: str) -> URL:
    """Return a path or URL as SQLAlchemy's URL.

    Raises:
        StoreError: the text is not a valid URL, or names a database that is not supported.
    """
    if "://" not in location:
        return make_url("sqlite://").set(database=location)
    shown = without_password(location)
    try:
        url = make_url(location)
    except (ArgumentError, ValueError):
        # SQLAlchemy's own message may contain the password.
        raise StoreError(f"database {shown}: is neither a path nor a database URL; {SUPPORTED}") from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise StoreError(f"database {shown}: {url.get_backend_name()} is not supported; {SUPPORTED}")
    if "@" in (url.host or ""):
        raise StoreError(f"database {shown}: has more than one @ before its host; in a name or a password write %40 for it")
    # The driver that SQLAlchemy chooses by itself differs between its versions.
    return url.set(drivername=f"postgresql+{DRIVER}") if url.drivername == "postgresql" else url


def create_server_engine(name: str, url: URL) -> Engine:
    """Return SQLAlchemy's engine for a server.

    Raises:
        StoreError: the driver cannot be loaded.
    """
    try:
        return create_engine(url)
    except (NoSuchModuleError, ImportError) as error:
        cause = str(error).partition("\n")[0]
        remedy = f"python -m pip install 'gradient-runner[postgresql]' installs {DRIVER}"
        if url.drivername != f"postgresql+{DRIVER}":
            remedy = f"write postgresql+{DRIVER}://..., and {remedy}"
        raise StoreError(f"database {name}: its driver cannot be loaded ({cause}); {remedy}") from error
