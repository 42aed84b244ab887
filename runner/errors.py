"""The exceptions that this package raises, and the exit code of each.

    RunnerError                exit code 1
    ├── ExperimentError        exit code 2   the experiment file, a plugin that it names, or an option is wrong
    ├── QueryError             exit code 2   a filter, a column, a run number or an SQL query is wrong
    ├── PluginError            exit code 3   a plugin cannot be loaded, an executor breaks its contract, or a plugin is missing
    │   └── NoSuchPlugin       exit code 2   no plugin has the given name, or the given file offers none
    ├── StoreError             exit code 4   the results database cannot be opened, read or written
    ├── ReportError            exit code 5   the report cannot be written
    └── Interrupted            exit code 130 the user pressed Ctrl-C; the finished runs are stored

A message names the thing, the value, what is allowed and what to do. The command line prints it and exits with the code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

LONGEST_DESCRIPTION = 2000
"""The largest number of characters in the description of an exception."""


class RunnerError(Exception):
    """The base of all exceptions of this package; its message is meant for the user."""

    exit_code: ClassVar[int] = 1


class ExperimentError(RunnerError):
    """An experiment file, a plugin that it names, or an option is wrong; all problems are reported at once.

    Attributes:
        problems: a sentence for each problem, in the form `path.to.key: what is wrong, what is allowed`.
    """

    exit_code = 2

    def __init__(self, source: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))


class QueryError(RunnerError):
    """A query of the results database is not well formed, or names a column or a run that does not exist."""

    exit_code = 2


class PluginError(RunnerError):
    """A plugin cannot be found or loaded, or it breaks the contract of its kind."""

    exit_code = 3


class NoSuchPlugin(PluginError):
    """No plugin has the given name, the given file offers none, or the name stands for plugins of several kinds."""

    exit_code = 2


class StoreError(RunnerError):
    """The results database cannot be opened, read or written."""

    exit_code = 4


class DamagedDatabase(StoreError):
    """The results database is damaged.

    Attributes:
        finding: the name of the database and the damage, without the advice at the end of the message.
    """

    def __init__(self, finding: str) -> None:
        super().__init__(f"{finding}; `runner verify` lists the damage; use a backup")
        self.finding = finding


class OutdatedDatabase(UserWarning):
    """A results database was written by an older version: it can be read but not written."""


class ReportError(RunnerError):
    """The report cannot be drawn or written."""

    exit_code = 5


class Interrupted(RunnerError):
    """The user stopped the experiment; the finished runs are stored in the database."""

    exit_code = 130


def describe(error: BaseException) -> str:
    """Return the class and the text of an exception, but only the text of a `RunnerError`, which is meant for the user.

    A plugin may raise anything. The text can be stored and printed: it is valid UTF-8, it has no NUL, and its length is bounded.
    """
    try:
        text = str(error)
    except Exception as fault:
        text = f"(its text cannot be made: __str__ raised {type(fault).__name__})"
    if not isinstance(error, RunnerError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if len(text) > LONGEST_DESCRIPTION:
        text = f"{text[:LONGEST_DESCRIPTION]}… ({len(text) - LONGEST_DESCRIPTION:,} more characters)"
    return valid_text(text)


def valid_text(text: str) -> str:
    """Return a text that every database and terminal accepts: lone surrogates and NUL are replaced by escapes."""
    return text.encode(errors="backslashreplace").decode().replace("\0", "\\0")
