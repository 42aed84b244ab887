"""Whatever is wrong with an experiment file, an option, a plugin or a database: one clear message, an exit code, nothing written.

Most cases call the command line's `main` in this process, which is the same door without the second that a process takes to start;
`TestAsAProcess` shows that a process says the same.
"""

from __future__ import annotations

import os
import re
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from runner.registry.registry import Registry
from tests.support.command_line import Done
from tests.support.databases import SUPPORTED
from tests.support.folders import folder_contents

WHOLE = "must be a whole number >= 1, not"
RATE = "must be a number > 0, not"
SWEEP = (
    "a sweep is written { values = [...] }, { linspace = [a, b], num = n } or { logspace = [a, b], num = n }, not with the keys"
)
START = (
    "must be one of points = [...], uniform = { low, high, count, seed }, normal = { mean, std, count, seed } or "
    "initialisation = { count, seed }, not"
)
COORDINATES = "coordinates, but the objective has dimension 2; give 2, or one number for all"
ZIP = "zip must be a list of lists of parameters, e.g. [['learning_rate', 'max_norm']], not"
FINITE = "must be a finite number, or a list of them, not"
HUGE = "1" + 400 * "0"
INSTALL = "python -m pip install 'gradient-runner[postgresql]' brings psycopg"
NOT_TABLES = "must be tables, each written"


def experiment(
    objective: str = 'name = "quadratic"',
    gradient: str = 'name = "analytic"',
    optimizer: str = 'name = "gradient_descent"',
    start: str = "points = [1.0]",
    top: str = "",
    end: str = "[stop]\nmax_steps = 3",
) -> str:
    """A sound experiment with some of its tables replaced."""
    return f"{top}\n[[objective]]\n{objective}\n[[gradient]]\n{gradient}\n[[optimizer]]\n{optimizer}\n[start]\n{start}\n{end}\n"


def case(*problems: str, **tables: str) -> ParameterSet:
    """An experiment and what is wrong with it."""
    return pytest.param(experiment(**tables), problems, id=", ".join(tables.values()).replace("\n", "; ")[:80])


def rated(rate: str, *problems: str) -> ParameterSet:
    """An experiment with a learning rate, and what is wrong with that."""
    optimizer = f'name = "gradient_descent"\nlearning_rate = {rate}'
    return case(*(f"optimizer[0].learning_rate: {problem}" for problem in problems), optimizer=optimizer)


@pytest.fixture
def refused(tmp_path: Path, call: Callable[..., Done], write: Callable[..., Path]) -> Callable[..., None]:
    """Run an experiment that is wrong, and compare all that it says with the problems expected, in their order."""

    def check(text: str, *problems: str, options: tuple[str, ...] = (), code: int = 2) -> None:
        write(text, "bad.toml")
        before = folder_contents(tmp_path)
        done = call("run", "bad.toml", *options)
        lines = [f"bad.toml: {problem}" for problem in problems] if code == 2 else problems
        assert done.err.splitlines() == ["error: " + lines[0], *lines[1:]]
        assert (done.code, done.out) == (code, "")
        assert folder_contents(tmp_path) == before, "nothing may be written"

    return check


