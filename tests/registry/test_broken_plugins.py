"""Plugin files that cannot be loaded, or whose plugins cannot be used."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.registry.registry import Registry
from tests.support.command_line import Done
from tests.support.folders import folder_contents
from tests.support.plugin_texts import HOOK, PLUGIN, STEP, VALUE
from tests.support.refused_experiments import experiment

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
        """A function that writes an unusable plugin file and compares the message."""
        known: dict[str, list[str]] = {}
        for offer in Registry().offers():
            known.setdefault(offer.kind, []).append(offer.name)
        absent = [
            f"{kind}[0].name: there is no {kind} {name!r}; it may be in my.py, which cannot be loaded; "
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
    def test_file_that_is_no_plugin_file(self, tmp_path, write, refused, file: str, problem: str):
        write("", "my.txt")
        (tmp_path / "folder.py").mkdir()
        refused(experiment(top=f'plugins = ["{file}"]'), f"plugins[0]: {problem}")

    def test_a_plugin_file_named_twice(self, write, refused):
        write(PLUGIN, "my.py")
        refused(
            experiment(top='plugins = ["my.py", "my.py"]'),
            "plugins[1]: my.py: the file is loaded already; name it once in plugins",
        )

    @pytest.mark.parametrize(
        ("source", "problem"),
        [
            (
                "import os\nimport nope_nope",
                ", line 2: cannot be loaded: ModuleNotFoundError: No module named 'nope_nope'; install the distribution that contains it, perhaps with "
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
                ": optimizer 'walk': no parameter can be called 'name', because this key has another meaning in experiment files",
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
    def test_plugin_file_that_cannot_be_loaded(self, unusable, source: str, problem: str):
        unusable(source, problem)

    def test_a_syntax_error(self, tmp_path, write, call):
        write("import os\ndef f(:\n    pass", "my.py")
        write(self.LOCAL, "bad.toml")
        done = call("run", "bad.toml")
        first = done.err.partition("\n")[0]
        # The interpreter words this message.
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
                "objective[0]: bowl cannot be created: ZeroDivisionError: integer division or modulo by zero",
            ),
            (
                "dimension = 1",
                "dimension = 1\n    def validate(self): raise ValueError('c must not exceed d')",
                "objective[0]: c must not exceed d",
            ),
            (
                "dimension = 1",
                "dimension = 1\n    def validate(self): open('missing')",
                "objective[0]: bowl cannot be created: FileNotFoundError: [Errno 2] No such file or directory: 'missing'",
            ),
            (
                "dimension = 1",
                "dimension = 1\n    def __post_init__(self): raise KeyError('c')",
                "objective[0]: bowl cannot be created: KeyError: 'c'",
            ),
            (
                "parameter(0.1, above=0)",
                "parameter(-0.1, above=0)",
                "optimizer[0]: the default of walk's step_size must be a number > 0, not -0.1",
            ),
            ("parameter(0.1, above=0)", "parameter(above=0)", "optimizer[0]: walk needs step_size, a number > 0"),
        ],
    )
    def test_plugin_that_cannot_be_made(self, write, refused, old: str, new: str, problem: str):
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
            ("    def step(", "    def init(self, x): raise RuntimeError('no memory')\n    def step(", "RuntimeError: no memory"),
        ],
    )
    def test_plugin_that_cannot_take_a_step(self, write, call, old: str, new: str, problem: str):
        write(PLUGIN.replace(old, new), "my.py")
        write(self.LOCAL, "bad.toml")
        told = f"bowl × back × walk: the only run cannot take a step: {problem}"
        planned = call("run", "bad.toml", "--dry-run")
        assert (planned.code, planned.out.splitlines()[-1]) == (0, f"  cannot step 1 of these: {told}")
        done = call("run", "bad.toml", "--quiet", "--no-report")
        (run,) = call("runs", "--columns", "outcome,error", "--format", "json").json
        if " at the start x" in problem:
            assert (done, run) == (Done(0, "", f"warning: {told}\n"), {"outcome": "non_finite", "error": ""})
        else:
            assert (done, run) == (Done(1, "", f"warning: {told}\n"), {"outcome": "failed", "error": problem})

    def test_backend_whose_refusal_raises(self, write, refused):
        write(
            PLUGIN.replace("    def gradient(self, objective, x)", "    def refusal(self, objective, quantity): return 1 // 0\n"
                           "    def gradient(self, objective, x)"), "my.py"
        )  # fmt: skip
        refused(
            self.LOCAL,
            "every grid point is left out: bowl × back × walk: because gradient backend back cannot say whether it serves objective "
            "bowl: its method refusal raised ZeroDivisionError: integer division or modulo by zero",
        )

    def test_a_name_that_is_taken(self, write, refused):
        write(PLUGIN.replace('"bowl"', '"quadratic"'), "my.py")
        refused(
            experiment(top='plugins = ["my.py"]'),
            "objective[0].name: objective 'quadratic' is offered by my.py and gradient-runner:quadratic; uninstall or rename one of "
            "them",
        )
