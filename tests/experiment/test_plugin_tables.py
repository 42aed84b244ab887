"""Mistakes in the tables that name plugins and their parameters."""

from __future__ import annotations

import pytest

from runner.registry.registry import Registry
from tests.support.refused_experiments import RATE, SWEEP, WHOLE, case, experiment, rated

ZIP = "zip must be a list of lists of parameters, e.g. [['learning_rate', 'max_norm']], not"
HUGE = "1" + 400 * "0"


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
                "execution.executor: there is no executor 'serail'; did you mean serial?", end='[execution]\nexecutor = "serail"'
            ),
            case("objective[0].name: is missing", objective="dimension = 2"),
            case("objective[0].name: must be the name of a plugin, not 3", objective="name = 3"),
            case("execution.executor: must be the name of a plugin, not 3", end="[execution]\nexecutor = 3"),
            case("gradient[0].zz: analytic has no such parameter; none are allowed", gradient='name = "analytic"\nzz = 1'),
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

    def test_unknown_name_without_a_close_match_gets_the_list(self, refused):
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
                f"{{ linspace = [1, {HUGE}], num = 3 }}", f"linspace must be a list of two finite numbers, not [1, {HUGE[:53]}..."
            ),
            rated("{ linspace = [1, 2], num = 0 }", "num must be a whole number from 1 to 1,000,000, not 0"),
            rated("{ linspace = [1, 2], num = 2.0 }", "num must be a whole number from 1 to 1,000,000, not 2.0"),
            rated("{ logspace = [1, 2], num = 1000001 }", "num must be a whole number from 1 to 1,000,000, not 1000001"),
            rated("{ logspace = [1, 2], num = true }", "num must be a whole number from 1 to 1,000,000, not true"),
            rated(
                "{ logspace = [-3, 0], num = 4 }",
                "logspace must run between two numbers > 0 (values, not exponents), not [-3, 0]",
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
            ("[['learning_rate', 'max_norm']]", "parameters that are zipped need the same number of values, but learning_rate has 2, "
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

    def test_data_file_together_with_parameters_of_generated_data(self, write, refused):
        write("1,2\n3,4\n", "data.csv")
        refused(
            experiment(objective='name = "linear_regression"\ncsv = "data.csv"\nsamples = 3\nseed = 1'),
            "objective[0]: samples and seed cannot be given with csv, whose file decides the data",
        )
