"""Mistakes in an experiment file: each gets one message with the path of its key."""

from __future__ import annotations

import re

import pytest
from _pytest.mark import ParameterSet

from tests.support.command_line import Done
from tests.support.folders import folder_contents
from tests.support.plugin_texts import EXECUTOR, PLUGIN
from tests.support.refused_experiments import NAME_RULE, RATE, START, WHOLE, case, experiment


class TestFiles:
    def test_a_folder(self, tmp_path, call):
        (tmp_path / "bad.toml").mkdir()
        done = call("run", "bad.toml")
        assert done == Done(2, "", "error: bad.toml: the experiment file cannot be read: Is a directory\n")
        assert list(folder_contents(tmp_path)) == ["bad.toml"]

    def test_a_path_through_a_file(self, tmp_path, write, call):
        write("", "file")
        done = call("run", "file/bad.toml")
        assert done == Done(2, "", "error: file/bad.toml: the experiment file cannot be read: Not a directory\n")

    def test_not_utf8(self, tmp_path, call):
        (tmp_path / "bad.toml").write_bytes(b'name = "\xff"')
        assert call("run", "bad.toml") == Done(2, "", "error: bad.toml: not valid TOML: not UTF-8 text (byte 8)\n")

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("name = \n", r"\(at line 1, column 8\)"),
            ('name = "a"\n[[objective]\n', r"\(at line 2, column 12\)"),
            ('name = "a"\nname = "b"\n', r"\(at line 2, column 11\)"),
            ('name = "a', r"\(at (line 1, column 10|end of document)\)"),
        ],
    )
    def test_not_toml(self, tmp_path, write, call, text: str, place: str):
        write(text, "bad.toml")
        done = call("run", "bad.toml")
        assert re.fullmatch(rf"error: bad\.toml: not valid TOML: [^\n]+ {place}\n", done.err)
        assert (done.code, done.out, list(folder_contents(tmp_path))) == (2, "", ["bad.toml"])

    def test_an_empty_file(self, refused):
        refused(
            "",
            "objective: at least one [[objective]] table is needed",
            "gradient: at least one [[gradient]] table is needed",
            "optimizer: at least one [[optimizer]] table is needed",
            "start: is missing; give the points where runs begin, e.g. uniform = { low = -3.0, high = 3.0, count = 5, seed = 0 }",
        )


def test_the_sound_experiment_is_sound(call, write):
    write(experiment(), "sound.toml")
    assert call("run", "sound.toml", "--dry-run", "--quiet") == Done(0, "", "")


class TestKeys:
    KEYS = "name, description, plugins, objective, gradient, optimizer, start, stop, record, exclude, execution, report"

    @pytest.mark.parametrize(
        ("text", "problems"),
        [
            case("naem: there is no such key; did you mean name?", top="naem = 1"),
            case(f"zzz: there is no such key; allowed: {KEYS}", top="zzz = 1"),
            case(f": there is no such key; allowed: {KEYS}", top='"" = 1'),
            case("description: must be a string, not 3", top="description = 3"),
            case("plugins: must be a list of file names, not 'a.py'", top="plugins = 'a.py'"),
            case("plugins: must be a list of file names, not [3]", top="plugins = [3]"),
            case(f"name: {NAME_RULE} ''", top='name = ""'),
            case("name: must be a string, not 3", top="name = 3"),
            case(f"name: {NAME_RULE} 'a/b'", top='name = "a/b"'),
            case(f"name: {NAME_RULE} '..'", top='name = ".."'),
            case(f"name: {NAME_RULE} '.hidden'", top='name = ".hidden"'),
            case(f"name: {NAME_RULE} 'a b'", top='name = "a b"'),
            case(f"name: {NAME_RULE} 'a\\n'", top='name = "a\\n"'),
            case(f"name: {NAME_RULE} '{56 * 'a'}...", top=f'name = "{201 * "a"}"'),
        ],
    )
    def test_the_top_of_the_file(self, refused, text: str, problems: list[str]):
        refused(text, *problems)

    @pytest.mark.parametrize(
        ("old", "new", "problem"),
        [
            ("[[objective]]", "[objective]", "objective: must be tables, each written [[objective]], not {'name': 'quadratic'}"),
            ("[start]", "[[start]]", "start: must be a table, written [start], not [{'points': [1.0]}]"),
            ("[stop]", "[[stop]]", "stop: must be a table, written [stop], not [{'max_steps': 3}]"),
            ("[stop]\nmax_steps", "[[record]]\nx", "record: must be a table, written [record], not [{'x': 3}]"),
            ("[stop]\nmax_steps", "[[execution]]\nx", "execution: must be a table, written [execution], not [{'x': 3}]"),
            ("[stop]\nmax_steps", "[[report]]\nx", "report: must be a table, written [report], not [{'x': 3}]"),
            ("[stop]\nmax_steps", "[exclude]\nx", "exclude: must be tables, each written [[exclude]], not {'x': 3}"),
            ("[start]\npoints = [1.0]", "", "start: is missing; give the points where runs begin, e.g. uniform = { low = -3.0, high = 3.0, "
                                            "count = 5, seed = 0 }"),
        ],
    )  # fmt: skip
    def test_tables(self, refused, old: str, new: str, problem: str):
        refused(experiment().replace(old, new), problem)

    def test_mistake_shared_by_several_objectives_is_reported_once(self, refused):
        several = 'name = "quadratic"\n[[objective]]\nname = "sin_quadratic"'
        refused(
            experiment(objective=several).replace("[start]", "[[start]]"),
            "start: must be a table, written [start], not [{'points': [1.0]}]",
        )
        refused(experiment(objective=several, start=""), f"start: {START} empty")


