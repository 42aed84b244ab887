"""A column of parameters has one type for all its values, and whole numbers of any size are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import polars
import pytest

import runner
from tests.support.edge_values import EXPERIMENT, PLUGIN, command, exact

MIXED = '''
from dataclasses import dataclass
from typing import Literal
import runner

@dataclass(frozen=True)
class Whole(runner.Optimizer):
    """x ← x."""
    size: int = 3
    kind: bool = True
    only: int = 2**53 + 1
    said: bool = False
    large: int = 2**70
    def init(self, x):
        return ()
    def step(self, point, memory):
        return point.x, memory

@dataclass(frozen=True)
class Other(runner.Optimizer):
    """x ← x."""
    size: float = 0.5
    kind: Literal["sparse"] = "sparse"
    def init(self, x):
        return ()
    def step(self, point, memory):
        return point.x, memory

@runner.hookimpl
def runner_optimizers():
    return {"whole": Whole, "other": Other}
'''


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with two optimizers whose parameters have the same names and different types, or exist in only one."""
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "mixed.py").write_text(MIXED, encoding="utf-8")
    text = 'name = "mixed"\nplugins = ["mixed.py"]\nobjective = [{ name = "quadratic" }]\ngradient = [{ name = "analytic" }]\n'
    text += 'optimizer = [{ name = "whole" }, { name = "other" }]\nstart = { points = [1.0] }\nstop = { max_steps = 1 }\n'
    (folder / "e.toml").write_text(text, encoding="utf-8")
    command(folder, "run", "e.toml", "--no-report", "--quiet", "--db", "r.db")
    return str(folder / "r.db")


MANY: Mapping[str, tuple[str, list[object]]] = {
    "optimizer.size": ("number", [3.0, 0.5]),
    "optimizer.kind": ("text", ["true", "sparse"]),
    "optimizer.only": ("integer", [2**53 + 1, None]),
    "optimizer.said": ("truth", [False, None]),
    "optimizer.large": ("number", [2.0**70, None]),
}


def test_a_column_has_one_type(mixed, tmp_path, monkeypatch):
    monkeypatch.setattr("runner.results.results_database.RUNS_AT_ONCE", 1)
    with runner.open(mixed) as database:
        whole, parts = database.runs(), list(database.run_frames())
        named = list(database.run_frames(columns=list(MANY)))
        for name, (kind, values) in MANY.items():
            column = next(each for each in whole.columns if each.name == name)
            assert (column.kind, exact(column.listed())) == (kind, exact(values)), name
            for frames in (parts, named):
                columns = [column for frame in frames for column in frame.columns if column.name == name]
                assert [(each.kind, exact(each.listed())) for each in columns] == [(kind, [exact(value)]) for value in values]
        alone = database.runs('optimizer = "whole"')
        kinds = {column.name.partition(".")[2]: column.kind for column in alone.columns if column.name in MANY}
        assert kinds == {"size": "integer", "kind": "truth", "only": "integer", "said": "truth", "large": "number"}
        assert [alone[f"optimizer.{name}"].dtype for name in ("size", "kind", "large")] == [np.int64, np.bool_, np.float64]
        assert whole["optimizer.said"].tolist() == [False, None]
        assert database.run(1).optimizer.parameters["large"] == 2**70
        database.export_runs(tmp_path / "r.parquet", columns=list(MANY))
        database.export_runs(tmp_path / "r.npz", columns=list(MANY))
    frame = polars.read_parquet(tmp_path / "r.parquet")
    assert [frame[name].to_list() for name in MANY] == [values for _, values in MANY.values()]
    with np.load(tmp_path / "r.npz") as arrays:
        assert arrays["optimizer.said"].tolist() == ["false", ""]
        assert arrays["optimizer.kind"].tolist() == ["true", "sparse"]


def test_every_table_column_keeps_its_type(mixed, tmp_path):
    rows = [json.loads(line) for line in command(tmp_path, "runs", "--format", "jsonl", "--db", mixed).splitlines()]
    assert [[row[name] for name in MANY] for row in rows] == [
        list(each) for each in zip(*(v for _, v in MANY.values()), strict=True)
    ]
    assert "optimizer.size,optimizer.kind,optimizer.only,optimizer.said,optimizer.large\n3.0,true,9007199254740993,false," in command(
        tmp_path, "runs", "--format", "csv", "--columns", ",".join(MANY), "--db", mixed
    )  # fmt: skip


def test_a_minimum_is_a_finite_number(tmp_path, write, runner_cli):
    for value in ("np.nan", "np.inf"):
        text = PLUGIN.replace("value=-0.0", f"value={value}")
        (tmp_path / "edge.py").write_text(text, encoding="utf-8")
        done = runner_cli("run", write(EXPERIMENT), "--no-report", "--quiet", "--db", "r.db")
        reason = f"because its minimum cannot be used: its value must be a finite number, not {value[3:]}; "
        assert done.code == 2
        assert reason + "leave minimum out where it is unknown\n" in done.err
        assert not (tmp_path / "r.db").exists()


def test_a_whole_number_of_any_size_is_stored(tmp_path, write, runner_cli):
    (tmp_path / "edge.py").write_text(PLUGIN, encoding="utf-8")
    for sign in ("", "-"):
        huge = f"{sign}1{'0' * 400}"
        text = EXPERIMENT.replace("count = 9007199254740993", f"count = {huge}")
        done = runner_cli("run", write(text), "--quiet", "--db", f"r{sign}.db")
        # f of this plugin reaches −∞, so its stated minimum is wrong.
        assert (done.code, [line for line in done.err.splitlines() if "the stated minimum" not in line]) == (0, [])
        with runner.open(str(tmp_path / f"r{sign}.db")) as database:
            assert database.run(1).objective.parameters["count"] == int(huge)
            assert database.runs()["objective.count"][0] == float(f"{sign}inf")
            assert all(not check.problems for check in database.verify())