class TestAsAProcess:
    SEVEN = experiment(
        top='nmae = "seven"',
        objective='name = "quadratic"\ndimension = 1.5',
        gradient='name = "analitic"',
        optimizer='name = "gradient_descent"\nlerning_rate = 0.1\nlearning_rate = -1',
        end='[stop]\ngradient_norm = "small"\n[execution]\nmax_batch = 0',
    )
    PROBLEMS = (
        "error: bad.toml: nmae: there is no such key; did you mean name?",
        "bad.toml: objective[0].dimension: must be a whole number >= 1, not 1.5",
        "bad.toml: gradient[0].name: there is no gradient 'analitic'; did you mean analytic?",
        "bad.toml: optimizer[0].lerning_rate: gradient_descent has no such parameter; did you mean learning_rate?",
        "bad.toml: optimizer[0].learning_rate: must be a number > 0, not -1",
        "bad.toml: execution.max_batch: must be a whole number >= 1, not 0",
        "bad.toml: stop.gradient_norm: must be a number >= 0 or absent, not 'small'",
    )

    def test_every_fault_of_a_file_is_told_at_once(self, tmp_path, write, runner_cli, call):
        write(self.SEVEN, "bad.toml")
        before = folder_contents(tmp_path)
        done = runner_cli("run", "bad.toml")
        assert done.err.splitlines() == list(self.PROBLEMS)
        assert (done.code, done.out) == (2, "")
        assert done == call("run", "bad.toml"), "a call in this process must say the same"
        assert folder_contents(tmp_path) == before

    def test_a_missing_file(self, tmp_path, runner_cli):
        done = runner_cli("run", "missing.toml")
        assert done == Done(2, "", "error: missing.toml: the experiment file cannot be read: No such file or directory\n")
        assert folder_contents(tmp_path) == {}

    def test_an_unknown_figure_is_told_before_anything_runs(self, tmp_path, write, runner_cli):
        write(experiment(end='[report]\nfigures = ["outcomes", "convergense"]'), "bad.toml")
        before = folder_contents(tmp_path)
        done = runner_cli("run", "bad.toml")
        assert done == Done(
            2, "", "error: bad.toml: report.figures[1]: there is no figure 'convergense'; did you mean convergence?\n"
        )
        assert folder_contents(tmp_path) == before

    def test_a_database_of_another_program(self, tmp_path, write, runner_cli):
        write(experiment())
        with sqlite3.connect(tmp_path / "notes.db") as connection:
            connection.execute("CREATE TABLE notes (text)")
        connection.close()
        before = folder_contents(tmp_path)
        done = runner_cli("run", "small.toml", "--db", "notes.db")
        message = "error: database notes.db: belongs to another program (its tables: notes); name another file\n"
        assert done == Done(4, "", message)
        assert folder_contents(tmp_path) == before

    def test_a_broken_plugin(self, tmp_path, write, runner_cli):
        write(PLUGIN.replace(VALUE, "return x * x"), "my.py")
        write(experiment(top='plugins = ["my.py"]', objective='name = "bowl"'), "bad.toml")
        before = folder_contents(tmp_path)
        done = runner_cli("run", "bad.toml", env={"PYTHONDONTWRITEBYTECODE": ""})
        assert done == Done(
            3,
            "",
            "error: bowl × analytic × gradient_descent: none of its 1 runs can take a step: Bowl.value returned an array of shape "
            "(1, 1) and type float64 for x of shape (1, 1); it must return a float64 array of shape (1,)\n",
        )
        assert folder_contents(tmp_path) == before, "not even bytecode beside the plugin"

    def test_debug_shows_where_an_expected_error_arose(self, runner_cli):
        done = runner_cli("--debug", "run", "missing.toml")
        assert done.code == 1
        assert done.err.startswith("Traceback (most recent call last):\n")
        last = "runner.errors.ExperimentError: missing.toml: the experiment file cannot be read: No such file or directory"
        assert done.err.splitlines()[-1] == last


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
    NAME = "must be letters, digits, '-', '_' and '.', not begin with '.', and have at most 200 bytes, because a folder gets this name; not"
    KEYS = "name, description, plugins, objective, gradient, optimizer, start, stop, record, exclude, execution, report"

    @pytest.mark.parametrize(
        ("text", "problems"),
        [
            case("naem: there is no such key; did you mean name?", top="naem = 1"),
            case(f"zzz: there is no such key; allowed: {KEYS}", top="zzz = 1"),
            case("description: must be a string, not 3", top="description = 3"),
            case("plugins: must be a list of file names, not 'a.py'", top="plugins = 'a.py'"),
            case("plugins: must be a list of file names, not [3]", top="plugins = [3]"),
            case(f"name: {NAME} ''", top='name = ""'),
            case("name: must be a string, not 3", top="name = 3"),
            case(f"name: {NAME} 'a/b'", top='name = "a/b"'),
            case(f"name: {NAME} '..'", top='name = ".."'),
            case(f"name: {NAME} '.hidden'", top='name = ".hidden"'),
            case(f"name: {NAME} 'a b'", top='name = "a b"'),
            case(f"name: {NAME} 'a\\n'", top='name = "a\\n"'),
            case(f"name: {NAME} '{56 * 'a'}...", top=f'name = "{201 * "a"}"'),
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

    def test_a_table_that_is_wrong_for_several_objectives_is_told_once(self, refused):
        several = 'name = "quadratic"\n[[objective]]\nname = "sin_quadratic"'
        refused(
            experiment(objective=several).replace("[start]", "[[start]]"),
            "start: must be a table, written [start], not [{'points': [1.0]}]",
        )
        refused(experiment(objective=several, start=""), f"start: {START} empty")


class TestPluginsOfTheFile:
    @pytest.mark.parametrize(
        ("text", "problems"),
        [
            case("objective[0].name: there is no objective 'quadratc'; did you mean quadratic?", objective='name = "quadratc"'),
            case("gradient[0].name: there is no gradient 'analitic'; did you mean analytic?", gradient='name = "analitic"'),
            case(
                "optimizer[0].name: there is no optimizer 'gradient_decent'; did you mean gradient_descent?",
                optimizer='name = "gradient_decent"',
            ),
            case(
                "execution.executor: there is no executor 'serail'; did you mean serial?",
                end='[execution]\nexecutor = "serail"',
            ),
            case("objective[0].name: is missing", objective="dimension = 2"),
            case("objective[0].name: must be the name of a plugin, not 3", objective="name = 3"),
            case("execution.executor: must be the name of a plugin, not 3", end="[execution]\nexecutor = 3"),
            case(
                "gradient[0].zz: analytic has no such parameter; there are none",
                gradient='name = "analytic"\nzz = 1',
            ),
            case(
                "optimizer[0].zz: gradient_descent has no such parameter; allowed: learning_rate",
                optimizer='name = "gradient_descent"\nzz = 1',
            ),
            case(
                "optimizer[0].indefinite: must be one of 'absolute', 'gradient', 'plain', not 'plane'",
                optimizer='name = "newton"\nindefinite = "plane"',
            ),
            case(f"objective[0].dimension: {WHOLE} 0", objective='name = "quadratic"\ndimension = 0'),
            case(f"objective[0].dimension: {WHOLE} 2.0", objective='name = "quadratic"\ndimension = 2.0'),
            case(
                "objective[0]: condition_number = 3 needs dimension >= 2: with dimension = 1 there is one curvature, so "
                "condition_number must be 1",
                objective='name = "quadratic"\ncondition_number = { values = [1, 3] }',
            ),
            case(
                "optimizer[0].max_norm: must be a number > 0 or absent, not 'inf'",
                optimizer='name = "clipped_gradient_descent"\nmax_norm = "inf"',
            ),
            rated('"fast"', f"{RATE} 'fast'"),
            rated("true", f"{RATE} true"),
            rated("-0.1", f"{RATE} -0.1"),
            rated("nan", f"{RATE} nan"),
            rated("inf", "must be a number > 0, and finite, not inf"),
            rated("{ values = [0.1, -inf] }", "must be a number > 0, and finite, not -inf"),
            rated(HUGE, "the number is too large"),
            rated("[0.1, 0.2]", f"{RATE} [0.1, 0.2]; a sweep is written {{ values = [...] }}"),
        ],
    )
    def test_names_and_parameters(self, refused, text: str, problems: list[str]):
        refused(text, *problems)

    def test_an_unknown_name_with_nothing_close_gets_the_list(self, refused):
        names = ", ".join(offer.name for offer in Registry().offers() if offer.kind == "objective")
        refused(experiment(objective='name = "zzz"'), f"objective[0].name: there is no objective 'zzz'; allowed: {names}")

    @pytest.mark.parametrize(
        ("text", "problems"),
        [
            rated("{ values = [] }", "the sweep is empty; values must hold at least one value"),
            rated("{ values = 3 }", f"{SWEEP} values"),
            rated("{ values = [1], num = 2 }", f"{SWEEP} num, values"),
            rated("{ value = [1] }", f"{SWEEP} value"),
            rated("{}", f"{SWEEP} (none)"),
            rated("{ linspace = [1, 2] }", f"{SWEEP} linspace"),
            rated("{ linspace = [1, 2], nmu = 5 }", f"{SWEEP} linspace, nmu"),
            rated("{ linspace = [1], num = 3 }", "linspace must be a list of two finite numbers, not [1]"),
            rated("{ linspace = 3, num = 3 }", "linspace must be a list of two finite numbers, not 3"),
            rated("{ linspace = [1, 'a'], num = 3 }", "linspace must be a list of two finite numbers, not [1, 'a']"),
            rated("{ linspace = [1, inf], num = 3 }", "linspace must be a list of two finite numbers, not [1, inf]"),
            rated(
                f"{{ linspace = [1, {HUGE}], num = 3 }}",
                f"linspace must be a list of two finite numbers, not [1, {HUGE[:53]}...",
            ),
            rated("{ linspace = [1, 2], num = 0 }", "num must be a whole number from 1 to 1,000,000, not 0"),
            rated("{ linspace = [1, 2], num = 2.0 }", "num must be a whole number from 1 to 1,000,000, not 2.0"),
            rated("{ logspace = [1, 2], num = 1000001 }", "num must be a whole number from 1 to 1,000,000, not 1000001"),
            rated("{ logspace = [1, 2], num = true }", "num must be a whole number from 1 to 1,000,000, not true"),
            rated(
                "{ logspace = [-3, 0], num = 4 }",
                "logspace must run between two numbers > 0 (the values, not their exponents), not [-3, 0]",
            ),
            rated("{ linspace = [-1, 1], num = 5 }", f"{RATE} -1.0", f"{RATE} -0.5", f"{RATE} 0.0"),
            rated("{ values = [0.1, 'a', 0, [1]] }", f"{RATE} 'a'", f"{RATE} 0", f"{RATE} [1]"),
        ],
    )
    def test_sweeps(self, refused, text: str, problems: list[str]):
        refused(text, *problems)

    @pytest.mark.parametrize(
        ("groups", "problem"),
        [
            ("[['learning_rate', 'max_nrom']]", "zip names 'max_nrom', which is not set here; it may name learning_rate, max_norm"),
            ("[['learning_rate', 'max_value']]", "zip names 'max_value', which is not set here; it may name learning_rate, max_norm"),
            ("[['learning_rate', 'max_norm']]", "parameters that are zipped need equally many values, but learning_rate has 2, "
                                                "max_norm has 3"),
            ("[['learning_rate', 'learning_rate']]", "zip names 'learning_rate' more than once"),
            ("[['learning_rate'], ['learning_rate']]", "zip names 'learning_rate' more than once"),
            ("['learning_rate', 'max_norm']", f"{ZIP} ['learning_rate', 'max_norm']"),
            ("[['learning_rate', 3]]", f"{ZIP} [['learning_rate', 3]]"),
            ("true", f"{ZIP} true"),
        ],
    )  # fmt: skip
    def test_zip(self, refused, groups: str, problem: str):
        swept = "learning_rate = { values = [0.1, 0.2] }\nmax_norm = { values = [1, 2, 3] }"
        refused(experiment(optimizer=f'name = "clipped_gradient_descent"\n{swept}\nzip = {groups}'), f"optimizer[0]: {problem}")

    @pytest.mark.parametrize(
        ("data", "problem"),
        [
            (None, "cannot be read: No such file or directory"),
            (b"1,2\n3,4,5\n", ", line 2: 3 columns, where the first line has 2"),
            (b"a,b\n1,x\n", ", line 2: 'x' is not a finite number"),
            (b"1,inf\n", ", line 1: 'inf' is not a finite number"),
            (b"1\n2\n", ", line 1: there must be at least two columns, features and then y, not 1"),
            (b"x,y\n", "holds no line of numbers"),
            (b"", "holds no line of numbers"),
            (b"1,\xff\n", "is not a CSV file in UTF-8: 'utf-8' codec can't decode byte 0xff in position 2: invalid start byte"),
        ],
    )
    def test_data_that_cannot_be_read(self, tmp_path, refused, data: bytes | None, problem: str):
        if data is not None:
            (tmp_path / "data.csv").write_bytes(data)
        path = "data.csv" if problem.startswith(",") else "data.csv: "
        refused(experiment(objective='name = "linear_regression"\ncsv = "data.csv"'), f"objective[0]: {path}{problem}")

    def test_data_beside_what_makes_it_up(self, write, refused):
        write("1,2\n3,4\n", "data.csv")
        refused(
            experiment(objective='name = "linear_regression"\ncsv = "data.csv"\nsamples = 3\nseed = 1'),
            "objective[0]: samples and seed cannot be given with csv, whose file decides the data",
        )


def started(start: str, *problems: str) -> ParameterSet:
    """Starts for an objective in two dimensions, and what is wrong with them."""
    return case(*(f"start{problem}" for problem in problems), start=start, objective='name = "quadratic"\ndimension = 2')


class TestStarts:
    @pytest.mark.parametrize(
        ("text", "problems"),
        [
            started("", f": {START} empty"),
            started("unifrom = {}", f": {START} unifrom"),
            started("points = [1.0]\nnormal = {}", f": {START} normal, points"),
            started("points = []", ".points: must be a list of at least one point, not []"),
            started("points = 3", ".points: must be a list of at least one point, not 3"),
            started("points = [[1, 2], [1]]", f".points[1]: has 1 {COORDINATES}"),
            started("points = [[1, 2, 3]]", f".points[0]: has 3 {COORDINATES}"),
            started("points = ['a']", f".points[0]: {FINITE} 'a'"),
            started("points = [[1, inf]]", f".points[0]: {FINITE} inf"),
            started("points = [true]", f".points[0]: {FINITE} true"),
            started(f"points = [{HUGE}]", f".points[0]: {FINITE} {HUGE[:57]}..."),
            started("uniform = 3", ".uniform: must be a table with low, high, count, seed, not 3"),
            started("uniform = { sede = 1 }", ".uniform.sede: there is no such key; allowed: low, high, count, seed"),
            started("uniform = { low = 1, high = 0 }", ".uniform: low must not lie above high, but 1 > 0"),
            started("uniform = { low = 5 }", ".uniform: low must not lie above high, but 5 > 3.0"),
            started("uniform = { low = [0, 0], high = [1, -1] }", ".uniform: low must not lie above high, but [0, 0] > [1, -1]"),
            started("uniform = { low = [0] }", f".uniform.low: has 1 {COORDINATES}"),
            started("uniform = { high = 'a' }", f".uniform.high: {FINITE} 'a'"),
            started("uniform = { count = 0 }", f".uniform.count: {WHOLE} 0"),
            started("uniform = { count = 2.0 }", f".uniform.count: {WHOLE} 2.0"),
            started("uniform = { count = true }", f".uniform.count: {WHOLE} true"),
            started("uniform = { seed = -1 }", ".uniform.seed: must be a whole number >= 0, not -1"),
            started(
                "uniform = { count = 1000000000000000 }", ".uniform.count: 1,000,000,000,000,000 points do not fit into memory"
            ),
            started(
                "uniform = { low = -1e308, high = 1e308 }",
                ": the points are not all finite numbers; choose smaller bounds, or a smaller spread",
            ),
            started("normal = { low = 1 }", ".normal.low: there is no such key; allowed: mean, std, count, seed"),
            started("normal = { mean = [1, 2, 3] }", f".normal.mean: has 3 {COORDINATES}"),
            started("normal = { std = -1 }", ".normal.std: must be >= 0, not -1"),
            started("normal = { seed = 0.5 }", ".normal.seed: must be a whole number >= 0, not 0.5"),
            started(
                "initialisation = {}",
                ".initialisation: objective quadratic does not draw starts itself; use uniform, normal or points",
            ),
        ],
    )
    def test_starts(self, refused, text: str, problems: list[str]):
        refused(text, *problems)

    def test_points_that_no_memory_holds(self, refused):
        refused(
            experiment(objective=f'name = "quadratic"\ndimension = {10**18}'),
            "start: the points do not fit into memory, for the objective has dimension 1,000,000,000,000,000,000",
        )

    def test_objectives_of_other_dimensions_are_told_each(self, refused):
        objectives = 'name = "quadratic"\ndimension = { values = [1, 2, 3] }'
        expected = "coordinates, but the objective has dimension"
        refused(
            experiment(objective=objectives, start="points = [[1.0, 2.0]]"),
            f"start.points[0]: has 2 {expected} 1; give 1, or one number for all",
            f"start.points[0]: has 2 {expected} 3; give 3, or one number for all",
        )


def ended(end: str, *problems: str) -> ParameterSet:
    return case(*problems, end=end)


class TestOtherTables:
    STOP = "allowed: max_steps, gradient_norm, gap, step_length, divergence_limit, wall_time"
    DROP = "must say what to drop: a plugin's name, or a table with values of its parameters"

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
            ended("[[exclude]]", "exclude[0]: must name what to drop, by objective, gradient, optimizer"),
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
            ended("[execution]\nworkers = 2", "execution.workers: serial has no such parameter; there are none"),
            ended('[execution]\nname = "serial"', "execution.name: there is no such key; did you mean executor?"),
            ended(
                '[execution]\nexecutor = { values = ["serial"] }',
                "execution.executor: must be the name of a plugin, not {'values': ['serial']}",
            ),
            ended("[report]\nfigures = 'outcomes'", "report.figures: must be a list of figures' names, not 'outcomes'"),
            ended("[report]\nfigure = []", "report.figure: there is no such key; allowed: figures"),
        ],
    )
    def test_tables(self, refused, text: str, problems: list[str]):
        refused(text, *problems)

    def test_a_gap_to_a_minimum_that_no_objective_knows(self, write, refused):
        write(PLUGIN, "my.py")
        text = experiment(top='plugins = ["my.py"]', objective='name = "bowl"', end="[stop]\ngap = 1e-6")
        refused(text, "stop.gap: none of the objectives knows its minimum; use gradient_norm instead")

    def test_starts_that_the_objective_says_nothing_of(self, write, refused):
        write(PLUGIN, "my.py")
        text = experiment(top='plugins = ["my.py"]', objective='name = "bowl"', start="uniform = { count = 3 }")
        refused(text, "start.uniform: needs low and high, because the objective has no start_region")

    def test_an_executor_has_one_setting(self, write, refused):
        write(EXECUTOR, "my.py")
        end = '[execution]\nexecutor = "several"\nworkers = { values = [1, 2] }'
        refused(
            experiment(top='plugins = ["my.py"]', end=end),
            "execution: an experiment has one executor; its parameters cannot be swept",
        )


