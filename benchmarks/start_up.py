"""The time of `runner --help` as a whole process, compared with `python -c "import click"`, in turn, on one core."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

TARGET = 2.0


def seconds(command: Sequence[str]) -> float:
    """Run a command to its end; return the seconds that it took."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> int:
    """Measure and report; with `--check`, return 1 if the target is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=21)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--check", action="store_true", help="exit with 1 if the target is missed")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    commands = {
        "runner --help": [str(Path(sys.executable).with_name("runner")), "--help"],
        'python -c "import click"': [sys.executable, "-c", "import click"],
    }
    measured: dict[str, list[float]] = {name: [] for name in commands}
    for repeat in range(options.repeats + 1):
        for name, command in commands.items():
            took = seconds(command)
            # The first turn fills the file cache.
            if repeat:
                measured[name].append(took)
    medians = {name: statistics.median(each) for name, each in measured.items()}
    runner, click = medians.values()
    if options.json:
        print(json.dumps({"seconds": medians, "ratio": runner / click, "target": TARGET}, indent=2))
    else:
        for name, each in measured.items():
            print(f"{name:28}{medians[name]:8.3f} s ({min(each):.3f}–{max(each):.3f})")
        print(f"{'ratio':28}{runner / click:8.2f}   target <= {TARGET:g}{'   MISSED' if runner / click > TARGET else ''}")
    return 1 if options.check and runner / click > TARGET else 0


if __name__ == "__main__":
    sys.exit(main())
