"""The directive `command-line`: every command with its arguments, options and defaults, read from click."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from runner.cli import commands


class CommandLine(SphinxDirective):
    """Write a section for each command of `runner`."""

    def run(self) -> list[nodes.Node]:
        """Return the sections, parsed from Markdown."""
        context = click.Context(commands, info_name="runner", **commands.context_settings)
        lines = []
        for each in walk(context):
            self.env.note_dependency(inspect.getsourcefile(inspect.unwrap(each.command.callback)) or "")
            lines += described(each)
        text = "\n".join(lines)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class ExitCodes(SphinxDirective):
    """Write the table of exit codes, as `runner --help` lists them."""

    def run(self) -> list[nodes.Node]:
        """Return the table, parsed from Markdown."""
        rows = [f"| `{code}` | {meaning} |" for code, meaning in exit_codes()]
        return self.parse_text_to_nodes("\n".join(["| code | meaning |", "|---|---|", *rows]))


def walk(context: click.Context) -> Iterator[click.Context]:
    """Yield the context of a command, then those of its subcommands, in the order of `--help`."""
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            if command is not None and not command.hidden:
                yield from walk(click.Context(command, info_name=name, parent=context))


def exit_codes() -> list[tuple[str, str]]:
    """Return each exit code with its meaning."""
    return re.findall(r"^ +(\d+) +(\S.*)$", commands.epilog or "", re.MULTILINE)


def described(context: click.Context) -> Iterator[str]:
    """Yield the Markdown lines of one command's section."""
    command, path = context.command, context.command_path
    yield f"{'##' if ' ' not in path else '#' * min(path.count(' ') + 1, 3)} `{path}`"
    yield ""
    yield from fenced("text", " ".join([path, *command.collect_usage_pieces(context)]))
    yield from help_text(command)
    arguments = [each for each in command.get_params(context) if isinstance(each, click.Argument)]
    options = [each for each in command.get_params(context) if isinstance(each, click.Option) and not each.hidden]
    if arguments:
        yield from table(("argument", "meaning"), [(code(each.make_metavar(context)), occurrence(each)) for each in arguments])
    yield from table(("option", "meaning", "default"), [option_row(each, context) for each in options])
    subcommands = [each for each in walk(context) if each.parent is context]
    paths = [each.command_path for each in subcommands]
    links = [f"[`{path}`](#{anchor(path)})" for path in paths]
    yield from table(("command", "purpose"), list(zip(links, map(purpose, subcommands), strict=True)))


def purpose(context: click.Context) -> str:
    """Return the line that a list of commands has for a command."""
    return escaped(context.command.get_short_help_str(200))


def anchor(path: str) -> str:
    """Return the anchor of a command's section."""
    return path.replace(" ", "-")


def help_text(command: click.Command) -> Iterator[str]:
    r"""Yield a command's help as Markdown; blocks after `\b` and indented blocks keep their lines."""
    for block in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
        if block.startswith("\b\n"):
            heading, _, rest = block.removeprefix("\b\n").partition("\n")
            yield from (heading, "", *fenced("shell" if "xample" in heading else "text", inspect.cleandoc(" " + rest)))
        else:
            yield from (block.replace("*", r"\*"), "")


def option_row(option: click.Option, context: click.Context) -> tuple[str, str, str]:
    """Return an option's names, its help, and its default."""
    names, text = option.get_help_record(context) or ("", "")
    meaning, _, extra = text.partition("  [")
    default = re.search(r"default: (.*?)(?:;|\]$)", extra)
    notes = [note for note in extra.rstrip("]").split("; ") if note and not note.startswith("default: ")]
    return code(names), escaped(meaning) + "".join(f" ({escaped(note)})" for note in notes), code(default[1]) if default else ""


def occurrence(argument: click.Argument) -> str:
    """Return the number of values that an argument takes, in words."""
    words = "required" if argument.required else "optional"
    return f"{words}; may be repeated" if argument.nargs == -1 else words


def table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield a Markdown table, or nothing without rows."""
    if rows:
        yield from (f"| {' | '.join(cells)} |" for cells in [headings, ("---",) * len(headings), *rows])
        yield ""


def fenced(language: str, text: str) -> Iterator[str]:
    """Yield a block of code."""
    yield from (f"```{language}", text, "```", "")


def code(text: str) -> str:
    """Return text as code in a table's cell."""
    return f"`{text}`".replace("|", r"\|")


def escaped(text: str) -> str:
    """Return text that is not markup in a table's cell; code stays code."""
    return re.sub(r"([|*<])", r"\\\1", text)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("command-line", CommandLine)
    app.add_directive("exit-codes", ExitCodes)
    return {"parallel_read_safe": True}
