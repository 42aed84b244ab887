"""Output files: written as a whole, in folders that are created for them, and never in place of a database."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SQLITE_HEADER = b"SQLite format 3\0"
"""The bytes with which every SQLite file begins."""


def target_file(path: Path) -> Path:
    """Return the file to write for a path: the path itself, or the target of the link if the path is a link.

    Raises:
        OSError: the file is a database, a pipe or a device.
    """
    target = Path(os.path.realpath(path)) if path.is_symlink() else path
    if target.is_file():
        with target.open("rb") as file:
            if file.read(len(SQLITE_HEADER)) == SQLITE_HEADER:
                raise FileExistsError(errno.EEXIST, "it is a database; name another file")
    elif target.exists() and not target.is_dir():
        raise FileExistsError(errno.EEXIST, "it is a pipe or a device; name a file")
    return target


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Write a file as a whole: a reader finds the old content or the new content, never a part of it.

    The body writes to a temporary file in the same folder, whose path it receives. The temporary file is renamed to `path` at the
    end of the body, and removed if the body raises an exception. Missing folders are created.

    Raises:
        OSError: the file cannot be written; the message gives the reason.
    """
    target = target_file(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    with parent_folders(target):
        try:
            yield part
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def parent_folders(path: Path) -> Iterator[None]:
    """Create the missing folders above a file. If the body raises an exception, remove the new folders that are empty.

    Raises:
        OSError: a folder cannot be created; the message gives the reason.
    """
    missing = [folder for folder in path.parents if not folder.exists()]
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            file = next((each for each in path.parents if each.is_file()), path.parent)
            text = f"{file} is a file, not a folder; move it away or choose another folder"
            raise NotADirectoryError(errno.ENOTDIR, text) from error
        yield
    except BaseException:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()
        raise
