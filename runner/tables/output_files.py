"""Where files are written: folders that are made and taken away again, links that are followed, and what is left alone."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

DATABASE = b"SQLite format 3\0"
"""How every SQLite file begins."""


def written_through(path: Path) -> Path:
    """Return the file that is written where a path is named: the one that it leads to, if it is a link.

    Raises:
        OSError: that is a database, or no plain file.
    """
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if target.is_file():
        with target.open("rb") as file:
            if file.read(len(DATABASE)) == DATABASE:
                raise FileExistsError(errno.EEXIST, "it is a database; name another file")
    elif target.exists() and not target.is_dir():
        raise FileExistsError(errno.EEXIST, "it is a pipe or a device; name a file")
    return target


@contextmanager
def folder_of(path: Path) -> Iterator[None]:
    """Make the folder that a file lies in, and those above it; what was made goes if the body fails, unless it is in use.

    Raises:
        OSError: it cannot be made; the text says why.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    try:
        _make(path.parent)
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        file = next((place for place in (folder, *folder.parents) if place.is_file()), folder)
        text = f"{file} is a file, not a folder; move it away or choose another folder"
        raise NotADirectoryError(errno.ENOTDIR, text) from error
