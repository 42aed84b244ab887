"""`runner plugins`: the list of plugins and the help of its commands."""

from __future__ import annotations

import re

import pytest

from runner import __version__
from runner.registry.registry import Registry
from tests.support.command_line import Done


class TestPlugins:
    def test_every_plugin_has_a_line_with_its_summary(self, runner_cli, call):
        done = runner_cli("plugins")
        assert (done.code, done.err) == (0, "")
        heading, *lines = done.out.splitlines()
        assert re.fullmatch(r"kind +name +.*summary.*", heading)
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

    def test_every_plugin_has_a_description(self, call):
        assert [
            plugin["name"] for plugin in call("plugins", "--format", "json").json["plugins"] if len(plugin["summary"]) < 10
        ] == []

    @pytest.mark.parametrize("kind", ["objective", "optimizer"])
    def test_every_formula_has_its_source(self, kind: str):
        docstrings = {offer.name: offer.cls.__doc__ or "" for offer in Registry().offers() if offer.kind == kind}
        assert len(docstrings) >= 10
        assert [name for name, docstring in docstrings.items() if not re.search(r"Source: .*\d", docstring, re.DOTALL)] == []


class TestCommandGroup:
    def test_a_misspelt_command(self, call):
        assert call("plugins", "shwo") == Done(
            2, "", "error: there is no command 'shwo'; did you mean show?\n  see runner plugins --help\n"
        )

    @pytest.mark.parametrize("command", ["new", "show", "check"])
    def test_help_of_each_command_has_an_example(self, call, command: str):
        done = call("plugins", command, "--help")
        assert done.code == 0
        assert re.search(rf"Examples?:\n +runner plugins {command}\b", done.out)

    def test_only_the_list_takes_a_format(self, call):
        done = call("plugins", "--format", "json", "show", "adam")
        assert done.err == "error: --format is allowed only for the list of plugins, not for show\n  see runner plugins --help\n"
