"""What is wrong with a file, gathered so that it is told all at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from runner.errors import PluginError

MOST_AT_A_PATH = 5


@dataclass
class Problems:
    """The problems found so far, each with its path, and each once."""

    found: dict[str, None] = field(default_factory=dict)

    def add(self, path: str, text: str) -> None:
        """Note a problem at a path."""
        self.note(f"{path}: {text}")

    def note(self, problem: str) -> None:
        """Note a problem that names its path itself."""
        self.found[problem] = None

    def told(self) -> list[str]:
        """The problems, but of many with one path only the first, for a sweep can be wrong a thousand times."""
        places: dict[str, list[str]] = {}
        for problem in self.found:
            places.setdefault(problem.partition(": ")[0], []).append(problem)
        told = []
        for path, some in places.items():
            told += some[:MOST_AT_A_PATH]
            if len(some) > MOST_AT_A_PATH:
                told.append(f"{path}: and {len(some) - MOST_AT_A_PATH:,} more like this")
        return told

    @contextmanager
    def at(self, path: str) -> Iterator[None]:
        """Note what the body refuses, and go on behind it."""
        try:
            yield
        except (ValueError, PluginError) as error:
            self.add(path, str(error))
        except OverflowError:
            self.add(path, "the number is too large")
