"""Stored plugins are made again exactly as they were, or refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner.errors import PluginError
from runner.experiment.reader import read_experiment
from runner.registry.registry import Registry
from runner.registry.setting import Setting, restore_setting
from runner.store.connection import Database
from runner.store.reading.stored_results import read_results
from tests.support.databases import opened, run_into
from tests.support.experiment_texts import SMALL

MANY = """
[[objective]]
name = "quadratic"
dimension = 3
condition_number = { values = [1.0, 12.5] }

[[objective]]
name = "logistic_regression"
csv = "data.csv"
l2 = 0.1

[[gradient]]
name = "finite_difference"

[[optimizer]]
name = "clipped"
max_norm = 0.1
optimizer = { name = "clipped", max_norm = 2.0, optimizer = { name = "adam", learning_rate = 0.3 } }

[start]
points = [1.0]
"""
DATA = "0.5,1.0,0\n1.5,-1.0,1\n-0.5,0.25,0\n2.0,1.0,1\n"


@pytest.fixture
def settings(write, tmp_path: Path) -> list[Setting]:
    (tmp_path / "data.csv").write_text(DATA, encoding="utf-8")
    experiment = read_experiment(write(MANY), Registry())
    return [*experiment.objectives, *experiment.gradients, *experiment.optimizers]


def texts(setting: Setting) -> list[str]:
    return [str(value) for value in setting.parameters.values()]


def test_plugin_made_again_equals_the_stored_one(settings):
    catalogue = Registry()
    for setting in settings:
        again = restore_setting(setting.kind, setting.canonical, catalogue, texts(setting))
        assert (again.canonical, again.structure, again.fingerprint) == (
            setting.canonical, setting.structure, setting.fingerprint,
        )  # fmt: skip
        assert dict(again.parameters) == dict(setting.parameters)


@pytest.mark.parametrize("change", ["gone", "changed"])
def test_changed_data_file_is_refused(settings, tmp_path, change):
    setting = next(each for each in settings if each.name == "logistic_regression")
    data = tmp_path / "data.csv"
    data.unlink() if change == "gone" else data.write_text(DATA + "1.0,1.0,1\n", encoding="utf-8")
    with pytest.raises(PluginError) as caught:
        restore_setting("objective", setting.canonical, Registry(), texts(setting))
    assert str(caught.value) == (
        "objective logistic_regression: cannot be created again from its stored parameters: the file that it was computed from is "
        "missing or has changed"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"curliness": 1},
            "objective quadratic: cannot be created again from its stored parameters: it has no parameter curliness any more",
        ),
        (
            {"condition_number": (-1.0).hex()},
            "objective quadratic: cannot be created again from its stored parameters: must be a number >= 1, not -1.0",
        ),
        (
            {"dimension": None},
            "objective quadratic: cannot be created again from its stored parameters: must be a whole number >= 1, not None",
        ),
    ],
)
def test_parameters_that_no_longer_fit_are_refused(settings, change, message):
    stored = json.loads(settings[0].canonical)
    stored["parameters"] |= change
    with pytest.raises(PluginError) as caught:
        restore_setting("objective", json.dumps(stored), Registry())
    assert str(caught.value) == message


def test_plugin_with_a_new_parameter_is_refused(settings):
    stored = json.loads(settings[0].canonical)
    del stored["parameters"]["dimension"]
    with pytest.raises(PluginError) as caught:
        restore_setting("objective", json.dumps(stored), Registry())
    assert str(caught.value) == (
        "objective quadratic: its parameters differ from the stored ones; install the version of the plugin that computed the "
        "run, or run the experiment again"
    )


def test_missing_plugin_is_refused():
    with pytest.raises(PluginError, match="there is no objective 'quadratc'"):
        restore_setting("objective", '{"name":"quadratc","parameters":{}}', Registry())


class TestResults:
    def test_objectives_are_made_again(self, write, tmp_path):
        database = tmp_path / "r.db"
        plan, _ = run_into(write(), database)
        results = read_results(Database(str(database)), "small", catalogue=Registry())
        computed = {run.identity: run.objective.plugin for run in plan.runs}
        assert [results.objective(run) for run in results.runs] == [computed[run.identity] for run in results.runs]

    def test_no_objective_if_its_code_has_changed(self, write, tmp_path):
        database = tmp_path / "r.db"
        run_into(write(), database)
        with opened(database) as connection:
            connection.execute("UPDATE setting SET fingerprint = 'other' WHERE name = 'quadratic'")
        results = read_results(Database(str(database)), "small", catalogue=Registry())
        assert {run.objective for run in results.runs if results.objective(run) is None} == {"quadratic"}

    def test_no_objective_if_its_plugin_is_missing(self, write, tmp_path):
        database = tmp_path / "r.db"
        plugin = "from runner_plugins.objectives.quadratic import Quadratic\nimport runner\n\n@runner.hookimpl\n"
        (tmp_path / "mine.py").write_text(
            f"{plugin}def runner_objectives():\n    return {{'mine': Quadratic}}\n", encoding="utf-8"
        )
        run_into(write('plugins = ["mine.py"]\n' + SMALL.replace('"quadratic"', '"mine"')), database)
        results = read_results(Database(str(database)), "small", catalogue=Registry())
        assert {run.objective for run in results.runs if results.objective(run) is None} == {"mine"}
