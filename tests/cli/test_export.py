"""`runner export`: every format, exact to the last bit."""

from __future__ import annotations

import json
import math
import shutil
import struct
import sys

import numpy as np
import pytest
from arro3.io import read_parquet

import runner
from tests.support.command_line import cells
from tests.support.databases import SPECIAL, opened, store_series


def test_every_bit_survives_an_export(tmp_path, write, runner_cli):
    payload = struct.unpack(">d", bytes.fromhex("7ff8000000000123"))[0]
    values = [*SPECIAL, payload]
    store_series(tmp_path / "r.db", write(), values, final=math.nan)
    expected = np.array(values).tobytes()
    for name in ("steps.npz", "steps.parquet", "steps.csv", "steps.jsonl", "runs.parquet", "runs.npz"):
        done = runner_cli("export", name.partition(".")[0], name, "--db", "r.db")
        assert (done.code, done.err) == (0, "")
    archive = np.load(tmp_path / "steps.npz")
    assert archive["1/value"].tobytes() == archive["1/gradient_norm"].tobytes() == expected
    assert archive["1/x"].tobytes() == expected
    table = read_parquet(tmp_path / "steps.parquet").read_all()
    assert table["value"].combine_chunks().to_numpy().tobytes() == table["x0"].combine_chunks().to_numpy().tobytes() == expected
    texts = [row["value"] for row in cells((tmp_path / "steps.csv").read_text())]
    lines = [json.loads(line)["value"] for line in (tmp_path / "steps.jsonl").read_text().splitlines()]
    for read in ([float(text) for text in texts], [float(value) for value in lines]):
        assert [struct.pack("d", abs(each) if math.isnan(each) else each) for each in read] == [
            struct.pack("d", math.nan if math.isnan(each) else each) for each in values
        ]
    assert math.isnan(np.load(tmp_path / "runs.npz")["final_value"][0])
    assert math.isnan(read_parquet(tmp_path / "runs.parquet").read_all()["final_value"].combine_chunks().to_numpy()[0])


def test_exports_hold_every_selected_run(ask, stored, tmp_path):
    assert (
        ask("export", "runs", "r.csv", "--where", "experiment = 1", "--columns", "id,learning_rate").out
        == "wrote 12 runs to r.csv\n"
    )
    assert cells((tmp_path / "r.csv").read_text())[0] == {"id": "1", "learning_rate": "0.1"}
    with runner.open(str(stored)) as database:
        everything = database.steps()
        runs = database.runs()
    assert ask("export", "steps", "s.parquet").out == f"wrote {len(everything):,} iterates to s.parquet\n"
    table = read_parquet(tmp_path / "s.parquet").read_all()
    assert table.column_names == list(everything.names)
    assert table["value"].combine_chunks().to_numpy().tobytes() == everything["value"].tobytes()
    ask("export", "runs", "r.parquet")
    assert read_parquet(tmp_path / "r.parquet").read_all().column_names == list(runs.names)
    ask("export", "steps", "s.npz", "--where", "id = 2", "--series", "x")
    assert np.load(tmp_path / "s.npz").files == ["2/x"]


def test_archive_has_the_same_bytes_each_time(ask, tmp_path):
    for name in ("a.npz", "b.npz"):
        ask("export", "steps", name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_interrupted_export_leaves_no_file(tmp_path, stored, runner_cli):
    shutil.copy(stored, tmp_path / "c.db")
    with opened(tmp_path / "c.db") as connection:
        connection.execute("UPDATE chunk SET data = zeroblob(length(data)) WHERE run_id = 12")
    for name in ("s.csv", "s.parquet", "s.npz", "s.jsonl"):
        (tmp_path / name).write_text("what was there before")
        done = runner_cli("export", "steps", name, "--db", "c.db")
        assert (done.code, done.err) == (4, "error: database c.db: the trajectory of run 12 is damaged at step 0\n")
        assert (tmp_path / name).read_text() == "what was there before"
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


@pytest.mark.parametrize("library", ["arro3.core", "arro3.io"])
def test_parquet_without_its_libraries_names_the_extra(stored, tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with runner.open(str(stored)) as database, pytest.raises(runner.RunnerError) as error:
        database.export_runs(tmp_path / "r.parquet")
    install = "python -m pip install 'gradient-runner[parquet]'"
    assert str(error.value) == f"a Parquet file needs arro3-io, which is not installed: {install}"
    assert list(tmp_path.iterdir()) == []