class TestOverrides:
    FORM = "must have the form path.to.key=value"

    @pytest.mark.parametrize(
        ("assignment", "problem"),
        [
            ("stop", f"--set stop: {FORM}"),
            ("=3", f"--set =3: {FORM}"),
            ("name=", f"--set name=: {FORM}"),
            ("name= ", f"--set name= : {FORM}"),
            ("stop..gap=1", f"--set stop..gap=1: {FORM}"),
            ("optimizer.0.learning_rate=a,", f"--set optimizer.0.learning_rate=a,: {FORM}"),
            ("optimizer=3", "--set optimizer=3: must have the form optimizer.NAME.parameter=value"),
            (
                "optimizer.gradient_descent=3",
                "--set optimizer.gradient_descent=3: must have the form optimizer.NAME.parameter=value",
            ),
            (
                "optimizer.0.learning_rate.values=3",
                f"optimizer[0].learning_rate: {SWEEP} values",
            ),
            (
                "optimizer.newton.floor=1",
                "--set optimizer.newton.floor=1: the experiment has no optimizer 'newton'; it has: gradient_descent",
            ),
            ("optimizer.1.floor=1", "--set optimizer.1.floor=1: the experiment has no optimizer '1'; it has: gradient_descent"),
            ("optimizer.².floor=1", "--set optimizer.².floor=1: the experiment has no optimizer '²'; it has: gradient_descent"),
            ("stop.max_steps.x=3", "--set stop.max_steps.x=3: stop.max_steps is not a table"),
            ("optimizer.0.floor=1", "optimizer[0].floor: gradient_descent has no such parameter; allowed: learning_rate"),
            ("stp.max_steps=3", "stp: there is no such key; did you mean stop?"),
            ("stop.max_step=3", "stop.max_step: [stop] has no such key; did you mean max_steps?"),
            ("stop.max_steps=3,4", f"stop.max_steps: {WHOLE} [3, 4]"),
            ("name=a b", f"name: {TestKeys.NAME} 'a b'"),
        ],
    )
    def test_overrides(self, refused, assignment: str, problem: str):
        refused(experiment(), problem, options=("--set", assignment))

    def test_a_list_with_a_wrong_word_names_the_word(self, refused):
        refused(experiment(), f"optimizer[0].learning_rate: {RATE} 'b'", options=("--set", "optimizer.0.learning_rate=0.1,'b'"))

    def test_a_file_that_holds_none(self, refused):
        refused(
            'optimizer = "newton"',
            "--set optimizer.0.floor=1: the experiment has no optimizer '0'; it has: none",
            options=("--set", "optimizer.0.floor=1"),
        )


