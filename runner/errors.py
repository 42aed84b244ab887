"""Every error this package raises on purpose.

    RunnerError                exit code 1
    ├── ExperimentError        exit code 2   the experiment file, a plugin that it names, or an option is wrong
    ├── QueryError             exit code 2   a question to the results database is wrong: a filter, a column, a run, SQL
    ├── PluginError            exit code 3   a plugin cannot be loaded, breaks its contract, or is missing for a stored run
    │   └── NoSuchPlugin       exit code 2   what was asked for is no plugin
    ├── StoreError             exit code 4   the results database cannot be opened, read or written
    ├── ReportError            exit code 5   the report cannot be written
    └── Interrupted            exit code 130 the user pressed Ctrl-C; what was finished is kept

The message names the thing, the value, what is allowed and what to do; `runner.cli` prints it and exits with the code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class RunnerError(Exception):
    """The root of the family; its text is meant for the user."""

    exit_code: ClassVar[int] = 1


class ExperimentError(RunnerError):
    """One or more problems in an experiment file, all of them found in one pass.

    Attributes:
        problems: one sentence each, in the form `path.to.key: what is wrong, what is allowed`.
    """

    exit_code = 2

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


class QueryError(RunnerError):
    """A question to the results database cannot be understood, or asks for what is not there."""

    exit_code = 2


class PluginError(RunnerError):
    """A plugin cannot be found or loaded, or what it returned breaks the contract of its kind."""

    exit_code = 3


class NoSuchPlugin(PluginError):
    """What was asked for, by a name or a file, is no plugin, or does not say which of several."""

    exit_code = 2


class StoreError(RunnerError):
    """The results database cannot be opened, read or written."""

    exit_code = 4


class OutdatedDatabase(UserWarning):
    """A results database was made by an older version, and can be read but not written."""


class ReportError(RunnerError):
    """The report cannot be drawn or written."""

    exit_code = 5


class Interrupted(RunnerError):
    """The user stopped the sweep; everything finished before is in the database."""

    exit_code = 130
