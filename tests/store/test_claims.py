"""Claims on runs, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import runner
from runner.pipeline.execute import execute
from runner.pipeline.plan import Choices, make_plan, read
from runner.registry.registry import Registry
from runner.store.writing.recording import Store
from tests.support.database_rows import problems, rows, run_into
from tests.support.databases import ENVIRONMENT, Watcher
from tests.support.experiment_texts import SMALL


class TestClaims:
    def test_run_is_claimed_once_and_released_at_the_end(self, name, write):
        catalogue = Registry()
        stores = [Store(name) for _ in range(2)]
        plan = make_plan(read(write(), catalogue, Choices()), stores[0], Choices())
        first, second = (store.begin(plan.experiment, plan.runs, {}, ENVIRONMENT) for store in stores)
        identities = [run.identity for run in plan.runs]
        assert first.claim(plan.runs[:8], {}).claimed == tuple(identities[:8])
        result = second.claim(plan.runs, {})
        assert result.claimed == tuple(identities[8:])
        assert dict(result.held_elsewhere) == dict.fromkeys(identities[:8], f"process {os.getpid()}")
        first.close()
        assert second.claim(plan.runs[:8], {}).claimed == tuple(identities[:8])
        second.close()
        assert rows(name, "claim", "worker") == {"claim": [], "worker": []}
        for store in stores:
            store.close()

    def test_runs_stored_by_another_process_join_the_experiment(self, name, write):
        path = write()
        store, catalogue, watcher = Store(name), Registry(), Watcher()
        plan = make_plan(read(path, catalogue, Choices()), store, Choices())
        run_into(write(SMALL.replace('"small"', '"other"'), "other.toml"), name)
        execute(plan, store, catalogue, Choices(), watcher)
        store.close()
        assert watcher.saved_runs == []
        with runner.open(name) as database:
            assert database.experiments()["runs"].tolist() == [12, 12]
            assert len(database.runs('experiment = "small"')) == 12

    def test_processes_divide_a_sweep(self, name, write, tmp_path):
        write(SMALL + "[execution]\nmax_batch = 1\n")
        command = [
            sys.executable,
            "-c",
            "from runner.cli import main; main()",
            "run",
            "small.toml",
            "--no-report",
            "--format",
            "json",
        ]
        processes = [
            subprocess.Popen([*command, "--db", name], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            for _ in range(4)
        ]
        endings = [(*process.communicate(timeout=120), process.returncode) for process in processes]
        assert [(told, code) for _, told, code in endings] == [("", 0)] * 4
        assert sum(sum(json.loads(out)["computed"].values()) for out, *_ in endings) == 12
        assert problems(name) == []