class TestDatabases:
    @pytest.fixture
    def rejected(self, tmp_path: Path, call: Callable[..., Done], write: Callable[..., Path]) -> Callable[[str, str], None]:
        def check(database: str, problem: str) -> None:
            write(experiment())
            before = folder_contents(tmp_path)
            done = call("run", "small.toml", "--db", database, "--no-report", "--quiet")
            assert done == Done(4, "", f"error: database {database}: {problem}\n")
            assert folder_contents(tmp_path) == before

        return check

    @pytest.mark.parametrize("text", ["hello, this is no database", "hi"])
    def test_a_text(self, write, rejected, text: str):
        write(text, "text.db")
        rejected("text.db", "is not an SQLite database; name another file")

    def test_a_folder(self, tmp_path, rejected):
        (tmp_path / "folder").mkdir()
        rejected("folder", "cannot be read: Is a directory")

    def test_a_path_through_a_file(self, rejected):
        rejected("small.toml/r.db", "cannot be read: Not a directory")

    def test_memory(self, rejected):
        rejected(":memory:", "results are kept in a file; give its path")

    def test_no_such_kind_of_database(self, rejected):
        rejected("mysql://host/name", f"mysql is not supported; {SUPPORTED}")

    @pytest.mark.parametrize("url", ["postgresql://host/name", "postgresql+psycopg://host/name"])
    def test_a_server_without_its_driver(self, rejected, monkeypatch, url):
        monkeypatch.setitem(sys.modules, "psycopg", None)
        cause = "import of psycopg halted; None in sys.modules"
        rejected(url, f"its driver cannot be loaded ({cause}); {INSTALL}")

    def test_another_driver_that_is_not_there(self, rejected):
        advice = f"write postgresql+psycopg://..., and {INSTALL}"
        rejected("postgresql+pg8000://host/name", f"its driver cannot be loaded (No module named 'pg8000'); {advice}")

    @pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder that not even root may write into")
    def test_a_folder_that_cannot_be_written(self, rejected):
        rejected(
            "/proc/r.db",
            "cannot be created: unable to open database file; look whether the file and its folder may be read and written",
        )

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
    def test_a_read_only_folder(self, tmp_path, rejected):
        (tmp_path / "closed").mkdir(mode=0o500)
        rejected("closed/r.db", "cannot be created: unable to open database file")


