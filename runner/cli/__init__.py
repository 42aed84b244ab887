"""The command line. Each command is a file of its own, loaded when it is called, so that `runner --help` starts at once."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO

import click

from runner import __version__
from runner.cli.terminal.command_groups import Group, usage_text
from runner.cli.terminal.ctrl_c import calm_interrupts, ignore_interrupts
from runner.errors import Interrupted, OutdatedDatabase, RunnerError
from runner.tables.frame import printable_lines

COMMANDS = {
    "run": "Run an experiment: compute what is missing, store every step, write the report.",
    "verify": "Check that everything in a database is whole.",
    "list": "List the experiments in the database.",
    "runs": "Show runs: all, or those that a filter names.",
    "show": "Show everything that is known of a run.",
    "steps": "Show every step of some runs.",
    "sql": "Ask the database in SQL.",
    "plot": "Draw a figure of an experiment from the database.",
    "report": "Write an experiment's report again, from the database.",
    "compare": "Set two experiments, or the runs of two filters, side by side.",
    "export": "Write runs, or their steps, into a file.",
    "delete": "Delete runs for good.",
    "db": "Look after a results database.",
    "inspect": "Show the calculus of an objective.",
    "plugins": "List the installed plugins.",
}
PACKAGES = ("inspect", "plugins")
"""The commands that fill a folder; each is in its file `command.py`."""

INTERNAL_ERROR = 70
INTERRUPTED = 130
UNHEARD = 141
"""What a shell tells of a program that SIGPIPE ended."""
EXIT_CODES = """\b
Exit codes:
  0    done
  1    done, but some runs failed (their errors are stored)
  2    the experiment file, a plugin that it names, a filter, an option or an argument is wrong, or names what is not there
  3    a plugin cannot be loaded, breaks its contract, or is missing for a stored run
  4    the results database cannot be opened, read or written, or is damaged
  5    the report cannot be written
  70   a bug in runner; --debug shows where
  130  interrupted with Ctrl-C; what was finished is kept
  141  whoever read the output stopped reading, as `head` does"""


class _Unheard(BaseException):
    """Nobody reads the output any more. Click would end that with exit code 1, which here means that some runs failed."""


@contextmanager
def _hearing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise _Unheard from error


class Commands(Group):
    """The group of commands, which knows their names without loading them."""

    def make_context(self, *arguments: Any, **more: Any) -> click.Context:
        """Read the call; whoever asks for help may stop reading it."""
        with _hearing():
            return super().make_context(*arguments, **more)

    def invoke(self, ctx: click.Context) -> object:
        """Call the command."""
        with _hearing():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names."""
        return [*COMMANDS]  # the name `list` is the command's, once that is loaded

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command."""
        if cmd_name not in COMMANDS:
            return None
        module = f"runner.cli.{cmd_name}.command" if cmd_name in PACKAGES else f"runner.cli.{cmd_name}"
        command: click.Command = getattr(importlib.import_module(module), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from their short texts, without loading them."""
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


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show our own warnings as all that is said to people, and other libraries' with the line they come from."""
    if issubclass(category, OutdatedDatabase):
        click.echo(f"warning: {message}", err=True)
    else:
        click.echo(warnings.formatwarning(message, category, filename, lineno, line), err=True, nl=False)


def main() -> NoReturn:
    """Call the command line; where nobody reads its output any more it ends as other programs do, without a word."""
    try:
        _main()
    except (BrokenPipeError, _Unheard):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        # What is still to be written is written when Python ends, and would be complained about.
        for number in (1, 2):
            os.dup2(nowhere, number)
        sys.exit(UNHEARD)


def _main() -> NoReturn:
    """Call the command line; every expected error becomes one message and an exit code."""
    debug = "--debug" in sys.argv[1:2]
    calm_interrupts()
    warnings.showwarning = _show_warning
    try:
        result = commands.main(prog_name="runner", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.UsageError as error:
        click.echo(f"error: {printable_lines(usage_text(error))}", err=True)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        ignore_interrupts()
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except RunnerError as error:
        if debug:
            raise
        if isinstance(error, Interrupted):
            ignore_interrupts()
        # A message may quote what is stored, and a terminal would obey some of it.
        text = printable_lines(str(error))
        click.echo(text if isinstance(error, Interrupted) else f"error: {text}", err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if debug:
            raise
        if isinstance(error.__cause__, KeyboardInterrupt):  # while a class was being made, and wrapped by Python
            sys.exit(INTERRUPTED)
        text = printable_lines(str(error))
        click.echo(f"internal error: {type(error).__name__}: {text}; run with `runner --debug ...` to see where", err=True)
        sys.exit(INTERNAL_ERROR)
    sys.exit(result if isinstance(result, int) else 0)
