"""Plugins of other distributions: found by their entry points, loaded only when named, and checked for clashing names."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command_line import Done, call_main

MOMENTUM = '''
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from runner import Optimizer, hookimpl, parameter

Path(__file__).with_suffix(".imported").touch()


@dataclass(frozen=True)
class Momentum(Optimizer):
    """Gradient descent that remembers where it was going."""

    learning_rate: float = parameter(0.1, above=0)
    decay: float = parameter(0.5, at_least=0, below=1)

    def init(self, x):
        return np.zeros_like(x)

    def step(self, point, memory):
        velocity = self.decay * memory - self.learning_rate * point.gradient
        return point.x + velocity, velocity


@hookimpl
def runner_optimizers():
    return {"acme_swing": Momentum}
'''
MISSING = "ModuleNotFoundError: No module named 'nope_nope'; install the distribution that contains it, perhaps with python -m pip install nope_nope"
EXPERIMENT = """\
[[objective]]
name = "quadratic"

[[gradient]]
name = "analytic"

[[optimizer]]
name = "acme_swing"
decay = { values = [0.0, 0.4] }

[start]
points = [1.0]

[stop]
max_steps = 200
gradient_norm = 1e-6
"""


@pytest.fixture
def install(tmp_path: Path) -> Callable[..., Path]:
    """A function that installs a distribution into a folder: its module and its metadata."""

    def put(name: str, source: str, entry: str = "acme_swing", version: str = "1.2", group: str = "runner") -> Path:
        folder = tmp_path / "site"
        metadata = folder / f"{name}-{version}.dist-info"
        metadata.mkdir(parents=True)
        # Each module gets a new name, because this process keeps every module that it has imported.
        module = folder / f"{name}_{uuid.uuid4().hex}.py"
        module.write_text(source, encoding="utf-8")
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (metadata / "entry_points.txt").write_text(f"[{group}]\n{entry} = {module.stem}\n")
        return module

    return put


@pytest.fixture
def process(tmp_path: Path, runner_cli: Callable[..., Done]) -> Callable[..., Done]:
    """A function that calls `runner` in a process, with the test's distributions installed."""

    def call(*arguments: str) -> Done:
        return runner_cli(*arguments, env={"PYTHONPATH": str(tmp_path / "site")})

    return call


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """A function that calls `runner` in this process, with the test's distributions installed."""

    def call(*arguments: str) -> Done:
        monkeypatch.syspath_prepend(tmp_path / "site")
        return call_main(tmp_path, monkeypatch, capsys, *arguments)

    return call


def test_a_third_partys_plugin_works_from_end_to_end(write, install, process):
    module = install("acme", MOMENTUM)
    write(EXPERIMENT)
    done = process("run", "small.toml", "--no-report", "--format", "json")
    assert done.code == 0, done.err
    assert done.json["computed"] == {"converged": 2}
    (row,) = done.json["summary"]
    assert (row["optimizer"], row["outcomes"], row["best"]["setting"]) == (
        "acme_swing",
        {"converged": 2},
        {"optimizer.decay": 0.4},
    )
    assert module.with_suffix(".imported").exists()
    again = process("run", "small.toml", "--no-report", "--format", "json")
    assert (again.json["stored_before"], again.json["computed"]) == (2, {})


def test_plugin_is_listed_with_its_distribution_and_version(install, beside):
    install("acme", MOMENTUM)
    listed = beside("plugins", "--format", "json").json["plugins"]
    (plugin,) = [each for each in listed if each["name"] == "acme_swing"]
    assert plugin == {
        "kind": "optimizer",
        "name": "acme_swing",
        "source": "acme:acme_swing",
        "version": "1.2",
        "summary": "Gradient descent that remembers where it was going.",
    }
    (line,) = [line for line in beside("plugins").out.splitlines() if " acme_swing " in line]
    assert line.split()[:4] == ["optimizer", "acme_swing", "acme", "1.2"]


def test_plugin_that_is_not_named_is_not_imported(write, install, process):
    module = install("acme", MOMENTUM)
    write(EXPERIMENT.replace('"acme_swing"\ndecay', '"gradient_descent"\nlearning_rate').replace("0.0, ", "0.1, "))
    assert process("run", "small.toml", "--no-report", "--quiet") == Done(0, "", "")
    assert not module.with_suffix(".imported").exists()
    process("plugins")
    assert module.with_suffix(".imported").exists(), "the marker must work for the above to say something"


def test_one_file_may_offer_plugins_under_other_names_than_its_own(write, install, beside):
    install("acme", MOMENTUM, entry="acme_optimizers")
    write(EXPERIMENT)
    assert beside("run", "small.toml", "--no-report", "--quiet") == Done(0, "", "")


