"""Stored runs computed again: the same bits, or the reason why the bits differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from runner.engine.environment import environment as environment_here
from runner.store.writing.run_rows import chunk_checksum
from runner.store.writing.shared_rows import digest_of_environment
from tests.support.databases import opened, run_into, write_bowl_experiment


@pytest.fixture
def database(tmp_path: Path, write: Callable[..., Path]) -> Path:
    run_into(write(), tmp_path / "r.db")
    return tmp_path / "r.db"


def test_runs_are_computed_again_with_the_same_bits(database, runner_cli):
    done = runner_cli("verify", "--db", "r.db", "--replay", "5", "--seed", "1")
    assert done.code == 0
    assert done.out.splitlines()[-2:] == ["replayed               5  5 runs with the same bits", "r.db: intact"]
    every = runner_cli("verify", "--db", "r.db", "--replay", "100")
    assert every.out.splitlines()[-2] == "replayed              12  12 runs with the same bits"


class TestReplay:
    """A run whose trajectory was changed together with its checksums."""

    @pytest.fixture
    def forged(self, database: Path) -> Path:
        with opened(database) as connection:
            identity, data = connection.execute(
                "SELECT identity, data FROM run JOIN chunk ON run_id = id WHERE id = 2"
            ).fetchone()
            changed = bytearray(data)
            changed[8 * (51 + 7) + 7] ^= 1  # the last bit of the gradient's norm at step 7
            checksum = chunk_checksum(identity, 0, 51, bytes(changed))
            connection.execute("UPDATE chunk SET data = ?, checksum = ? WHERE run_id = 2", (bytes(changed), checksum))
        return database

    def test_changed_bits_are_damage(self, forged, runner_cli):
        done = runner_cli("verify", "--db", "r.db", "--replay", "12")
        assert done.code == 4
        assert done.out.splitlines()[-3:] == [
            "replayed              12  11 runs with the same bits, 1 run with different bits",
            "  run 2: has different bits from step 7 on",
            "r.db: damaged; see above",
        ]

    def test_changed_circumstances_are_reported_and_are_not_damage(self, forged, runner_cli):
        with opened(forged) as connection:
            environment = dict(zip(("python", "platform", "cpu", "packages", "git_commit"), connection.execute(
                "SELECT python, platform, cpu, packages, git_commit FROM environment").fetchone(), strict=True))  # fmt: skip
            packages = {**json.loads(environment["packages"]), "numpy": "1.0", "sqlalchemy": "1.0"}
            environment |= {"cpu": "an abacus", "packages": json.dumps(packages, sort_keys=True)}
            connection.execute(
                "UPDATE environment SET cpu = :cpu, packages = :packages, digest = :digest",
                {**environment, "digest": digest_of_environment(environment)},
            )
        done = runner_cli("verify", "--db", "r.db", "--replay", "12")
        assert done.code == 0
        here = environment_here(Path(), ["numpy"])
        assert done.out.splitlines()[-3:] == [
            "replayed              12  11 runs with the same bits, 1 run with different bits, with other code, packages or processor",
            f"  run 2: has different bits from step 7 on; computed with cpu an abacus, here {here.cpu}, "
            f"computed with numpy 1.0, here {here.packages['numpy']}",
            "r.db: intact",
        ]


def test_local_plugin_is_found_by_its_file(tmp_path, write, runner_cli):
    run_into(write_bowl_experiment(write, "a"), tmp_path / "r.db")
    done = runner_cli("verify", "--db", "r.db", "--replay", "1", "--seed", "0")
    assert done.code == 0
    assert done.out.splitlines()[-3].startswith("replayed               1  1 run that cannot be computed here")
    assert done.out.splitlines()[-2].startswith("  run 4: ")
    found = runner_cli("verify", "--db", "r.db", "--replay", "4", "--plugin", "bowl.py")
    assert found.out.splitlines()[-2] == "replayed               4  4 runs with the same bits"


def test_runs_without_a_trajectory_are_sound_and_not_replayed(tmp_path, write, runner_cli):
    write(CRASH, "crash.py")
    run_into(write(ON_CRASH, "crash.toml"), tmp_path / "r.db")
    done = runner_cli("verify", "--db", "r.db", "--replay", "4")
    assert done.code == 0
    assert done.out.splitlines()[-2] == "replayed               0  no run can be replayed"


CRASH = """\
from dataclasses import dataclass
import runner

@dataclass(frozen=True)
class Crash(runner.Objective):
    '''f(x) = x², until it is asked for a small x.'''
    dimension = 1
    def value(self, x):
        if abs(x).min() < 0.3:
            raise LookupError("too small")
        return (x * x).sum(axis=-1)
    def gradient(self, x):
        return 2 * x

@runner.hookimpl
def runner_objectives():
    return {"crash": Crash}
"""
ON_CRASH = """\
plugins = ["crash.py"]
objective = [{ name = "crash" }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = { values = [0.1, 0.2] } }]
start = { points = [1.0] }
stop = { max_steps = 20 }
"""
