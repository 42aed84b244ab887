"""`runner delete`, as a process on a file."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import runner
from runner.errors import StoreError
from tests.support.databases import damage, opened, run_into
from tests.support.experiment_texts import SMALL


def runs_in(path: Path) -> int:
    with opened(path) as connection:
        return int(connection.execute("SELECT count(*) FROM run").fetchone()[0])


class TestDelete:
    def test_a_dry_run_deletes_nothing(self, kept, runner_cli):
        before = kept.read_bytes()
        done = runner_cli("delete", "--where", 'outcome = "failed"', "--dry-run", "--db", "r.db")
        assert (done.code, done.out, done.err) == (0, "would delete 3 runs with 0 bytes of trajectories\n", "")
        assert kept.read_bytes() == before

    def test_runs_are_deleted(self, kept, runner_cli):
        done = runner_cli("delete", "--where", 'outcome = "diverged"', "--yes", "--db", "r.db")
        assert (done.code, done.err) == (0, "")
        assert re.fullmatch(r"deleted 3 runs with 1\.\d kB of trajectories\n", done.out), done.out
        assert runs_in(kept) == 23
        assert damage(kept) == []

    def test_runs_are_named_by_numbers_and_identities(self, kept, runner_cli):
        with opened(kept) as connection:
            (identity,) = connection.execute("SELECT identity FROM run WHERE id = 7").fetchone()
        assert runner_cli("delete", "5", identity[:8], "--yes", "--db", "r.db").out.startswith("deleted 2 runs ")
        assert runs_in(kept) == 24

    def test_an_experiment_is_deleted_and_the_message_says_so(self, kept, runner_cli):
        done = runner_cli("delete", "--experiment", "kept", "-y", "--db", "r.db")
        assert re.fullmatch(
            r"deleted 22 runs with [\d.]+ kB of trajectories, and experiment kept \(\d\), but not 2 runs that belong to other experiments too\n",
            done.out,
        ), done.out
        assert damage(kept) == []

    @pytest.fixture
    def thrice(self, write, tmp_path) -> Path:
        """Experiments 1 and 3 have the same name and 8 runs of their own; experiment 2 shares 4 runs with them."""
        for name, rates in (("small", "0.1, 0.3"), ("other", "0.3"), ("small", "0.3, 1.1")):
            text = SMALL.replace('"small"', f'"{name}"').replace("0.1, 0.3, 1.1", rates)
            run_into(write(text), tmp_path / "r.db")
        return tmp_path / "r.db"

    def test_name_means_the_experiment_that_was_run_last(self, thrice, runner_cli):
        done = runner_cli("delete", "--experiment", "small", "--dry-run", "--db", "r.db")
        told = r"4 runs with [\d.]+ kB of trajectories, and experiment small \(3\), but not 4 runs that belong to other experiments too\n"
        assert re.fullmatch(f"would delete {told}", done.out), done.out
        assert re.fullmatch(f"deleted {told}", runner_cli("delete", "--experiment", "small", "--yes", "--db", "r.db").out)
        with runner.open(thrice) as database:
            assert list(database.experiments()["id"]) == [1, 2]
            assert sorted(set(database.runs()["optimizer.learning_rate"])) == [0.1, 0.3]
        assert damage(thrice) == []

    def test_several_experiments_are_deleted_by_their_numbers(self, thrice, runner_cli):
        done = runner_cli("delete", "--experiment", "1", "--experiment", "3", "--experiment", "small", "-y", "--db", "r.db")
        told = r"8 runs with [\d.]+ kB of trajectories, and experiments small \(1\), small \(3\), but not 4 runs that belong to other experiments too\n"
        assert re.fullmatch(f"deleted {told}", done.out), done.out
        with runner.open(thrice) as database:
            assert list(database.experiments()["name"]) == ["other"]
            assert set(database.runs()["optimizer.learning_rate"]) == {0.3}
        assert damage(thrice) == []

    def test_runs_computed_again_meanwhile_are_kept(self, thrice, write):
        with runner.open(thrice) as database:
            plan = database.plan_deletion(experiment="small")
            run_into(write(SMALL.replace("0.1, 0.3, 1.1", "0.1, 0.3")), thrice)
            with pytest.raises(StoreError) as error:
                database.delete(plan)
            assert len(database.experiments()) == 3
        assert str(error.value) == (
            f"database {thrice}: the runs to delete have changed since the deletion was planned, so nothing was deleted; check them and try again"
        )

    def test_an_experiment_without_runs_stays_until_it_is_named(self, thrice, runner_cli):
        assert runner_cli("delete", "--where", 'experiment = "other"', "--yes", "--db", "r.db").code == 0
        with runner.open(thrice) as database:
            assert list(database.experiments()["runs"]) == [4, 0, 4]
        done = runner_cli("delete", "--experiment", "2", "--yes", "--db", "r.db")
        assert (done.code, done.out) == (0, "deleted 0 runs with 0 bytes of trajectories, and experiment other (2)\n")

    def test_superseded_runs_are_deleted(self, kept, runner_cli):
        done = runner_cli("delete", "--superseded", "--yes", "--db", "r.db")
        assert re.fullmatch(r"deleted 2 runs \(2 superseded\) with [\d.]+ kB of trajectories\n", done.out), done.out

    def test_without_a_terminal_yes_is_required(self, kept, runner_cli):
        before = kept.read_bytes()
        done = runner_cli("delete", "4", "--db", "r.db")
        assert (done.code, done.out) == (2, "")
        assert done.err == (
            "error: would delete 1 run with 744 bytes of trajectories from r.db; standard input is not a terminal, so confirm with --yes\n"
            "  see runner delete --help\n"
        )
        assert kept.read_bytes() == before

    def test_call_that_names_no_run_is_refused(self, kept, runner_cli):
        done = runner_cli("delete", "--db", "r.db")
        message = "error: nothing is named to delete; name runs, a filter, an experiment, or superseded runs\n"
        assert (done.code, done.err) == (2, message)

    @pytest.mark.parametrize("other", [["7"], ["--where", 'outcome = "failed"'], ["--superseded"]])
    def test_runs_named_in_two_ways_are_refused(self, kept, runner_cli, other):
        before = kept.read_bytes()
        done = runner_cli("delete", "--experiment", "kept", *other, "--yes", "--db", "r.db")
        assert (done.code, done.out) == (2, "")
        assert done.err == (
            "error: the runs to delete are named in 2 ways; name them in one way, such as the filter "
            'experiment = "lr_sweep" and outcome = "failed"\n'
        )
        assert kept.read_bytes() == before

    def test_empty_selection_is_reported(self, kept, runner_cli):
        done = runner_cli("delete", "--where", "steps > 1e6", "--db", "r.db")
        assert (done.code, done.out, done.err) == (0, "there is nothing to delete\n", "")

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (["--experiment", "none"], 2, "error: database r.db: holds no experiment 'none'; `runner list` shows all experiments"),
            (["--experiment", "9"], 2, "error: database r.db: holds no experiment '9'; `runner list` shows all experiments"),
            (["--experiment", "kepd"], 2, "error: database r.db: holds no experiment 'kepd'; did you mean kept?"),
            (["99"], 2, "error: database r.db: holds no run 99; give a row number, or at least 4 characters of an identity, "
                        "as `runner runs` shows them"),
        ],
    )  # fmt: skip
    def test_missing_runs_are_reported(self, kept, runner_cli, arguments, code, message):
        before = kept.read_bytes()
        done = runner_cli("delete", *arguments, "--yes", "--db", "r.db")
        assert (done.code, done.out, done.err) == (code, "", f"{message}\n")
        assert kept.read_bytes() == before

    @pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
    @pytest.mark.parametrize(
        ("answer", "code", "left", "told"),
        [
            ("y", 0, 25, "y\r\ndeleted 1 run with 744 bytes of trajectories\r\n"),
            ("n", 0, 26, "n\r\nnothing was deleted\r\n"),
            ("", 0, 26, "\r\nnothing was deleted\r\n"),
            ("\x03", 130, 26, "^C\r\ninterrupted\r\n"),
        ],
    )
    def test_user_at_a_terminal_is_asked(self, kept, answer, code, left, told):
        pexpect = pytest.importorskip("pexpect")
        command = ["-c", "from runner.cli import main; main()", "delete", "4", "--db", "r.db"]
        child = pexpect.spawn(sys.executable, command, cwd=str(kept.parent), encoding="utf-8", timeout=60)
        child.expect_exact("Delete 1 run with 744 bytes of trajectories from r.db? [y/N]: ")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert (child.exitstatus, runs_in(kept), child.before) == (code, left, told)
