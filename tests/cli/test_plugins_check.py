"""`runner plugins check` and `show`: a line for each check, whatever the plugin does, and what there is to know of a plugin."""

from __future__ import annotations

import re
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.errors import RunnerError
from runner.registry.registry import Registry
from runner.testing import check_figure, checks
from runner.testing.check import FAILED, OK, SKIPPED, Check, Finding
from runner.testing.child import Question, Subject, answers, examine
from runner.testing.samples import Hills
from runner_plugins.executors.serial import Serial
from runner_plugins.figures.outcomes import Outcomes
from runner_plugins.gradients.analytic import Analytic
from runner_plugins.objectives.sin_quadratic import SinQuadratic
from runner_plugins.optimizers.gradient_descent import GradientDescent
from tests.support.command_line import Done
from tests.support.paths import ROOT

BOWL = '''\
import os
import time
from dataclasses import dataclass
import numpy as np
import runner

@dataclass(frozen=True)
class Bowl(runner.Objective):
    """f(x) = s Σ xᵢ²."""
    s: float = runner.parameter(1.0, above=0, doc="steepness")
    dimension = 2
    def value(self, x):
        return (self.s * x * x).sum(axis=-1)

@runner.hookimpl
def runner_objectives():
    return {"test_bowl": Bowl}
'''
VALUE = "return (self.s * x * x).sum(axis=-1)"
HEAD = (
    "ok       loads\nobjective test_bowl, from bowl.py\nok       name\nok       made\nok       docstring\nok       parameters\n"
)
SOUND = [OK, SKIPPED]


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Write a plugin file, and return what its checks find wrong in this process."""

    def find(source: str, *values: str) -> list[str]:
        (tmp_path / "bowl.py").write_text(source, encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        question = Question("bowl.py", values=values)
        return [str(each) for each in answers(question) if isinstance(each, Finding) and each.verdict == FAILED]

    return find


def changed(*changes: str) -> str:
    source = BOWL
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        assert old in source
        source = source.replace(old, new)
    return source


class TestAsAProcess:
    def test_a_sound_file(self, write, runner_cli):
        write(BOWL, "bowl.py")
        done = runner_cli("plugins", "check", "bowl.py")
        assert done == Done(
            0,
            f"{HEAD}ok       validate\nok       domain\nok       shapes\nok       purity\nok       batch\nok       sweeps\n"
            "skipped  gradient: because it offers no gradient\nskipped  complex step: because it offers no gradient\n"
            "skipped  Hessian: because it offers no Hessian\nskipped  residuals: because it offers no residuals with their Jacobian\n"
            "skipped  shared work: because it offers no shared work for value and gradient\nskipped  minimum: because it offers no minimum\n"
            "skipped  curvature bounds: because it offers no curvature bounds\n"
            "skipped  starts: because it offers no starts of its own\n"
            "skipped  layers: because it offers no layers\n"
            "skipped  data: because it offers no data with predictions\n"
            "11 ok, 0 failed, 10 skipped\n",
            "",
        )

    def test_one_that_never_returns(self, write, call):
        write(changed(VALUE, "time.sleep(1000)"), "bowl.py")
        done = call("plugins", "check", "bowl.py", "--timeout", "4")
        last = "failed   shapes: it does not return within 4 s (--timeout); the checks behind it were not run\n"
        assert done == Done(3, f"{HEAD}ok       validate\nok       domain\n{last}7 ok, 1 failed, 0 skipped\n", "")

    @pytest.mark.parametrize(
        ("death", "words"),
        [
            ("os.kill(os.getpid(), 9)", "killed by SIGKILL"),
            pytest.param("os._exit(7)", "exit code 7", marks=pytest.mark.slow),
            pytest.param("raise SystemExit(5)", "exit code 5", marks=pytest.mark.slow),
        ],
    )
    def test_one_that_ends_its_process(self, write, call, death: str, words: str):
        write(changed(VALUE, death), "bowl.py")
        done = call("plugins", "check", "bowl.py")
        last = f"failed   shapes: it ends its process: {words}; the checks behind it were not run"
        assert (done.code, done.err, done.out.splitlines()[-2:]) == (3, "", [last, "7 ok, 1 failed, 0 skipped"])

    def test_one_that_never_returns_from_its_import(self, write, call):
        write(changed("@runner.hookimpl", "time.sleep(1000)\n@runner.hookimpl"), "bowl.py")
        done = call("plugins", "check", "bowl.py", "--timeout", "2")
        told = "failed   loads: it does not return within 2 s (--timeout); the checks behind it were not run\n"
        assert done == Done(3, f"{told}0 ok, 1 failed, 0 skipped\n", "")

    def test_what_it_prints_is_kept_apart(self, write, runner_cli):
        write(changed(VALUE, f"print('hello')\n        {VALUE}"), "bowl.py")
        done = runner_cli("plugins", "check", "bowl.py")
        assert done.code == 0
        assert "hello" not in done.out
        assert "hello" in done.err


class TestOptions:
    @pytest.mark.parametrize(
        ("arguments", "code", "error"),
        [
            (("gradient_decent",), 2, "there is no plugin 'gradient_decent'; did you mean gradient_descent?"),
            (("adam", "--kind", "figure"), 2, "there is no figure 'adam'; allowed: basins, "),
            (("none.py",), 2, "none.py: cannot be read: No such file or directory"),
            (("adam", "--set", "rate=1"), 2, "--set rate=1: adam has no such parameter; allowed: "),
            (("adam", "--set", "learning_rat=1"), 2, "--set learning_rat=1: adam has no such parameter; did you mean learning_rate?"),
            (("adam", "--set", "learning_rate=-1"), 2, "--set learning_rate=-1: must be a number > 0, not -1"),
            (("adam", "--set", "learning_rate=fast"), 2, "--set learning_rate=fast: must be a number > 0, not 'fast'"),
            (("adam", "--set", "learning_rate"), 2, "--set learning_rate: must have the form parameter=value"),
            (("free.py",), 2, "--set s=...: is missing: test_bowl needs s, a number > 0"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_said(self, tmp_path, monkeypatch, write, arguments: tuple[str, ...], code: int, error: str):
        write(changed("runner.parameter(1.0, above", "runner.parameter(above"), "free.py")
        monkeypatch.chdir(tmp_path)
        name, *options = arguments
        values = tuple(options[1:]) if options[:1] == ["--set"] else ()
        kind: Any = options[1] if options[:1] == ["--kind"] else None
        with pytest.raises(RunnerError) as refusal:
            list(answers(Question(name, kind, values)))
        assert str(refusal.value).startswith(error)
        assert refusal.value.exit_code == code

    def test_the_command_line_says_it_too(self, call):
        done = call("plugins", "check", "adam", "--kind", "optimizer", "--set", "learning_rate=-1")
        assert done == Done(2, "", "error: --set learning_rate=-1: must be a number > 0, not -1\n")

    def test_a_parameter_without_default_can_be_given(self, found):
        free = changed("runner.parameter(1.0, above", "runner.parameter(above")
        assert found(free, "s=2.0") == []

    def test_a_plugin_that_wraps_another_is_checked_around_a_simple_one(self):
        verdicts = {each.check: each.verdict for each in answers(Question("clipped")) if isinstance(each, Finding)}
        assert set(verdicts.values()) == {OK}

    @pytest.mark.parametrize("name", ["sin_quadratic", "newton", "complex_step", "serial"])
    def test_plugins_that_are_installed_pass(self, name: str):
        found = list(answers(Question(name)))
        assert [each for each in found if isinstance(each, Finding) and each.verdict not in SOUND] == []
        assert [each.name for each in found if isinstance(each, Subject)] == [name]


def failed(check: str, text: str) -> str:
    return f"failed   {check}: {text}"


class TestBrokenPlugins:
    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            (
                ("import os", "import nope_nope"),
                "bowl.py, line 1: cannot be loaded: ModuleNotFoundError: No module named 'nope_nope'; install what brings it, perhaps "
                "with python -m pip install nope_nope",
            ),
            (("import os", "import runner.nope"), "bowl.py, line 1: cannot be loaded: ModuleNotFoundError: No module named 'runner.nope'"),
            (("runner_objectives", "runner_objektives"), "bowl.py: there is no hook runner_objektives; did you mean runner_objectives?"),
            (
                ("def value(self, x)", "def value(self)"),
                "bowl.py: objective 'test_bowl': Bowl.value must be written def value(self, x), not def value(self)",
            ),
            (
                ("dimension = 2", "dimension = 2\n    def gradient(self, x, scale): return x"),
                "bowl.py: objective 'test_bowl': Bowl.gradient must be written def gradient(self, x), not def gradient(self, x, scale)",
            ),
            (
                ("dimension = 2", "dimension = 2\n    hessian: float = 1.0"),
                "bowl.py: objective 'test_bowl': Bowl.hessian must be a method, def hessian(self, x), not a float",
            ),
            (
                ("dimension = 2", "dimension = 2\n    @property\n    def gradient(self): return 1"),
                "bowl.py: objective 'test_bowl': Bowl.gradient must be a method, def gradient(self, x), not a property",
            ),
            (
                ("dimension = 2", "def dimension(self): return 2"),
                "bowl.py: objective 'test_bowl': Bowl.dimension must be a property; write @property above def dimension(self)",
            ),
            (
                ("dimension = 2", "dimension = 2\n    weight = 0.5"),
                "bowl.py: Bowl.weight has no annotation, so it is no parameter; write weight: float = 0.5, or weight: ClassVar[float] = "
                "0.5 if it is to be the same for all",
            ),
            (
                ("dimension = 2", "dimension = 2\n    weights: list = []"),
                "bowl.py, line 7: cannot be loaded: ValueError: mutable default <class 'list'> for field weights is not allowed; use a "
                "tuple, as in tuple[float, ...] = (1.0, 2.0)",
            ),
            (
                ("import dataclass", "import dataclass, field", "dimension = 2",
                 "dimension = 2\n    weights: tuple[float, ...] = field(default_factory=tuple)"),
                "bowl.py: Bowl.weights: a parameter has a plain default, and neither default_factory nor init=False; use a tuple for a "
                "list, and functools.cached_property for what follows from other parameters",
            ),
            (
                ("(runner.Objective)", "(runner.Optimizer)"),
                "bowl.py: runner_objectives offers 'test_bowl', which is not a class derived from runner.Objective",
            ),
        ],
    )  # fmt: skip
    def test_one_that_cannot_be_loaded(self, found, changes: tuple[str, ...], told: str):
        assert found(changed(*changes)) == [failed("loads", told)]

    @pytest.mark.parametrize(
        ("changes", "check", "told"),
        [
            (('    """f(x) = s Σ xᵢ²."""\n', ""), "docstring", "Bowl needs a docstring: it is the formula that the reports show"),
            (("(1.0, above=0", "(-1.0, above=0"), "made", "the default of Bowl.s must be a number > 0, not -1.0"),
            (
                ("dimension = 2", "dimension = 2\n    def __post_init__(self): raise KeyError('s')"),
                "made",
                "test_bowl cannot be made: KeyError: 's' (bowl.py, line 12)",
            ),
            (
                ("dimension = 2", "dimension = 2\n    def validate(self): return 1 / (self.s - 1.25)"),
                "validate",
                "Bowl.validate raises ZeroDivisionError: float division by zero (bowl.py, line 12) for s = 1.25; refuse with a ValueError",
            ),
            (
                ("dimension = 2", "dimension = 2\n    start_region = (1.0, 0.0)"),
                "domain",
                "Bowl.start_region must be a tuple of the lowest and the highest start, not (1.0, 0.0)",
            ),
            ((VALUE, "return 1 / 0"), "shapes", "Bowl.value raises ZeroDivisionError: division by zero (bowl.py, line 13)"),
            (
                (VALUE, f"if x[0].sum() < 0: raise ValueError('log of {{}}'.format(0))\n        {VALUE}"),
                "shapes",
                "Bowl.value raises ValueError: log of 0 (bowl.py, line 13) at x = [ 0.54784675 -0.92085314], and not everywhere; return "
                "nan or inf where there is no number",
            ),
            (
                (VALUE, f"if (x[:, 0] > 0): pass\n        {VALUE}"),
                "shapes",
                "Bowl.value raises ValueError: The truth value of an array with more than one element is ambiguous. Use a.any() or "
                "a.all() (bowl.py, line 13) for a batch of 5 runs, and not for one run alone. Broadcast over the leading axis, reduce "
                "with axis=-1, use runner.dot, runner.norm, runner.matvec, and np.where instead of if",
            ),
            ((VALUE, "return self.s * x"), "shapes", "Bowl.value must return shape (5,) for x of shape (5, 2), not (5, 2)"),
            ((VALUE, f"x += 0.5\n        {VALUE}"), "purity", "Bowl.value writes into its argument x; copy it first"),
            (
                (VALUE, VALUE + "\n    def gradient(self, x): return 2.00000001 * self.s * x"),
                "complex step",
                "Bowl.gradient is near, but not exact: -3.86777893511 where a complex step of Bowl.value gives -3.86777891577, at x = "
                "[-1.8361059  -1.93388946]",
            ),
        ],
    )
    def test_one_that_breaks_its_contract(self, found, changes: tuple[str, ...], check: str, told: str):
        assert found(changed(*changes)) == [failed(check, told)]

    def test_a_name_that_is_taken(self, found):
        assert found(changed('"test_bowl"', '"quadratic"')) == [
            failed(
                "name",
                "objective 'quadratic' is offered by bowl.py and gradient-runner:quadratic; uninstall or rename one of them",
            )
        ]

    def test_a_parameter_that_nothing_is_said_of_passes_with_a_remark(self, found, tmp_path):
        assert found(changed(', doc="steepness"', "")) == []
        (remark,) = [each for each in answers(Question("bowl.py")) if isinstance(each, Finding) and each.check == "parameters"]
        assert str(remark) == 'ok       parameters: s: say what it is, with parameter(..., doc="...")'


class TestAsTests:
    @pytest.mark.parametrize(
        ("plugin", "first", "last"),
        [
            (SinQuadratic(), "docstring", "data"),
            (Analytic(), "docstring", "values alone"),
            (GradientDescent(), "docstring", "convergence"),
            (Serial(), "docstring", "same bits"),
            (Outcomes(), "docstring", "lost runs"),
        ],
        ids=lambda value: type(value).__name__ if not isinstance(value, str) else "",
    )
    def test_every_kind_has_named_checks(self, plugin, first: str, last: str):
        made = checks(plugin)
        names = [str(check) for check in made]
        assert (names[0], names[-1]) == (first, last)
        assert len(set(names)) == len(names)

    @pytest.mark.parametrize("check", checks(GradientDescent(0.2)), ids=str)
    def test_they_can_be_parameters_of_a_test(self, check: Check):
        check()

    def test_one_that_does_not_apply_is_skipped(self):
        (minimum,) = [check for check in checks(Hills()) if check.name == "minimum"]
        with pytest.raises(unittest.SkipTest, match="because it offers no minimum"):
            minimum()

    def test_what_is_no_plugin_has_none(self):
        with pytest.raises(TypeError, match=r"checks are for an instance of runner\.Objective, .*, not 3"):
            checks(3)  # type: ignore[arg-type]

    def test_a_figure_keeps_the_contract(self):
        check_figure(Outcomes())


class TestShow:
    @pytest.fixture
    def here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Run the checks in this process, which is quicker."""

        def findings(question: Question, seconds: float) -> Iterator[Subject | Finding]:
            yield from (each for each in answers(question) if isinstance(each, Subject | Finding))

        monkeypatch.setattr("runner.cli.plugins.check.examine", findings)

    def test_an_optimizer(self, call):
        done = call("plugins", "show", "gradient_descent")
        (offer,) = [offer for offer in Registry().offers() if offer.name == "gradient_descent"]
        file = ROOT / "plugins" / "runner_plugins" / "optimizers" / "gradient_descent.py"
        lines = done.out.splitlines()
        assert (done.code, done.err) == (0, "")
        assert lines[:3] == ["optimizer gradient_descent", "", f"  {offer.summary}"]
        assert lines[-9:] == [
            "parameter      type   default  allowed       what it is",
            "learning_rate  float  0.1      a number > 0  how far to go for a gradient of length 1, γ",
            "",
            "needs       gradient",
            "batch-safe  yes",
            f"from        gradient-runner {offer.version}, entry point gradient_descent",
            f"file        {file}",
            "",
            'optimizer = [{ name = "gradient_descent", learning_rate = 0.1 }]',
        ]

    @pytest.mark.parametrize(
        ("name", "lines"),
        [
            ("newton", ["needs       gradient, Hessian"]),
            ("finite_difference", ["offers      gradient, Hessian, Jacobian of residuals, shared work for value and gradient"]),
            ("sin_quadratic", ["offers      gradient, Hessian, minimum, start region, curvature bounds"]),
            ("serial", ['execution = { executor = "serial" }']),
            ("outcomes", ['report = { figures = ["outcomes"] }']),
            ("clipped", ['optimizer = [{ name = "clipped", optimizer = { name = "gradient_descent" }, max_norm = 1.0 }]']),
        ],
    )
    @pytest.mark.usefixtures("here")
    def test_what_it_offers_and_needs(self, call, name: str, lines: list[str]):
        done = call("plugins", "show", name)
        assert (done.code, done.err) == (0, "")
        assert set(lines) <= set(done.out.splitlines())

    def test_a_file_that_is_not_batch_safe(self, write, call):
        write(changed(VALUE, "return (self.s * x * x).sum(axis=-1) + 0.1 * len(x)"), "bowl.py")
        done = call("plugins", "show", "bowl.py")
        assert done.code == 0
        assert re.search(r"^batch-safe  no: Bowl\.value is not batch-safe: a row alone and the same row in a batch of 5 differ\. ", done.out,
                         re.MULTILINE)  # fmt: skip
        assert done.out.splitlines()[-2:] == ['plugins = ["bowl.py"]', 'objective = [{ name = "test_bowl", s = 1.0 }]']

    def test_an_unknown_name(self, call):
        done = call("plugins", "show", "gradient_decent")
        assert done == Done(2, "", "error: there is no plugin 'gradient_decent'; did you mean gradient_descent?\n")


class TestTheGroup:
    def test_a_misspelt_command(self, call):
        assert call("plugins", "shwo") == Done(
            2, "", "error: there is no command 'shwo'; did you mean show?\n  see runner plugins --help\n"
        )

    @pytest.mark.parametrize("command", ["new", "show", "check"])
    def test_the_help_of_each_has_an_example(self, call, command: str):
        done = call("plugins", command, "--help")
        assert done.code == 0
        assert re.search(rf"Examples?:\n +runner plugins {command}\b", done.out)

    def test_the_list_is_what_takes_a_format(self, call):
        done = call("plugins", "--format", "json", "show", "adam")
        assert done.err == "error: --format is for the list of plugins, not for show\n  see runner plugins --help\n"


def test_a_child_is_stopped_when_nobody_listens_any_longer():
    findings = examine(Question("gradient_descent"), 60.0)
    assert next(findings) == Finding("loads", OK)
    findings.close()