class TestBrokenDistributions:
    @pytest.mark.parametrize(
        ("source", "cause"),
        [
            ("import nope_nope", MISSING),
            ("raise SystemExit('no licence')", "SystemExit: no licence"),
            (MOMENTUM.replace("def runner_optimizers", "def runner_optimisers"),
             "there is no hook runner_optimisers; did you mean runner_optimizers?"),
            (MOMENTUM.replace("def step", "def stepp"), "optimizer 'acme_swing' does not implement step"),
            (MOMENTUM.replace("frozen=True", "frozen=False"), "Momentum must be decorated with @dataclass(frozen=True)"),
        ],
        ids=["import", "exit", "hook", "abstract", "thawed"],
    )  # fmt: skip
    def test_broken_plugin_is_listed_with_its_cause(self, tmp_path, write, install, beside, source: str, cause: str):
        install("acme", source)
        write(EXPERIMENT, "asks.toml")
        listed = beside("plugins")
        assert (listed.code, listed.err) == (0, f"cannot be loaded: acme:acme_swing: {cause}\n")
        assert "gradient_descent" in listed.out
        done = beside("run", "asks.toml")
        message = f"error: asks.toml: optimizer[0].name: optimizer 'acme_swing' cannot be loaded from acme:acme_swing: {cause}\n"
        assert done == Done(2, "", message)
        assert not (tmp_path / "results").exists()

    def test_other_plugins_are_not_affected(self, write, install, beside):
        install("acme", "import nope_nope")
        write(EXPERIMENT.replace('"acme_swing"\ndecay', '"gradient_descent"\nlearning_rate').replace("0.0, ", "0.1, "))
        assert beside("run", "small.toml", "--no-report", "--quiet") == Done(0, "", "")
        assert beside("plugins", "--format", "json").json["broken"] == [
            {"source": "acme:acme_swing", "name": "acme_swing", "cause": MISSING}
        ]

    def test_unknown_name_is_explained_by_the_broken_distribution(self, write, install, beside):
        install("acme", "import nope_nope", entry="acme_optimizers")
        write(EXPERIMENT)
        done = beside("run", "small.toml")
        beginning = (
            "error: small.toml: optimizer[0].name: there is no optimizer 'acme_swing'; it may be in acme:acme_optimizers, "
            "which cannot be loaded; allowed: "
        )
        assert done.err.startswith(beginning)
        assert "gradient_descent" in done.err.removeprefix(beginning).strip().split(", ")
        assert (done.code, done.out) == (2, "")

    def test_broken_plugin_breaks_all_plugins_of_its_module(self, write, install, beside):
        two = MOMENTUM.replace('"acme_swing": Momentum', '"acme_swing": Momentum, "other": int')
        install("acme", two)
        write(EXPERIMENT)
        done = beside("run", "small.toml")
        assert done.err == (
            "error: small.toml: optimizer[0].name: optimizer 'acme_swing' cannot be loaded from acme:acme_swing: runner_optimizers "
            "offers 'other', which is not a class derived from runner.Optimizer\n"
        )
        assert "acme_swing" not in beside("plugins").out


def test_two_distributions_with_the_same_plugin_name(write, install, beside):
    install("acme", MOMENTUM)
    install("zenith", MOMENTUM)
    write(EXPERIMENT)
    done = beside("run", "small.toml")
    message = (
        "error: small.toml: optimizer[0].name: optimizer 'acme_swing' is offered by acme:acme_swing and zenith:acme_swing; "
        "uninstall or rename one of them\n"
    )
    assert done == Done(2, "", message)
    listed = [each["source"] for each in beside("plugins", "--format", "json").json["plugins"] if each["name"] == "acme_swing"]
    assert listed == ["acme:acme_swing", "zenith:acme_swing"]


def test_a_local_file_clashes_with_a_distribution(write, install, beside):
    install("acme", MOMENTUM)
    write(MOMENTUM, "mine.py")
    write('plugins = ["mine.py"]\n' + EXPERIMENT)
    done = beside("run", "small.toml")
    message = (
        "error: small.toml: optimizer[0].name: optimizer 'acme_swing' is offered by mine.py and acme:acme_swing; "
        "uninstall or rename one of them\n"
    )
    assert done == Done(2, "", message)


def test_entry_points_of_other_programs_are_left_alone(install, beside):
    module = install("acme", MOMENTUM, group="pytest11")
    assert "acme_swing" not in beside("plugins").out
    assert not module.with_suffix(".imported").exists()
