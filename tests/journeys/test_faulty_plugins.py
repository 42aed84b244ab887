"""Plugins that break their contract during `runner run`: the message, the stored runs, and no wrong number."""

from __future__ import annotations

import html

import pytest

from tests.support.command_line import Done
from tests.support.databases import run_into, stored_bits

WEIGHTED = '''\
from dataclasses import dataclass
import numpy as np
import runner

@dataclass(frozen=True)
class Weighted(runner.Optimizer):
    """xₖ₊₁ = xₖ − γ w ∇f(xₖ), with weights kept where they do not belong."""
    learning_rate: float = 0.1
    def init(self, x):
        return np.linspace(0.5, 1.0, x.shape[-1])
    def step(self, point, memory):
        return point.x - self.learning_rate * memory * point.gradient, memory

@runner.hookimpl
def runner_optimizers():
    return {"weighted": Weighted}
'''
TWO_RUNS = """\
name = "two"
plugins = ["weighted.py"]
objective = [{ name = "quadratic", dimension = 2, condition_number = 4.0 }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "weighted" }]
start = { points = [[1e-9, 0.0], [1.0, 1.0]] }
stop = { max_steps = 20, gradient_norm = 1e-8 }
"""


FAULTY = '''\
from dataclasses import dataclass
import runner

CALLS = []

@dataclass(frozen=True)
class Faulty(runner.Executor):
    """Computes in this process, and from its SOUND-th call on does something wrong after the first item."""
    def map(self, function, items, limit):
        CALLS.append(items)
        waiting = iter(items)
        if len(CALLS) <= SOUND:
            yield from map(function, waiting)
            return
        result = function(next(waiting))
        yield result
        FAULT

@runner.hookimpl
def runner_executors():
    return {"faulty": Faulty}
'''
THREE_RUNS = """\
name = "three"
plugins = ["faulty.py"]
objective = [{ name = "quadratic" }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent" }]
start = { points = [1.0, 2.0, 3.0] }
stop = { max_steps = 20 }
execution = { executor = "faulty", max_batch = 1 }
"""
REMEDY = "; the stored runs are kept, and the same command computes the others; --executor serial avoids this executor"
UNFINISHED = f"ended before it had yielded a result, or runner.Lost, for each item{REMEDY}"
OWED = "it must yield function(item), or runner.Lost, for each item"
FAULTS = {
    "drops": ("list(waiting)", UNFINISHED),
    "stops": ("return", UNFINISHED),
    "repeats": ("yield result", "yielded a result twice; it must yield one for each item"),
    "yields nothing": ("yield None", f"yielded None; {OWED}"),
    "yields a long text": ("yield 'x' * 100", f"yielded '{56 * 'x'}...; {OWED}"),
    "yields another's": (
        "yield runner.Lost(3, 'gone', False)",
        f"yielded Lost(item=3, reason='gone', timed_out=False, step=None); {OWED}",
    ),
    "has no reason": (
        "yield runner.Lost(next(waiting), None, False)",
        f"yielded Lost(item=Parcel of 1 run, reason=None, timed_out=False, ...; {OWED}",
    ),
    "raises": ("raise RuntimeError('cluster away')", f"raised RuntimeError: cluster away{REMEDY}"),
    "exits": ("raise SystemExit(2)", f"raised SystemExit: 2{REMEDY}"),
}


def test_constant_in_memory_as_long_as_the_batch_changes_no_bit(tmp_path, write, call):
    write(WEIGHTED, "weighted.py")
    write(TWO_RUNS, "together.toml")
    write(TWO_RUNS + "execution = { max_batch = 1 }\n", "alone.toml")
    together, alone = (call("run", f"{each}.toml", "--db", f"{each}.db", "--no-report", "-q") for each in ("together", "alone"))
    assert stored_bits(tmp_path / "together.db") == stored_bits(tmp_path / "alone.db")
    assert (together.code, together.out, alone) == (0, "", Done(0, "", ""))
    assert together.err.startswith("warning: Weighted.step keeps a memory in which an array does not have a row for each run; ")


