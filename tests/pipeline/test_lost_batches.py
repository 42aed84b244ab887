"""Batches that an executor loses are computed again, and the run that caused the loss is found quickly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from runner.contracts.executor import sign_of_life
from runner.engine.batch_safety import rehearse
from runner.engine.dispatch import Parcel, dispatch
from runner.engine.loop import descend
from runner.engine.trajectories import Descent
from runner.registry.setting import Setting
from runner_plugins.executors.processes import Processes
from runner_plugins.executors.serial import Serial
from runner_plugins.objectives.quadratic import Quadratic
from runner_plugins.optimizers.gradient_descent import GradientDescent
from tests.support.batches import column, make_batch
from tests.support.databases import opened, run_into, stored_bits
from tests.support.worker_tasks import fail_within, no_limit

LOSING = '''\
from dataclasses import dataclass
from pathlib import Path

import runner


@dataclass(frozen=True)
class Losing(runner.Executor):
    """Computes in this process, and loses each batch that has a run from 1.25, as if that hung at once."""

    def map(self, function, items, limit):
        for item in items:
            hangs = bool((item.batch.start == 1.25).any())
            with Path(__file__).with_name("taken").open("a") as taken:
                taken.write(f"{limit(item)} {len(item.batch)} {hangs}\\n")
            yield runner.Lost(item, "hung", timed_out=True) if hangs else function(item)


@runner.hookimpl
def runner_executors():
    return {"losing": Losing}
'''
SWEPT = """\
name = "swept"
plugins = ["losing.py"]
objective = [{ name = "quadratic" }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = 0.3 }]
start = { points = STARTS }
stop = { max_steps = 20, wall_time = 60.0 }
"""


@pytest.fixture
def swept(tmp_path: Path, write: Callable[..., Path]) -> Callable[[list[float]], Path]:
    (tmp_path / "losing.py").write_text(LOSING, encoding="utf-8")
    return lambda starts: write(SWEPT.replace("STARTS", repr(starts)), name="swept.toml")


@pytest.mark.parametrize(
    ("runs", "place", "stops"), [(2, 1, 2), (5, 0, 3), (5, 4, 2), (64, 0, 4), (64, 41, 4), (100, 0, 5), (1000, 500, 6)]
)
def test_hanging_run_is_found_within_a_few_time_limits(tmp_path, swept, runs, place, stops):
    starts = np.linspace(2.0, 3.0, runs - 1).tolist()
    run_into(swept(starts), tmp_path / "serial.db")
    run_into(swept([*starts[:place], 1.25, *starts[place:]]), tmp_path / "losing.db", executor="losing")
    with opened(tmp_path / "losing.db") as connection:
        assert connection.execute("SELECT error FROM run WHERE outcome = 'timeout'").fetchall() == [("hung",)]
    assert stored_bits(tmp_path / "losing.db") == stored_bits(tmp_path / "serial.db")
    taken = [line.split() for line in (tmp_path / "taken").read_text().splitlines()]
    assert {limit for limit, _, _ in taken} == {"122.0"}, "twice the wall time and 2 s, whatever the size"
    sizes = [int(size) for _, size, hangs in taken if hangs == "True"]
    assert len(sizes) - stops in (0, 1), "the trial of the first steps meets the run, or leaves it out"
    assert (sizes[-stops], sizes[-1]) == (runs, 1)


@pytest.fixture
def signs() -> list[int]:
    """The signs of life that were given, one item for each."""
    heard: list[int] = []
    token = sign_of_life.set(lambda: heard.append(1))
    yield heard
    sign_of_life.reset(token)


@pytest.mark.parametrize("runs", [1, 4])
def test_each_iterate_is_a_sign_of_life(signs, runs):
    descend(make_batch(Quadratic(), GradientDescent(column([0.1] * runs)), [[1.0]] * runs, max_steps=30))
    assert len(signs) >= 31


def test_each_rehearsed_run_is_a_sign_of_life(signs):
    infinite = make_batch(Quadratic(), GradientDescent(column([0.1] * 3)), [[np.inf]] * 3)
    assert rehearse(infinite).problem is not None
    assert len(signs) == 3


@pytest.mark.parametrize("plugin", [Serial(), Processes(1)])
def test_internal_error_in_a_batch_is_not_blamed_on_the_executor(plugin):
    parcel = Parcel(make_batch(Quadratic(), GradientDescent(0.1), [[1.0]]), ())
    with pytest.raises(LookupError, match="within"):
        list(dispatch(Setting.of("executor", "sound", plugin, ""), fail_within, Descent, [parcel], no_limit))


def test_internal_error_while_sending_batches_is_not_blamed_on_the_executor():
    def parcels() -> Iterator[Parcel]:
        raise LookupError("within")
        yield

    with pytest.raises(LookupError, match="within"):
        list(dispatch(Setting.of("executor", "serial", Serial(), ""), descend, Descent, parcels(), no_limit))