def ended(end: str, *problems: str) -> ParameterSet:
    return case(*problems, end=end)


class TestOtherTables:
    STOP = "allowed: max_steps, gradient_norm, gap, step_length, divergence_limit, wall_time"
    DROP = "must be a plugin's name, or a table with values of its parameters"

    @pytest.mark.parametrize(
        ("text", "problems"),
        [
            ended("[stop]\nmax_step = 3", "stop.max_step: [stop] has no such key; did you mean max_steps?"),
            ended("[stop]\nzz = 3", f"stop.zz: [stop] has no such key; {STOP}"),
            ended("[stop]\nmax_steps = 0", f"stop.max_steps: {WHOLE} 0"),
            ended("[stop]\nmax_steps = 1e3", f"stop.max_steps: {WHOLE} 1000.0"),
            ended("[stop]\ngradient_norm = -1", "stop.gradient_norm: must be a number >= 0 or absent, not -1"),
            ended("[stop]\ngap = 'small'", "stop.gap: must be a number >= 0 or absent, not 'small'"),
            ended("[stop]\ndivergence_limit = 1", "stop.divergence_limit: must be a number > 1, not 1"),
            ended("[stop]\nwall_time = 0", "stop.wall_time: must be a number > 0 or absent, not 0"),
            ended("[stop]\nmax_steps = { values = [3] }", f"stop.max_steps: {WHOLE} {{'values': [3]}}"),
            ended(
                "[record]\nx = 1\ny = true",
                "record.x: must be true or false, not 1",
                "record.y: [record] has no such key; allowed: x, gradient",
            ),
            ended("[[exclude]]", "exclude[0]: must name the combinations to drop, by objective, gradient, optimizer"),
            ended('[[exclude]]\noptimzer = "newton"', "exclude[0].optimzer: there is no such key; did you mean optimizer?"),
            ended(
                '[[exclude]]\noptimizer = "newton"',
                "exclude[0].optimizer: this experiment has no 'newton'; allowed: gradient_descent",
            ),
            ended(
                '[[exclude]]\noptimizer = { name = "gradient_decent" }',
                "exclude[0].optimizer: this experiment has no 'gradient_decent'; did you mean gradient_descent?",
            ),
            ended(
                "[[exclude]]\noptimizer = { lerning_rate = 3 }",
                "exclude[0].optimizer.lerning_rate: there is no such parameter here; did you mean learning_rate?",
            ),
            ended("[[exclude]]\noptimizer = { learning_rate = 'a' }", f"exclude[0].optimizer.learning_rate: {RATE} 'a'"),
            ended("[[exclude]]\noptimizer = {}", f"exclude[0].optimizer: {DROP}"),
            ended("[[exclude]]\noptimizer = []", f"exclude[0].optimizer: {DROP}"),
            ended("[execution]\nmax_batch = 0", f"execution.max_batch: {WHOLE} 0"),
            ended("[execution]\nmax_batch = true", f"execution.max_batch: {WHOLE} true"),
            ended("[execution]\nworkers = 2", "execution.workers: serial has no such parameter; none are allowed"),
            ended('[execution]\nname = "serial"', "execution.name: there is no such key; did you mean executor?"),
            ended(
                '[execution]\nexecutor = { values = ["serial"] }',
                "execution.executor: must be the name of a plugin, not {'values': ['serial']}",
            ),
            ended("[report]\nfigures = 'outcomes'", "report.figures: must be a list of names of figures, not 'outcomes'"),
            ended("[report]\nfigure = []", "report.figure: there is no such key; allowed: figures, target"),
        ],
    )
    def test_tables(self, refused, text: str, problems: list[str]):
        refused(text, *problems)

    def test_gap_rule_without_a_known_minimum(self, write, refused):
        write(PLUGIN, "my.py")
        text = experiment(top='plugins = ["my.py"]', objective='name = "bowl"', end="[stop]\ngap = 1e-6")
        refused(text, "stop.gap: none of the objectives knows its minimum; use gradient_norm instead")

    def test_starts_without_a_start_region(self, write, refused):
        write(PLUGIN, "my.py")
        text = experiment(top='plugins = ["my.py"]', objective='name = "bowl"', start="uniform = { count = 3 }")
        refused(text, "start.uniform: needs low and high, because the objective has no start_region")

    def test_executor_takes_no_sweep(self, write, refused):
        write(EXECUTOR, "my.py")
        end = '[execution]\nexecutor = "several"\nworkers = { values = [1, 2] }'
        refused(
            experiment(top='plugins = ["my.py"]', end=end),
            "execution: an experiment has one executor; its parameters cannot be swept",
        )
