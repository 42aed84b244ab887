"""Properties of every command: help, version, misspelt words, and pipes that close early."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from runner import __version__
from runner.cli import COMMANDS, commands
from runner.cli.terminal.options import FORMATS
from runner.contracts.kinds import PLUGIN_KINDS
from tests.support.command_line import Done

COMMAND = [sys.executable, "-c", "from runner.cli import main; main()"]


class TestEveryCommand:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_help_has_an_example_and_explains_every_option(self, call, command: str):
        done = call(command, "--help")
        assert (done.code, done.err) == (0, "")
        assert done.out == call(command, "-h").out
        assert re.search(rf"Examples?:\n +runner {command}\b", done.out), "an example that can be typed as it stands"
        loaded = commands.get_command(click.Context(commands), command)
        assert loaded is not None
        assert [option.name for option in loaded.params if option.param_type_name == "option" and not option.help] == []
        assert loaded.help.startswith(COMMANDS[command].removesuffix(".")), "the list of commands says the same as the command"

    def test_top_level_help_lists_commands_and_exit_codes(self, call):
        done = call("--help")
        assert (done.code, done.err) == (0, "")
        for command in COMMANDS:
            assert re.search(rf"^  {command} +[A-Z]", done.out, re.MULTILINE)
        assert re.findall(r"^    (\d+) ", done.out, re.MULTILINE) == ["0", "1", "2", "3", "4", "5", "70", "130", "141"]
        assert re.search(r"Example:\n +runner run ", done.out)

    def test_missing_command_shows_the_help_and_fails(self, call):
        done = call()
        assert (done.code, done.out) == (2, "")
        assert done.err == call("--help").out

    def test_version(self, call):
        assert call("--version") == Done(0, f"runner, version {__version__}\n", "")

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            (("rnu", "x.toml"), "there is no command 'rnu'; did you mean run?"),
            (("pluginss",), "there is no command 'pluginss'; did you mean plugins?"),
            (("qqq",), f"there is no command 'qqq'; allowed: {', '.join(COMMANDS)}"),
        ],
    )
    def test_a_misspelt_command(self, call, arguments: tuple[str, ...], error: str):
        assert call(*arguments) == Done(2, "", f"error: {error}\n  see runner --help\n")

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            (("run",), "FILE: must be given"),
            (("run", "a.toml", "b.toml"), "got unexpected extra argument (b.toml)"),
            (("run", "a.toml", "--dryrun"), "there is no option --dryrun; did you mean --dry-run?"),
            (("list", "--xyz"), "there is no option --xyz; allowed: --db, --format"),
            (("run", "a.toml", "--jobs", "many"), "--jobs: must be a whole number, not 'many'"),
            (("run", "a.toml", "--quiet=yes"), "--quiet: takes no value"),
            (("runs", "--limit"), "--limit: needs a value"),
            (("runs", "--limit", "x"), "--limit: must be a whole number from 0 to 1,000,000,000, not 'x'"),
            (("runs", "--limit", "-1"), "--limit: must be a whole number from 0 to 1,000,000,000, not '-1'"),
            (("runs", "--limit", "1.5\x1b"), r"--limit: must be a whole number from 0 to 1,000,000,000, not '1.5\x1b'"),
            (("inspect", "rosenbrock", "--taylor", "21"), "--taylor: must be a whole number from 1 to 20, not '21'"),
            (("sql", "SELECT 1", "--seconds", "0"), "--seconds: must be a number > 0 and <= 1,000,000, not '0'"),
            (("sql", "SELECT 1", "--seconds", "soon"), "--seconds: must be a number > 0 and <= 1,000,000, not 'soon'"),
            (("list", "--format", "xml"), "--format: must be one of table, json, jsonl, csv, not 'xml'"),
            (("export", "all", "x.csv"), "runs|steps: must be one of runs, steps, not 'all'"),
            (("plot", "lr_sweep"), "--figure: must be given"),
            (("db", "inof"), "there is no command 'inof'; did you mean info?"),
            (("db", "copy", "--db"), "--db: needs a value"),
        ],
    )
    def test_a_wrong_call(self, call, arguments: tuple[str, ...], error: str):
        command = " ".join(arguments[: 2 if arguments[:2] == ("db", "copy") else 1])
        assert call(*arguments) == Done(2, "", f"error: {error}\n  see runner {command} --help\n")

    def test_every_value_has_a_name_in_the_help(self):
        """Placeholders are in upper case, and fixed choices in lower case."""
        named = set()
        for path, command in every_command(commands, "runner"):
            context = click.Context(command, info_name=path)
            for each in command.params:
                if not getattr(each, "is_flag", False):
                    named.update(re.sub(r"\[(.*)\]", r"\1", each.make_metavar(context)).removesuffix("...").split("|"))
        assert {name for name in named if name.islower()} == {*FORMATS, *PLUGIN_KINDS, "runs", "steps"}
        assert {name for name in named if not name.islower()} == {
            "A", "B", "EXPERIMENT", "FILE", "FILTER", "FOLDER", "KIND", "LOW,HIGH", "N", "NAME", "NAMES", "OBJECTIVE",
            "PARAMETER=VALUE", "PATH", "PATH=VALUE", "QUERY", "RUN", "SECONDS", "URL", "X",
        }  # fmt: skip

    def test_every_format_option_is_spelt_the_same(self):
        formats = {
            path: each.type.choices
            for path, command in every_command(commands, "runner")
            for each in command.params
            if isinstance(each.type, click.Choice) and "json" in each.type.choices and each.opts == ["--format"]
        }
        assert {tuple(choices) for choices in formats.values()} == {FORMATS, ("table", "json")}
        named = {path for path, command in every_command(commands, "runner") if "json" in " ".join(option_names(command))}
        assert named == set()
        assert {
            "runner run",
            "runner show",
            "runner list",
            "runner inspect",
            "runner plugins",
            "runner db info",
        } <= formats.keys()


def option_names(command: click.Command) -> list[str]:
    return [name for each in command.params for name in each.opts]


def every_command(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from every_command(command, f"{path} {name}")


@pytest.mark.skipif(sys.platform == "win32", reason="no broken pipes")
@pytest.mark.parametrize("arguments", [("plugins",), ("run", "small.toml", "--no-report", "--quiet", "--format", "json")])
def test_closed_pipe_prints_no_error(tmp_path, write, arguments: tuple[str, ...]):
    write()
    process = subprocess.Popen([*COMMAND, *arguments], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) != 0, "who reads nothing must not take it for a success"


def test_internal_error_mentions_debug(write, call, monkeypatch):
    write()

    def fail(*arguments: object) -> None:
        raise LookupError("who could have known")

    monkeypatch.setattr("runner.cli.run.make_plan", fail)
    message = "internal error: LookupError: who could have known; run with `runner --debug ...` to see where\n"
    assert call("run", "small.toml") == Done(70, "", message)
