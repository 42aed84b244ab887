"""Check that a plain install is small: the number of packages besides pip and setuptools, and the size of their files."""

from __future__ import annotations

import sys
import sysconfig
from importlib.metadata import distributions
from pathlib import Path

MOST_PACKAGES = 25
MOST_MIB = 205
INSTALLERS = ("pip", "setuptools", "pkg_resources", "_distutils_hack", "distutils-precedence.pth")
"""Files and folders that a virtual environment may have before anything is installed into it."""


def main() -> int:
    """Print the number of packages and their size; return 1 if a bound is exceeded, else 0."""
    names = sorted({each.metadata["Name"].lower() for each in distributions()} - {"pip", "setuptools"})
    folders = {Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib")}
    entries = [entry for folder in folders for entry in folder.iterdir() if not is_installer(entry.name)]
    files = [path for entry in entries for path in (entry, *entry.rglob("*")) if path.is_file()]
    compiled = sum(path.stat().st_size for path in files if path.suffix == ".pyc") / 2**20
    size = sum(path.stat().st_size for path in files) / 2**20
    print(f"plain install: {len(names)} packages (at most {MOST_PACKAGES}): {', '.join(names)}")
    print(f"plain install: {size:.1f} MiB (at most {MOST_MIB}), {size - compiled:.1f} MiB without compiled .pyc files")
    return 1 if len(names) > MOST_PACKAGES or size > MOST_MIB else 0


def is_installer(name: str) -> bool:
    """Return whether a file or folder belongs to pip or setuptools."""
    return name in INSTALLERS or name.startswith(("pip-", "setuptools-"))


if __name__ == "__main__":
    sys.exit(main())
