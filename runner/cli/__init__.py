"""The command line. Each command has its own file, which is loaded when the command is called, so that help is fast."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, TextIO

import click

from runner import __version__
from runner.cli.terminal.command_groups import Group, usage_message
from runner.errors import Interrupted, OutdatedDatabase, RunnerError
from runner.tables.frame import printable_lines

COMMANDS = {
    "run": "Run an experiment: compute the missing runs, store every step, write the report.",
    "verify": "Check a database for damage.",
    "list": "List the experiments in the database.",
    "runs": "Show all runs, or those that a filter selects.",
    "show": "Show one run: its settings, its result and a summary of its trajectory.",
    "steps": "Show every step of one or several runs.",
    "sql": "Query the database in SQL.",
    "plot": "Draw a figure of an experiment from the database.",
    "report": "Write an experiment's report again, from the database.",
    "compare": "Compare two experiments, or the runs that two filters select.",
    "export": "Write runs or their steps into a file.",
    "delete": "Delete runs or experiments permanently.",
    "db": "Maintain a results database.",
    "inspect": "Show the derivatives, curvature and Taylor series of an objective.",
    "plugins": "List the installed plugins, or write, show or check one.",
}
FOLDERS = ("inspect", "plugins")
"""The commands that are folders; the command itself is in their file `command.py`."""

INTERNAL_ERROR = 70
INTERRUPTED = 130
OUTPUT_CLOSED = 141
"""The exit code that a shell reports for a program that was ended by the signal SIGPIPE."""
EXIT_CODES = """\b
Exit codes:
  0    success
  1    all results are stored, but some or all runs failed; their errors are stored
  2    the experiment file, a plugin that it names, a filter, an option or an argument is wrong, or names something missing
  3    a plugin cannot be loaded, is missing for a stored run, or is not reproducible in a replay; or an executor fails
  4    the results database cannot be opened, read or written, or is damaged
  5    the report cannot be written
  70   a bug in runner; `runner --debug COMMAND` shows the traceback
  130  interrupted with Ctrl-C; finished batches are kept
  141  the reader of the output closed it, as `head` does"""
SECONDS_BETWEEN_INTERRUPTS = 1.0


class OutputClosed(BaseException):
    """The exception that replaces a `BrokenPipeError` after the reader of the output has closed it.

    For a `BrokenPipeError`, click exits with code 1, which here means that some runs failed. click does not catch this exception.
    """


@contextmanager
def _broken_pipe_as_output_closed() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise OutputClosed from error


class Commands(Group):
    """The group of all commands, which lists them without loading them."""

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        """Parse the call, or print the help."""
        with _broken_pipe_as_output_closed():
            return super().make_context(*arguments, **more)

    def invoke(self, ctx: click.Context) -> object:
        """Call the command."""
        with _broken_pipe_as_output_closed():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return [*COMMANDS]  # `list` is the name of a command once its module is loaded

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in COMMANDS:
            return None
        module = f"runner.cli.{cmd_name}.command" if cmd_name in FOLDERS else f"runner.cli.{cmd_name}"
        command: click.Command = getattr(importlib.import_module(module), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from `COMMANDS`, without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])


@click.group(cls=Commands, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="runner")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def commands(debug: bool) -> None:
    """Run grids of gradient-based optimisation experiments and keep every step of every run in a database.

    \b
    Example:
      runner run experiments/lr_sweep.toml
    """


def main() -> NoReturn:
    """Call the command line and exit with its code; if the reader of the output has closed it, exit silently."""
    try:
        sys.exit(_call())
    except (BrokenPipeError, OutputClosed):
        # Python flushes both streams when it exits, and would report that they are closed.
        null = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):
            os.dup2(null, number)
        sys.exit(OUTPUT_CLOSED)


def _call() -> int:
    """Call the command line and return its exit code; print each expected error as one message."""
    debug = "--debug" in sys.argv[1:2]
    _ignore_repeated_interrupts()
    warnings.showwarning = _show_warning
    try:
        result = commands.main(prog_name="runner", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.UsageError as error:
        click.echo(f"error: {printable_lines(usage_message(error))}", err=True)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except RunnerError as error:
        if debug:
            raise
        if isinstance(error, Interrupted):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        # A message may quote stored text, whose control characters the terminal would obey.
        text = printable_lines(str(error))
        click.echo(text if isinstance(error, Interrupted) else f"error: {text}", err=True)
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        if isinstance(error.__cause__, KeyboardInterrupt):  # Python wraps an interrupt that occurs while a class is created
            return INTERRUPTED
        text = printable_lines(str(error))
        click.echo(f"internal error: {type(error).__name__}: {text}; run with `runner --debug ...` to see where", err=True)
        return INTERNAL_ERROR
    return result if isinstance(result, int) else 0


def _ignore_repeated_interrupts() -> None:
    """Let Ctrl-C interrupt at most once a second, so that pressing it twice does not interrupt the clean-up."""
    last = float("-inf")

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > SECONDS_BETWEEN_INTERRUPTS:
            last = now
            raise KeyboardInterrupt

    # A shell lets the processes that it starts in the background ignore Ctrl-C.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning about an outdated database as one message, and any other warning with its place in the code."""
    if issubclass(category, OutdatedDatabase):
        click.echo(f"warning: {message}", err=True)
    else:
        click.echo(warnings.formatwarning(message, category, filename, lineno, line), err=True, nl=False)
