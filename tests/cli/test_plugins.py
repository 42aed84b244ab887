"""`runner plugins`, and what holds for every command: help, versions, misspelt words, pipes that close early."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from runner import __version__
from runner.cli import COMMANDS, commands
from runner.cli.terminal.output_options import FORMATS
from runner.contracts.kinds import KINDS
from runner.registry.registry import Registry
from tests.support.command_line import Done
from tests.support.databases import run_into
from tests.support.experiment_texts import SMALL

COMMAND = [sys.executable, "-c", "from runner.cli import main; main()"]


class TestPlugins:
    def test_every_plugin_has_a_line_with_its_summary(self, runner_cli, call):
        done = runner_cli("plugins")
        assert (done.code, done.err) == (0, "")
        heading, *lines = done.out.splitlines()
        assert re.fullmatch(r"kind +name +.*what it is.*", heading)
        listed = call("plugins", "--format", "json").json["plugins"]
        assert len(lines) == len(listed)
        for line, plugin in zip(lines, listed, strict=True):
            assert line.split()[:2] == [plugin["kind"], plugin["name"]]
            assert plugin["summary"] in line
            assert plugin["version"] in line

    def test_json(self, call):
        done = call("plugins", "--format", "json")
        assert (done.code, done.err) == (0, "")
        assert done.json["broken"] == []
        assert {tuple(plugin) for plugin in done.json["plugins"]} == {("kind", "name", "source", "version", "summary")}
        (descent,) = [plugin for plugin in done.json["plugins"] if plugin["name"] == "gradient_descent"]
        assert descent == {
            "kind": "optimizer",
            "name": "gradient_descent",
            "source": "gradient-runner:gradient_descent",
            "version": __version__,
            "summary": "xₖ₊₁ = xₖ − γ ∇f(xₖ), with the learning rate γ.",
        }
        assert {plugin["kind"] for plugin in done.json["plugins"]} == {"objective", "gradient", "optimizer", "executor", "figure"}

    def test_every_plugin_says_what_it_is(self, call):
        assert [
            plugin["name"] for plugin in call("plugins", "--format", "json").json["plugins"] if len(plugin["summary"]) < 10
        ] == []

    @pytest.mark.parametrize("kind", ["objective", "optimizer"])
    def test_every_formula_has_its_source(self, kind: str):
        docstrings = {offer.name: offer.cls.__doc__ or "" for offer in Registry().offers() if offer.kind == kind}
        assert len(docstrings) >= 10
        assert [name for name, docstring in docstrings.items() if not re.search(r"Source: .*\d", docstring, re.DOTALL)] == []


class TestEveryCommand:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_its_help_has_an_example_and_explains_every_option(self, call, command: str):
        done = call(command, "--help")
        assert (done.code, done.err) == (0, "")
        assert done.out == call(command, "-h").out
        assert re.search(rf"Examples?:\n +runner {command}\b", done.out), "an example that can be typed as it stands"
        loaded = commands.get_command(click.Context(commands), command)
        assert loaded is not None
        assert [option.name for option in loaded.params if option.param_type_name == "option" and not option.help] == []
        assert loaded.help.startswith(COMMANDS[command].removesuffix(".")), "the list of commands says the same as the command"

    def test_help_of_the_whole_lists_the_commands_and_the_exit_codes(self, call):
        done = call("--help")
        assert (done.code, done.err) == (0, "")
        for command in COMMANDS:
            assert re.search(rf"^  {command} +[A-Z]", done.out, re.MULTILINE)
        assert re.findall(r"^    (\d+) ", done.out, re.MULTILINE) == ["0", "1", "2", "3", "4", "5", "70", "130", "141"]
        assert re.search(r"Example:\n +runner run ", done.out)

    def test_no_command_is_a_wrong_call_that_shows_the_help(self, call):
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
        """Upper case for what people fill in, lower case for words that they choose from."""
        named = set()
        for path, command in every_command(commands, "runner"):
            context = click.Context(command, info_name=path)
            for each in command.params:
                if not getattr(each, "is_flag", False):
                    named.update(re.sub(r"\[(.*)\]", r"\1", each.make_metavar(context)).removesuffix("...").split("|"))
        assert {name for name in named if name.islower()} == {*FORMATS, *KINDS, "runs", "steps"}
        assert {name for name in named if not name.islower()} == {
            "A", "B", "EXPERIMENT", "FILE", "FILTER", "FOLDER", "KIND", "LOW,HIGH", "N", "NAME", "NAMES", "OBJECTIVE",
            "PARAMETER=VALUE", "PATH", "PATH=VALUE", "QUERY", "RUN", "SECONDS", "URL", "X",
        }  # fmt: skip

    def test_every_format_is_asked_for_in_one_way(self):
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


class TestWhatIsNotThere:
    """A name or a file that is no plugin is a wrong call wherever it is given; a plugin that cannot be loaded is not."""

    @pytest.mark.parametrize(
        ("arguments", "error"),
        [
            (("run", "wrong.toml"), "wrong.toml: optimizer[0].name: there is no optimizer 'newtonn'; did you mean newton?"),
            (
                ("run", "small.toml", "--executor", "processe"),
                "--executor: there is no executor 'processe'; did you mean processes?",
            ),
            (("inspect", "quadratik"), "there is no objective 'quadratik'; did you mean quadratic?"),
            (("inspect", "quadratic", "--plugin", "none.py"), "none.py: cannot be read: No such file or directory"),
            (("inspect", "quadratic", "--plugin", "small.toml"), "small.toml: a plugin file ends in .py"),
            (("plugins", "show", "newtonn"), "there is no plugin 'newtonn'; did you mean newton?"),
            (("plugins", "check", "newtonn"), "there is no plugin 'newtonn'; did you mean newton?"),
            (("plugins", "check", "none.py"), "none.py: cannot be read: No such file or directory"),
            (("plot", "small", "--figure", "rate"), "figure: there is no figure 'rate'; did you mean rates?"),
            (("plot", "small", "--figure", "rates", "--plugin", "none.py"), "none.py: cannot be read: No such file or directory"),
            (("report", "small", "--figure", "rate"), "figure: there is no figure 'rate'; did you mean rates?"),
            (("verify", "--replay", "1", "--plugin", "none.py"), "none.py: cannot be read: No such file or directory"),
        ],
    )
    def test_it_is_a_wrong_call(self, write, tmp_path, call, arguments: tuple[str, ...], error: str):
        run_into(write(), tmp_path / "r.db")
        write(SMALL.replace("gradient_descent", "newtonn"), "wrong.toml")
        done = call(*arguments, RUNNER_DB="r.db")
        assert (done.code, done.err) == (2, f"error: {error}\n")

    @pytest.mark.parametrize(
        "arguments",
        [
            ("inspect", "quadratic", "--plugin", "broken.py"),
            ("plugins", "show", "broken.py"),
            ("plot", "small", "--figure", "rates", "--plugin", "broken.py"),
            ("verify", "--replay", "1", "--plugin", "broken.py"),
        ],
    )
    def test_one_that_cannot_be_loaded_is_not(self, write, tmp_path, call, arguments: tuple[str, ...]):
        run_into(write(), tmp_path / "r.db")
        write("1 / 0", "broken.py")
        done = call(*arguments, RUNNER_DB="r.db")
        assert (done.code, done.err) == (3, "error: broken.py, line 1: cannot be loaded: ZeroDivisionError: division by zero\n")


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
def test_a_pipe_that_closes_early_is_no_error_to_talk_about(tmp_path, write, arguments: tuple[str, ...]):
    write()
    process = subprocess.Popen([*COMMAND, *arguments], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) != 0, "who reads nothing must not take it for a success"


def test_an_internal_error_says_so_and_how_to_see_more(write, call, monkeypatch):
    write()

    def fail(*arguments: object) -> None:
        raise LookupError("who could have known")

    monkeypatch.setattr("runner.cli.run.make_plan", fail)
    message = "internal error: LookupError: who could have known; run with `runner --debug ...` to see where\n"
    assert call("run", "small.toml") == Done(70, "", message)