@pytest.mark.parametrize(("fault", "told"), FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("sound", [0, 1], ids=["rehearsing", "computing"])
def test_executor_that_does_not_return_each_batch_is_named(tmp_path, write, call, fault: str, told: str, sound: int):
    write(FAULTY.replace("SOUND", str(sound)).replace("FAULT", fault), "faulty.py")
    three_batches = THREE_RUNS.replace('"quadratic"', '"quadratic", dimension = { values = [1, 2, 3] }')
    path = write(three_batches.replace("[1.0, 2.0, 3.0]", "[1.0]"), "three.toml")
    plan, _ = run_into(path, tmp_path / "sound.db", executor="serial")
    done = call("run", "three.toml", "--db", "r.db", "--no-report", "-q")
    assert done == Done(3, "", f"error: executor faulty: Faulty.map {told}\n")
    assert (tmp_path / "r.db").exists() == bool(sound)
    if sound:
        assert stored_bits(tmp_path / "r.db") == [
            row for row in stored_bits(tmp_path / "sound.db") if row[0] == plan.runs[0].identity
        ]
    assert call("run", "three.toml", "--db", "r.db", "--no-report", "-q", "--executor", "serial") == Done(0, "", "")
    assert stored_bits(tmp_path / "r.db") == stored_bits(tmp_path / "sound.db")


BAD_FIGURE = '''\
from dataclasses import dataclass
import runner

@dataclass(frozen=True)
class Bad(runner.Figure):
    """Draws something, and says nothing sensible."""
    title = "Bad"
    def draw(self, results):
        figure, (panel,) = runner.panels(["One"])
        return RETURNED

@runner.hookimpl
def runner_figures():
    return {"bad": Bad}
'''
DRAWINGS = {
    "runner.Drawing(figure, 42)": "Bad.draw must give its Drawing a caption in words, not 42",
    "runner.Drawing(panel, 'x')": "Bad.draw must give its Drawing a Matplotlib figure, not Axes",
    "runner.Drawing(figure, 'x', [('a', 'b'), (1, 2)])": "Bad.draw must give its Drawing a table whose cells are text, not 1",
    "runner.Drawing(figure, 'x', [('a', 'b'), ('c',)])": (
        "Bad.draw must give its Drawing a table whose rows all have as many cells as its headings"
    ),
    "runner.Drawing(figure, 'x', 'ab')": "Bad.draw must give its Drawing a table as rows of cells, not str",
    "runner.Drawing(figure, 'x', None)": "Bad.draw must give its Drawing a table as rows of cells, not NoneType",
    "figure": "Bad.draw must return a runner.Drawing or None, not Figure",
    "panel.set_title('$x_{$') and runner.Drawing(figure, 'x')": "ValueError: ",
}


@pytest.mark.parametrize(("returned", "told"), DRAWINGS.items(), ids=DRAWINGS)
def test_figure_that_returns_nonsense_loses_only_its_own_place(tmp_path, write, call, returned: str, told: str):
    write(BAD_FIGURE.replace("RETURNED", returned), "bad.py")
    text = THREE_RUNS.replace("faulty.py", "bad.py").replace('executor = "faulty", ', "")
    write(text + 'report = { figures = ["bad", "outcomes"] }\n', "three.toml")
    done = call("run", "three.toml", "--db", "r.db", "-q")
    assert (done.code, done.out) == (0, "")
    assert done.err.startswith(f"warning: figure 'bad' could not be drawn: {told}")
    page = (tmp_path / "results/three/index.html").read_text(encoding="utf-8")
    assert f"This figure could not be drawn: {told}" in html.unescape(page)
    assert page.count("<img ") == 1
    plotted = call("plot", "three", "--figure", "bad", "--plugin", "bad.py", "--db", "r.db", "-o", "bad.svg")
    assert plotted.code == 5
    assert plotted.err.startswith(f"error: figure 'bad' could not be drawn: {told}")
    assert not (tmp_path / "bad.svg").exists()


def test_figure_without_a_title_is_headed_by_its_name(tmp_path, write, call):
    write(BAD_FIGURE.replace('title = "Bad"', "").replace("RETURNED", "runner.Drawing(figure, 'x')"), "bad.py")
    text = THREE_RUNS.replace("faulty.py", "bad.py").replace('executor = "faulty", ', "")
    write(text + 'report = { figures = ["bad"] }\n', "three.toml")
    assert call("run", "three.toml", "--db", "r.db", "-q") == Done(0, "", "")
    assert ">bad</h2>" in (tmp_path / "results/three/index.html").read_text(encoding="utf-8")


TYPO = '''\
from dataclasses import dataclass
import runner

@dataclass(frozen=True)
class Typo(runner.Objective):
    """f(x) = x², with a name misspelt where it says what more it knows."""
    dimension = 1
    def value(self, x):
        return (x * x).sum(axis=-1)
    def gradient(self, x):
        return 2 * x
    @property
    def CAPABILITY(self):
        return self.misspelt

@runner.hookimpl
def runner_objectives():
    return {"typo": Typo}
'''
MISSPELT = "'Typo' object has no attribute 'misspelt'"


@pytest.mark.parametrize("stop", ["max_steps = 20", "gap = 1e-6"])
def test_error_inside_minimum_is_reported(tmp_path, write, call, stop: str):
    write(TYPO.replace("CAPABILITY", "minimum"), "faulty.py")
    text = THREE_RUNS.replace("quadratic", "typo").replace("max_steps = 20", stop)
    write(text.replace('executor = "faulty", ', ""), "three.toml")
    done = call("run", "three.toml", "--db", "r.db", "--no-report", "-q")
    reason = f"because its minimum cannot be used: AttributeError: {MISSPELT}"
    assert done == Done(2, "", f"error: three.toml: every grid point is left out: typo × analytic × gradient_descent: {reason}\n")
    assert not (tmp_path / "r.db").exists()


SHIFTED = '''\
from dataclasses import dataclass
import numpy as np
import runner

@dataclass(frozen=True)
class Shifted(runner.Objective):
    """f(x) = (x − s)², whose minimum is known for s ≤ 1."""
    shift: float = runner.parameter(1.0, doc="where the minimum lies, s")
    dimension = 1
    @property
    def minimum(self):
        return None if np.any(self.shift > 1) else runner.Minimum(np.full(1, 1.0) * self.shift, 0.0)
    def value(self, x):
        return ((x - self.shift) ** 2).sum(axis=-1)
    def gradient(self, x):
        return 2 * (x - self.shift)

@runner.hookimpl
def runner_objectives():
    return {"shifted": Shifted}
'''
PARTLY = """\
name = "partly"
plugins = ["shifted.py"]
objective = [{ name = "shifted", shift = { values = [0.5, 2.0, 0.75, 3.0] } }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = 0.4 }]
start = { points = [0.0] }
stop = { max_steps = 50, gap = 1e-6 }
"""


def test_runs_with_unknown_minimum_stop_by_the_other_rules(tmp_path, write, call):
    write(SHIFTED, "shifted.py")
    write(PARTLY, "partly.toml")
    write(PARTLY + "execution = { max_batch = 1 }\n", "alone.toml")
    assert call("run", "partly.toml", "--db", "r.db", "-q") == Done(0, "", "")
    assert call("run", "alone.toml", "--db", "alone.db", "--no-report", "-q") == Done(0, "", "")
    assert stored_bits(tmp_path / "r.db") == stored_bits(tmp_path / "alone.db")
    columns = "--columns", "shift,outcome,behaviour,final_gap"
    told, alone = (call("runs", "--db", name, *columns, "--format", "json").json for name in ("r.db", "alone.db"))
    assert told == alone
    known = {run["shift"]: (run["outcome"], run["final_gap"] is None) for run in told}
    assert known == {
        0.5: ("converged", False), 2.0: ("max_steps", True), 0.75: ("converged", False), 3.0: ("max_steps", True)
    }  # fmt: skip


def test_gap_rule_is_refused_if_no_objective_knows_its_minimum(write, call):
    write(SHIFTED, "shifted.py")
    write(PARTLY.replace("0.5, 2.0, 0.75", "2.0, 2.5"), "partly.toml")
    told = "error: partly.toml: stop.gap: none of the objectives knows its minimum; use gradient_norm instead\n"
    assert call("run", "partly.toml") == Done(2, "", told)


def test_rosenbrock_with_unknown_minimum_is_run(write, call):
    text = THREE_RUNS.replace('plugins = ["faulty.py"]\n', "").replace('executor = "faulty", ', "")
    text = text.replace('name = "quadratic"', 'name = "rosenbrock", dimension = 3, a = 2.0').replace(
        "[1.0, 2.0, 3.0]", "[1.0, 0.5]"
    )
    write(text + 'report = { figures = ["convergence", "outcomes"] }\n', "three.toml")
    assert call("run", "three.toml", "-q") == Done(0, "", "")
    checked = call("plugins", "check", "rosenbrock", "--set", "dimension=3", "--set", "a=2")
    assert (checked.code, checked.err) == (0, "")
    assert "skipped  minimum: because it states no minimum for these parameters\n" in checked.out


def test_error_inside_start_region_is_reported(write, call):
    write(TYPO.replace("CAPABILITY", "start_region"), "faulty.py")
    write(THREE_RUNS.replace("quadratic", "typo").replace('executor = "faulty", ', ""), "three.toml")
    done = call("run", "three.toml", "--no-report", "-q")
    told = f"error: three.toml: objective[0]: typo cannot be created: AttributeError: {MISSPELT}\n"
    assert done == Done(2, "", told)


def test_an_executor_that_cannot_count_its_workers_is_named(write, call):
    counting = "    @property\n    def workers(self):\n        return self.jobs\n    def map("
    write(FAULTY.replace("    def map(", counting), "faulty.py")
    write(THREE_RUNS, "three.toml")
    done = call("run", "three.toml", "--no-report", "-q")
    told = "error: executor faulty: Faulty.workers raised AttributeError: 'Faulty' object has no attribute 'jobs'\n"
    assert done == Done(3, "", told)


RAISING = '''\
from dataclasses import dataclass
import numpy as np
import runner

@dataclass(frozen=True)
class Steep(runner.Objective):
    """f(x) = x², and no number beyond 1.5."""
    dimension = 1
    def value(self, x):
        if (np.abs(x) > 1.5).any():
            raise ValueError("left the domain")
        return (x * x).sum(axis=-1)
    def gradient(self, x):
        return 2 * x

@dataclass(frozen=True)
class OneByOne(Steep):
    """f(x) = x², of one point."""
    def value(self, x):
        (point,) = x
        return np.array([point @ point])

@dataclass(frozen=True)
class Flat(Steep):
    """f(x) = x², in a column."""
    def value(self, x):
        return x * x

@dataclass(frozen=True)
class Odd(runner.Optimizer):
    """Gradient descent, that fails at the third step."""
    def init(self, x):
        return 0
    def step(self, point, memory):
        if memory == 2 and len(point.x) > 1:
            raise RuntimeError("three")
        return point.x - 0.1 * point.gradient, memory + 1

@runner.hookimpl
def runner_objectives():
    return {"steep": Steep, "one_by_one": OneByOne, "flat": Flat}

@runner.hookimpl
def runner_optimizers():
    return {"odd": Odd}
'''
SEVERAL = """\
name = "several"
plugins = ["raising.py"]
objective = [{ name = "steep" }, { name = "one_by_one" }, { name = "quadratic" }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent" }, { name = "momentum" }, { name = "odd" }]
start = { points = [1.0, 2.0, 1.25] }
stop = { max_steps = 20 }
"""
HOW = (
    "To let runs advance together, write it for x of shape (runs, dimension): broadcast over the leading axis, reduce with axis=-1, "
    "use runner.dot, runner.norm, runner.matvec"
)
SLOWED = "so its batches were computed one run at a time. "


@pytest.mark.parametrize("executor", ["serial", "processes"])
def test_each_batch_safety_fault_is_reported_once_with_its_remedy(write, call, executor: str):
    write(RAISING, "raising.py")
    write(SEVERAL, "several.toml")
    done = call("run", "several.toml", "--no-report", "-q", "--executor", executor)
    assert (done.code, done.out) == (1, "")
    assert sorted(done.err.splitlines()) == [
        "warning: Odd.step raised RuntimeError: three; " + SLOWED + HOW,
        "warning: OneByOne.value raised ValueError: too many values to unpack (expected 1); " + SLOWED + HOW,
        "warning: Steep.value raised ValueError: left the domain. Some runs raise it when computed alone too, "
        + SLOWED
        + "If it returns nan or inf "
        "instead of raising, the other runs advance together",
    ]


def test_fault_of_an_objective_is_reported_once_for_all_optimizers(write, call):
    write(RAISING, "raising.py")
    write(SEVERAL.replace('"steep"', '"flat"'), "several.toml")
    told = (
        "warning: flat × analytic × gradient_descent, momentum, odd: none of 9 runs can take a step: Flat.value returned an array of "
        "shape (1, 1) and type float64 for x of shape (1, 1); it must return a float64 array of shape (1,)"
    )
    done = call("run", "several.toml", "--no-report", "-q")
    assert (done.code, done.err.splitlines()[0]) == (1, told)
    assert done.err.count("none of") == 1


def test_fault_in_several_settings_is_reported_once(write, call):
    write(RAISING.replace('"flat": Flat', '"flat": Flat, "flatter": Flat'), "raising.py")
    text = SEVERAL.replace('"steep"', '"flat"').replace('"one_by_one"', '"flatter"')
    write(text + 'exclude = [{ objective = "flatter", optimizer = "odd" }]\n', "several.toml")
    places = "flat × analytic × gradient_descent; flat × analytic × momentum; flat × analytic × odd; "
    places += "flatter × analytic × gradient_descent; flatter × analytic × momentum"
    line = call("run", "several.toml", "--no-report", "-q").err.splitlines()[0]
    assert line.startswith(f"warning: {places}: none of 15 runs can take a step: Flat.value returned an array")