VALUE = "return (x * x).sum(axis=-1)"
STEP = "return point.x - self.step_size * point.gradient, memory"
PLUGIN = f'''
from dataclasses import dataclass

from runner import GradientBackend, Minimum, Objective, Optimizer, hookimpl, parameter


@dataclass(frozen=True)
class Bowl(Objective):
    """x²."""

    dimension = 1

    def value(self, x):
        {VALUE}

    def gradient(self, x):
        return 2 * x


@dataclass(frozen=True)
class Walk(Optimizer):
    """Gradient descent."""

    step_size: float = parameter(0.1, above=0)

    def step(self, point, memory):
        {STEP}


@dataclass(frozen=True)
class Back(GradientBackend):
    """The objective's own gradient."""

    def gradient(self, objective, x):
        return objective.gradient(x)


@hookimpl
def runner_objectives():
    return {{"bowl": Bowl}}


@hookimpl
def runner_optimizers():
    return {{"walk": Walk}}


@hookimpl
def runner_gradients():
    return {{"back": Back}}
'''
EXECUTOR = '''
from dataclasses import dataclass

from runner import Executor, hookimpl, parameter


@dataclass(frozen=True)
class Several(Executor):
    """One batch after another."""

    workers: int = parameter(1, at_least=1)

    def map(self, function, items, limit):
        return map(function, items)


@hookimpl
def runner_executors():
    return {"several": Several}
'''
HOOK = 'return {"bowl": Bowl}'
ANNOTATION = (
    "a parameter is annotated float, int, bool, str, Path, Literal[...], tuple[float, ...], tuple[int, ...], one of these | None, "
    "or the class of a kind of plugin"
)


