"""Folders of files: made where they are missing, and taken away again where nothing came of the file."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


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
