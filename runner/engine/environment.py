"""The environment of a computation, which is recorded with every run. Environment variables are not recorded."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("gradient-runner", "numpy", "sqlalchemy")


@dataclass(frozen=True)
class Environment:
    """The environment of a computation.

    Attributes:
        python: implementation and version of Python.
        platform: operating system and machine.
        cpu: the name of the processor.
        packages: versions by distribution.
        git_commit: the commit of the repository that holds the experiment file, followed by `+` if files were changed; empty
            without a repository.
    """

    python: str
    platform: str
    cpu: str
    packages: dict[str, str]
    git_commit: str


def environment(folder: Path, distributions: Iterable[str]) -> Environment:
    """Return the environment of this process.

    Args:
        folder: the folder of the experiment file.
        distributions: the distributions of the plugins in use.
    """
    packages = {}
    for name in sorted({*PACKAGES, *distributions}):
        with suppress(PackageNotFoundError):
            packages[name] = version(name)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--match=", "--dirty=+"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        commit = ""
    return Environment(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        platform=platform.platform(),
        cpu=models[0] if models else platform.processor(),
        packages=packages,
        git_commit=commit,
    )