def line_of(source: str, text: str) -> int:
    return source[: source.index(text)].count("\n") + 1


class TestBrokenPlugins:
    LOCAL = experiment(top='plugins = ["my.py"]', objective='name = "bowl"', gradient='name = "back"', optimizer='name = "walk"')

    @pytest.fixture
    def unusable(
        self, write: Callable[..., Path], refused: Callable[..., None], call: Callable[..., Done]
    ) -> Callable[..., None]:
        """Write a plugin file that cannot be used, and compare what is said of it."""
        known: dict[str, list[str]] = {}
        for offer in Registry().offers():
            known.setdefault(offer.kind, []).append(offer.name)
        absent = [
            f"{kind}[0].name: there is no {kind} {name!r}, unless my.py, which cannot be loaded, offers it; "
            f"allowed: {', '.join(known[kind])}"
            for kind, name in (("objective", "bowl"), ("gradient", "back"), ("optimizer", "walk"))
        ]

        def check(source: str, problem: str) -> None:
            write(source, "my.py")
            refused(self.LOCAL, f"plugins[0]: my.py{problem}", *absent)

        return check

    def test_the_plugin_is_sound_before_it_is_broken(self, write, call):
        write(PLUGIN, "my.py")
        write(self.LOCAL, "sound.toml")
        assert call("run", "sound.toml", "--quiet", "--no-report") == Done(0, "", "")

    @pytest.mark.parametrize(
        ("file", "problem"),
        [
            ("missing.py", "missing.py: cannot be read: No such file or directory"),
            ("my.txt", "my.txt: a plugin file ends in .py"),
            ("folder.py", "folder.py: cannot be read: Is a directory"),
        ],
    )
    def test_no_plugin_file(self, tmp_path, write, refused, file: str, problem: str):
        write("", "my.txt")
        (tmp_path / "folder.py").mkdir()
        refused(experiment(top=f'plugins = ["{file}"]'), f"plugins[0]: {problem}")

    def test_a_plugin_file_named_twice(self, write, refused):
        write(PLUGIN, "my.py")
        refused(experiment(top='plugins = ["my.py", "my.py"]'), "plugins[1]: my.py: it is named twice")

    @pytest.mark.parametrize(
        ("source", "problem"),
        [
            (
                "import os\nimport nope_nope",
                ", line 2: cannot be loaded: ModuleNotFoundError: No module named 'nope_nope'; install what brings it, perhaps with "
                "python -m pip install nope_nope",
            ),
            ("1 / 0", ", line 1: cannot be loaded: ZeroDivisionError: division by zero"),
            ("raise SystemExit(0)", ", line 1: cannot be loaded: SystemExit: 0"),
            ("", ": it implements no hook; mark one with @runner.hookimpl, e.g. runner_objectives"),
            (PLUGIN.replace("@hookimpl", ""), ": it implements no hook; mark one with @runner.hookimpl, e.g. runner_objectives"),
            (
                PLUGIN.replace("def runner_objectives", "def runner_objectivs"),
                ": there is no hook runner_objectivs; did you mean runner_objectives?",
            ),
            (
                PLUGIN.replace("def runner_objectives()", "def runner_objectives(config)"),
                ": runner_objectives must take no arguments, as in def runner_objectives():",
            ),
            (PLUGIN.replace(HOOK, "return [Bowl]"), ": runner_objectives must return a mapping from name to class, not list"),
            (PLUGIN.replace(HOOK, "pass"), ": runner_objectives must return a mapping from name to class, not NoneType"),
            (
                PLUGIN.replace(HOOK, "return {3: Bowl}"),
                ": runner_objectives must return a mapping from name to class, but 3 is not a string",
            ),
            (
                PLUGIN.replace(HOOK, "return {'bowl': 1 / 0}"),
                f", line {line_of(PLUGIN, HOOK)}: cannot be loaded: ZeroDivisionError: division by zero",
            ),
            (
                PLUGIN.replace(HOOK, "return {'bowl': Walk}"),
                ": runner_objectives offers 'bowl', which is not a class derived from runner.Objective",
            ),
            (
                PLUGIN.replace(HOOK, "return {'bowl': Bowl()}"),
                ": runner_objectives offers 'bowl', which is not a class derived from runner.Objective",
            ),
            (PLUGIN.replace("def value", "def valeu"), ": objective 'bowl' does not implement value"),
            (
                PLUGIN.replace("    dimension = 1", "    c: list = parameter(None)\n    dimension = 1"),
                f": Bowl.c: {ANNOTATION}, not <class 'list'>",
            ),
            (
                PLUGIN.replace("    dimension = 1", "    c: complex = parameter(1j)\n    dimension = 1"),
                f": Bowl.c: {ANNOTATION}, not <class 'complex'>",
            ),
            (
                PLUGIN.replace("    dimension = 1", "    c: 'Flaot' = parameter(1.0)\n    dimension = 1"),
                ": cannot be loaded: NameError: name 'Flaot' is not defined",
            ),
            (PLUGIN.replace("frozen=True", "frozen=False"), ": Bowl must be decorated with @dataclass(frozen=True)"),
            (PLUGIN.replace("@dataclass(frozen=True)", ""), ": Bowl must be decorated with @dataclass(frozen=True)"),
            (
                PLUGIN.replace("step_size", "name"),
                ": optimizer 'walk': no parameter can be called 'name', which experiments use otherwise",
            ),
            (
                PLUGIN.replace("    step_size:", "    needs = ('gradient', 'hesian')\n    step_size:"),
                ": optimizer 'walk': needs must be a tuple of 'gradient', 'hessian', 'jacobian', not ('gradient', 'hesian')",
            ),
            (
                PLUGIN.replace("    step_size:", "    needs = 'gradient'\n    step_size:"),
                ": optimizer 'walk': needs must be a tuple of 'gradient', 'hessian', 'jacobian', not 'gradient'",
            ),
        ],
    )
    def test_it_cannot_be_loaded(self, unusable, source: str, problem: str):
        unusable(source, problem)

    def test_a_syntax_error(self, tmp_path, write, call):
        write("import os\ndef f(:\n    pass", "my.py")
        write(self.LOCAL, "bad.toml")
        done = call("run", "bad.toml")
        first = done.err.partition("\n")[0]
        # The words are the interpreter's.
        pattern = r"error: bad\.toml: plugins\[0\]: my\.py: cannot be loaded: SyntaxError: [^\n]+ \(my\.py, line 2\)"
        assert re.fullmatch(pattern, first)
        assert (done.code, list(folder_contents(tmp_path))) == (2, ["bad.toml", "my.py"])

    @pytest.mark.parametrize(
        ("old", "new", "problem"),
        [
            ("dimension = 1", "dimension = '1'", "objective[0]: its dimension must be a whole number >= 1, not '1'"),
            ("dimension = 1", "dimension = 0", "objective[0]: its dimension must be a whole number >= 1, not 0"),
            (
                "dimension = 1",
                "dimension = 1\n    start_region = 3.0",
                "objective[0]: its start_region must be a tuple of the lowest and highest start, not 3.0",
            ),
            (
                "dimension = 1",
                "dimension = property(lambda self: 1 // 0)",
                "objective[0]: bowl cannot be made: ZeroDivisionError: integer division or modulo by zero",
            ),
            (
                "dimension = 1",
                "dimension = 1\n    def validate(self): raise ValueError('c must not exceed d')",
                "objective[0]: c must not exceed d",
            ),
            (
                "dimension = 1",
                "dimension = 1\n    def validate(self): open('missing')",
                "objective[0]: bowl cannot be made: FileNotFoundError: [Errno 2] No such file or directory: 'missing'",
            ),
            (
                "dimension = 1",
                "dimension = 1\n    def __post_init__(self): raise KeyError('c')",
                "objective[0]: bowl cannot be made: KeyError: 'c'",
            ),
            (
                "parameter(0.1, above=0)",
                "parameter(-0.1, above=0)",
                "optimizer[0]: the default of walk's step_size must be a number > 0, not -0.1",
            ),
            ("parameter(0.1, above=0)", "parameter(above=0)", "optimizer[0]: walk needs step_size, a number > 0"),
        ],
    )
    def test_it_cannot_be_made(self, write, refused, old: str, new: str, problem: str):
        assert old in PLUGIN
        write(PLUGIN.replace(old, new), "my.py")
        refused(self.LOCAL, problem)

    @pytest.mark.parametrize(
        ("old", "new", "problem"),
        [
            (VALUE, "raise RuntimeError('no value')", "RuntimeError: no value"),
            (
                VALUE,
                "return (x * x).sum(axis=-1).astype('f4')",
                "Bowl.value returned an array of shape (1,) and type float32 for x of shape (1, 1); it must return a float64 array "
                "of shape (1,)",
            ),
            (
                VALUE,
                "return 1.0",
                "Bowl.value returned float 1.0 for x of shape (1, 1); it must return a float64 array of shape (1,)",
            ),
            (VALUE, "return (x * x).sum(axis=-1) * float('nan')", "Bowl.value returned nan at the start x = [1.]"),
            ("return 2 * x", "return x / 0", "Back.gradient returned inf at the start x = [1.]"),
            (
                "return 2 * x",
                "return x[:, 0]",
                "Back.gradient returned an array of shape (1,) and type float64 for x of shape (1, 1); it must return a float64 "
                "array of shape (1, 1)",
            ),
            (
                STEP,
                "return point.x[:, 0], memory",
                "Walk.step returned an iterate of shape (1,) and type float64 from x of shape (1, 1); it must return a float64 "
                "array of shape (1, 1)",
            ),
            (
                STEP,
                "return point.x.astype('f4'), memory",
                "Walk.step returned an iterate of shape (1, 1) and type float32 from x of shape (1, 1); it must return a float64 "
                "array of shape (1, 1)",
            ),
            (STEP, "point.x[:] = 0.0; return point.x, memory", "ValueError: assignment destination is read-only"),
            (
                "    def step(",
                "    def init(self, x): raise RuntimeError('no memory')\n    def step(",
                "RuntimeError: no memory",
            ),
        ],
    )
    def test_it_cannot_take_a_step(self, write, refused, old: str, new: str, problem: str):
        write(PLUGIN.replace(old, new), "my.py")
        refused(self.LOCAL, f"bowl × back × walk: none of its 1 runs can take a step: {problem}", code=3)

    def test_a_backend_that_cannot_say_what_it_serves(self, write, refused):
        write(
            PLUGIN.replace("    def gradient(self, objective, x)", "    def refusal(self, objective, quantity): return 1 // 0\n"
                           "    def gradient(self, objective, x)"), "my.py"
        )  # fmt: skip
        refused(
            self.LOCAL,
            "gradient backend back cannot say whether it serves objective bowl: ZeroDivisionError: integer division or modulo by zero",
            code=3,
        )

    def test_a_name_that_is_taken(self, write, refused):
        write(PLUGIN.replace('"bowl"', '"quadratic"'), "my.py")
        refused(
            experiment(top='plugins = ["my.py"]'),
            "objective[0].name: objective 'quadratic' is offered by my.py and gradient-runner:quadratic; uninstall or rename one of "
            "them",
        )
