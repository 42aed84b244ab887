"""The files, plugins, commands, links and views that the documentation shows."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from runner.cli import COMMANDS, commands
from runner.contracts.kinds import PLUGIN_KINDS
from runner.contracts.outcomes import Outcome
from runner.experiment.model import StoppingRules
from runner.registry.registry import Registry
from runner.results.results_database import ResultsDatabase
from runner.store.schema import metadata, views
from tests.support.databases import opened, run_into
from tests.support.paths import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
ASKING = ("list", "runs", "show", "steps", "sql", "plot", "report", "compare", "export")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def test_readme_shows_the_experiment_that_it_runs():
    (shown,) = blocks(README, "toml")
    assert shown == (ROOT / "experiments" / "lr_sweep.toml").read_text(encoding="utf-8")
    assert len(shown.splitlines()) == 8


@pytest.mark.parametrize("text", [README, page("how_to/plugins/index.md")], ids=["README", "plugins"])
def test_plugin_that_is_shown_is_short_and_can_be_swept(text, tmp_path, write, runner_cli):
    plugin = blocks(text, "python")[0]
    assert len([line for line in plugin.splitlines() if line.strip()]) == 12
    (tmp_path / "sign_descent.py").write_text(plugin, encoding="utf-8")
    experiment = write().read_text(encoding="utf-8").replace('name = "gradient_descent"', 'name = "sign_descent"')
    done = runner_cli("run", write('plugins = ["sign_descent.py"]\n' + experiment), "--no-report", "--format", "json")
    assert (done.code, done.err) == (0, "")
    assert sum(done.json["computed"].values()) == 12


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path):
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target


WRITTEN = [
    *PAGES,
    *(ROOT / name for name in ("CHANGELOG.md", "benchmarks/README.md", "results/README.md")),
    *sorted((ROOT / "plugins").glob("*/README.md")),
]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_has_one_title_and_no_gap_between_its_headings(path: Path):
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    levels = [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels))


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_experiments_are_shown_in_the_compact_form(path: Path):
    shown = [text for text in blocks(path.read_text(encoding="utf-8"), "toml") if "[project]" not in text]
    assert [line for text in shown for line in text.splitlines() if line.startswith("[")] == []


def test_the_experiment_that_is_shown_is_valid(write, runner_cli):
    shown = blocks(page("how_to/write_an_experiment.md"), "toml")[0]
    done = runner_cli("run", write(shown), "--dry-run", "--format", "json")
    assert (done.code, done.err) == (0, "")
    settings, objectives, starts, excluded = 25 + 5, 3, 10, 5
    assert done.json["runs"] == (settings * objectives - excluded) * starts
    assert done.json["skipped"][0]["reason"] == "excluded by the experiment"


def test_every_rule_and_outcome_is_explained():
    text = page("how_to/write_an_experiment.md")
    for name in [*StoppingRules.__dataclass_fields__, *Outcome]:
        assert f"`{name}`" in text, name


def built_in(kind: str) -> set[str]:
    return {offer.name for offer in Registry().offers() if offer.kind == kind and offer.distribution == "gradient-runner"}


@pytest.mark.parametrize(
    ("kind", "line"), [("objective",) * 2, ("gradient", "gradient backend"), ("optimizer",) * 2, ("executor",) * 2]
)
def test_the_page_on_experiments_names_all_that_can_be_swept(kind: str, line: str):
    (names,) = re.findall(rf"^\| {line} \| (.*) \|$", page("how_to/write_an_experiment.md"), re.MULTILINE)
    assert {name for name in re.findall(r"`([^`]+)`", names) if not name.startswith("--")} == built_in(kind)


def test_every_figure_is_described():
    section = page("how_to/write_an_experiment.md").partition("\n## Choose the figures of the report\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `([^`]+)`", section, re.MULTILINE)) == built_in("figure")


def test_every_hook_is_explained():
    for hook in (kind.hook for kind in PLUGIN_KINDS.values()):
        assert f"`{hook}`" in page("how_to/plugins/index.md")


def test_the_views_are_described_with_all_their_columns(tmp_path, write):
    database = tmp_path / "r.db"
    run_into(write(), database)
    rows = {
        line.split("|")[1].strip(" `"): line.split("|")[3]
        for line in page("reference/database.md").splitlines()
        if line.startswith("| `")
    }
    with opened(database) as connection:
        connection.create_function("ieee754_from_blob", 1, lambda blob: 0.0)
        for view in views("sqlite"):
            columns = [column[0] for column in connection.execute(f"SELECT * FROM {view}").description]
            described = re.findall(r"`([^`]+)`", re.sub(r"\([^)]*\)", "", rows[view]))
            assert described == columns, view
    for table in metadata.tables:
        assert f"`{table}`" in page("reference/database.md"), table


def test_every_command_has_help_with_an_example():
    for name in COMMANDS:
        command = commands.get_command(click.Context(commands), name)
        assert command is not None
        assert f"runner {name}" in (command.help or ""), name


def test_every_command_and_option_is_in_the_documentation():
    text = README + "".join(path.read_text(encoding="utf-8") for path in PAGES)
    for name in COMMANDS:
        command = commands.get_command(click.Context(commands), name)
        assert command is not None
        assert f"runner {name}" in text, name
        for parameter in command.params:
            # The options of `runner run` are described with the experiment file, not one by one.
            if isinstance(parameter, click.Option) and name in ASKING:
                assert any(f"`{option}" in row(name) for option in parameter.opts), (name, parameter.opts)


def row(command: str) -> str:
    """Return the line of a command in the table of commands."""
    return next(line for line in page("how_to/query_results.md").splitlines() if line.startswith(f"| `runner {command}"))


def test_the_python_that_is_shown_runs(tmp_path, runner_cli):
    runner_cli("run", ROOT / "experiments" / "lr_sweep.toml", "--no-report", cwd=tmp_path)
    (tmp_path / "shown.py").write_text(blocks(page("how_to/use_python.md"), "python")[0], encoding="utf-8")
    done = subprocess.run([sys.executable, "shown.py"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert "gradient_descent" in done.stdout


def test_queries_that_are_shown_are_answered(tmp_path, runner_cli):
    runner_cli("run", ROOT / "experiments" / "lr_sweep.toml", "--no-report", cwd=tmp_path)
    shown = [line.partition("  #")[0] for line in blocks(page("how_to/query_results.md"), "console")[1].splitlines()]
    assert len(shown) == 10
    for line in shown:
        dollar, program, *arguments = shlex.split(line)
        assert (dollar, program) == ("$", "runner")
        done = runner_cli(*arguments)
        assert (done.code, done.out != "") == (0, True), line
        assert done.err in ("", "only the first 20 are shown; --limit shows more\n"), line


def test_every_method_of_a_database_is_in_the_documentation():
    methods = [name for name in dir(ResultsDatabase) if not name.startswith("_")]
    assert [name for name in methods if name not in ("close", "name") and f"`{name}(" not in page("how_to/use_python.md")] == []


def test_every_experiment_in_the_repository_is_valid(runner_cli, tmp_path):
    for path in sorted((ROOT / "experiments").glob("*.toml")):
        done = runner_cli("run", path, "--dry-run")
        assert (done.code, done.err) == (0, ""), path
