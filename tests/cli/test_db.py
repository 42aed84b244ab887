"""`runner db` and `runner delete`, as processes on files."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from pathlib import Path

import pytest

import runner
from runner.errors import StoreError
from tests.support.databases import contents, damage, opened, run_into
from tests.support.experiment_texts import SMALL
from tests.support.paths import KEPT_DATABASE

TODAY = time.strftime("%Y-%m-%d")


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """24 runs and 2 superseded ones, of experiments `kept` and `again`."""
    shutil.copy(KEPT_DATABASE, tmp_path / "r.db")
    return tmp_path / "r.db"


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

    def test_numbers_and_identities_name_runs(self, kept, runner_cli):
        with opened(kept) as connection:
            (identity,) = connection.execute("SELECT identity FROM run WHERE id = 7").fetchone()
        assert runner_cli("delete", "5", identity[:8], "--yes", "--db", "r.db").out.startswith("deleted 2 runs ")
        assert runs_in(kept) == 24

    def test_an_experiment_is_deleted_and_the_message_says_so(self, kept, runner_cli):
        done = runner_cli("delete", "--experiment", "kept", "-y", "--db", "r.db")
        assert re.fullmatch(
            r"deleted 22 runs with [\d.]+ kB of trajectories, and experiment kept \(\d\), but not 2 runs that belong to others too\n",
            done.out,
        ), done.out
        assert damage(kept) == []

    @pytest.fixture
    def thrice(self, write, tmp_path) -> Path:
        """Experiments 1 and 3 of the same name, with 8 runs that only they have, and 2 of another, which has 4 of theirs."""
        for name, rates in (("small", "0.1, 0.3"), ("other", "0.3"), ("small", "0.3, 1.1")):
            text = SMALL.replace('"small"', f'"{name}"').replace("0.1, 0.3, 1.1", rates)
            run_into(write(text), tmp_path / "r.db")
        return tmp_path / "r.db"

    def test_a_name_is_the_experiment_that_was_run_last(self, thrice, runner_cli):
        done = runner_cli("delete", "--experiment", "small", "--dry-run", "--db", "r.db")
        told = r"4 runs with [\d.]+ kB of trajectories, and experiment small \(3\), but not 4 runs that belong to others too\n"
        assert re.fullmatch(f"would delete {told}", done.out), done.out
        assert re.fullmatch(f"deleted {told}", runner_cli("delete", "--experiment", "small", "--yes", "--db", "r.db").out)
        with runner.open(thrice) as database:
            assert list(database.experiments()["id"]) == [1, 2]
            assert sorted(set(database.runs()["optimizer.learning_rate"])) == [0.1, 0.3]
        assert damage(thrice) == []

    def test_numbers_are_experiments_and_several_go_at_once(self, thrice, runner_cli):
        done = runner_cli("delete", "--experiment", "1", "--experiment", "3", "--experiment", "small", "-y", "--db", "r.db")
        told = r"8 runs with [\d.]+ kB of trajectories, and experiments small \(1\), small \(3\), but not 4 runs that belong to others too\n"
        assert re.fullmatch(f"deleted {told}", done.out), done.out
        with runner.open(thrice) as database:
            assert list(database.experiments()["name"]) == ["other"]
            assert set(database.runs()["optimizer.learning_rate"]) == {0.3}
        assert damage(thrice) == []

    def test_what_goes_may_be_run_again_meanwhile_and_stays_then(self, thrice, write):
        with runner.open(thrice) as database:
            plan = database.plan_deletion(experiment="small")
            run_into(write(SMALL.replace("0.1, 0.3, 1.1", "0.1, 0.3")), thrice)
            with pytest.raises(StoreError) as error:
                database.delete(plan)
            assert len(database.experiments()) == 3
        assert str(error.value) == (f"database {thrice}: what was to be deleted has changed meanwhile; look at it and try again")

    def test_an_experiment_without_runs_stays_until_it_is_named(self, thrice, runner_cli):
        assert runner_cli("delete", "--where", 'experiment = "other"', "--yes", "--db", "r.db").code == 0
        with runner.open(thrice) as database:
            assert list(database.experiments()["runs"]) == [4, 0, 4]
        done = runner_cli("delete", "--experiment", "2", "--yes", "--db", "r.db")
        assert (done.code, done.out) == (0, "deleted 0 runs with 0 bytes of trajectories, and experiment other (2)\n")

    def test_superseded_runs_are_deleted(self, kept, runner_cli):
        done = runner_cli("delete", "--superseded", "--yes", "--db", "r.db")
        assert re.fullmatch(r"deleted 2 runs \(2 superseded\) with [\d.]+ kB of trajectories\n", done.out), done.out

    def test_where_nobody_can_be_asked_it_asks_for_yes(self, kept, runner_cli):
        before = kept.read_bytes()
        done = runner_cli("delete", "4", "--db", "r.db")
        assert (done.code, done.out) == (2, "")
        assert done.err == (
            "error: would delete 1 run with 744 bytes of trajectories from r.db; nobody is there to ask, so say --yes\n"
            "  see runner delete --help\n"
        )
        assert kept.read_bytes() == before

    def test_nothing_named_is_told(self, kept, runner_cli):
        done = runner_cli("delete", "--db", "r.db")
        message = "error: nothing is named to delete; name runs, a filter, an experiment, or superseded runs\n"
        assert (done.code, done.err) == (2, message)

    @pytest.mark.parametrize("other", [["7"], ["--where", 'outcome = "failed"'], ["--superseded"]])
    def test_runs_named_in_two_ways_are_refused(self, kept, runner_cli, other):
        before = kept.read_bytes()
        done = runner_cli("delete", "--experiment", "kept", *other, "--yes", "--db", "r.db")
        assert (done.code, done.out) == (2, "")
        assert done.err == (
            "error: runs to delete are named in 2 ways, and all of them would go; give one, such as the filter "
            'experiment = "lr_sweep" and outcome = "failed"\n'
        )
        assert kept.read_bytes() == before

    def test_nothing_to_delete_is_told(self, kept, runner_cli):
        done = runner_cli("delete", "--where", "steps > 1e6", "--db", "r.db")
        assert (done.code, done.out, done.err) == (0, "there is nothing to delete\n", "")

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (["--experiment", "none"], 2, "error: database r.db: holds no experiment 'none'; `runner list` shows what there is"),
            (["--experiment", "9"], 2, "error: database r.db: holds no experiment '9'; `runner list` shows what there is"),
            (["--experiment", "kepd"], 2, "error: database r.db: holds no experiment 'kepd'; did you mean kept?"),
            (["99"], 2, "error: database r.db: holds no run 99; give a row number, or at least 4 characters of an identity, "
                        "as `runner runs` shows them"),
        ],
    )  # fmt: skip
    def test_what_is_not_there_is_told(self, kept, runner_cli, arguments, code, message):
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
    def test_somebody_at_a_terminal_is_asked(self, kept, answer, code, left, told):
        pexpect = pytest.importorskip("pexpect")
        command = ["-c", "from runner.cli import main; main()", "delete", "4", "--db", "r.db"]
        child = pexpect.spawn(sys.executable, command, cwd=str(kept.parent), encoding="utf-8", timeout=60)
        child.expect_exact("Delete 1 run with 744 bytes of trajectories from r.db? [y/N]: ")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert (child.exitstatus, runs_in(kept), child.before) == (code, left, told)


class TestDb:
    def test_info_tells_what_it_is(self, kept, runner_cli):
        done = runner_cli("db", "info", "--db", "r.db")
        assert (done.code, done.err) == (0, "")
        told = dict(re.split(r"  +", line, maxsplit=1) for line in done.out.splitlines())
        with opened(kept) as connection:
            (iterates,) = connection.execute("SELECT sum(count) FROM chunk").fetchone()
        assert told.pop("kept by").startswith("SQLite 3.")
        assert told.pop("stored").count(" to ") == 1
        assert told == {
            "database": "r.db", "schema": "0003", "size": "57.3 kB", "experiments": "2", "runs": "24, and 2 superseded",
            "iterates": str(iterates), "at work": "nobody",
        }  # fmt: skip
        assert runner_cli("db", "info", "--format", "json", "--db", "r.db").json["superseded"] == 2

    def test_a_backup_has_a_name_of_its_own(self, kept, runner_cli):
        names = [f"r.schema_0003.{TODAY}{number}.db" for number in ("", ".2", ".3")]
        for name in names:
            assert runner_cli("db", "backup", "--db", "r.db").out == f"copied to {name}\n"
            assert contents(kept.with_name(name)) == contents(kept)
        named = runner_cli("db", "backup", names[0], "--db", "r.db")
        assert (named.code, named.out) == (4, "")
        assert named.err == f"error: database r.db: cannot be copied to {names[0]}: there is such a file; name another one\n"

    def test_a_backup_is_of_one_instant_while_others_write(self, kept, runner_cli):
        with opened(kept) as connection:
            connection.execute("DELETE FROM chunk WHERE run_id = 2")
            done = runner_cli("db", "backup", "copy.db", "--db", "r.db")
            connection.rollback()
        assert (done.code, done.out) == (0, "copied to copy.db\n")
        assert damage(kept.with_name("copy.db")) == []

    def test_a_copy_is_verified(self, kept, runner_cli):
        done = runner_cli("db", "copy", "copy.db", "--db", "r.db")
        assert (done.code, done.out, done.err) == (0, "copy.db: 26 runs copied, and verified\n", "")
        assert contents(kept.with_name("copy.db")) == contents(kept)
        again = runner_cli("db", "copy", "copy.db", "--db", "r.db")
        assert (again.code, again.out) == (4, "")
        assert again.err == (
            "error: database copy.db: holds 26 runs of 2 experiments, and a copy goes only where nothing is; name a new one\n"
        )

    def test_a_copy_into_itself_is_refused(self, kept, runner_cli):
        assert runner_cli("db", "copy", "r.db", "--db", "r.db").code == 4
        assert damage(kept) == []

    def test_a_vacuum_gives_room_back(self, kept, runner_cli):
        runner_cli("delete", "--experiment", "kept", "--yes", "--db", "r.db")
        assert "are free" in runner_cli("db", "info", "--db", "r.db").out
        done = runner_cli("db", "vacuum", "--db", "r.db")
        assert (done.code, done.err) == (0, "")
        assert re.fullmatch(r"r\.db: [\d.]+ kB before, [\d.]+ kB now\n", done.out), done.out
        assert kept.stat().st_size < KEPT_DATABASE.stat().st_size
        assert damage(kept) == []

    def test_an_upgrade_of_what_is_new_does_nothing(self, kept, runner_cli):
        before = kept.read_bytes()
        assert runner_cli("db", "upgrade", "--db", "r.db").out == "r.db: has schema 0003 already\n"
        assert kept.read_bytes() == before

    @pytest.mark.parametrize("command", ["info", "backup", "upgrade", "vacuum", "copy"])
    def test_every_command_has_help_with_an_example(self, runner_cli, command):
        assert f"runner db {command}" in runner_cli("db", command, "--help").out

    def test_a_server_without_a_database_is_told(self, runner_cli, server_database):
        done = runner_cli("db", "info", "--db", server_database())
        assert done.code == 4
        assert "there is none; `runner run` makes it" in done.err

    def test_a_file_goes_to_a_server_and_back(self, kept, runner_cli, server_database):
        url = server_database()
        assert runner_cli("db", "copy", url, "--db", "r.db").out == f"{url}: 26 runs copied, and verified\n"
        backup = runner_cli("db", "backup", "--db", url)
        assert (backup.code, backup.out) == (4, "")
        assert backup.err == f"error: database {url}: is on a server; use the server's own tools, or `runner db copy`\n"
        assert runner_cli("db", "copy", "back.db", "--db", url).code == 0
        assert contents(kept.with_name("back.db")) == contents(kept)
        assert json.loads(runner_cli("db", "info", "--format", "json", "--db", url).out)["system"].startswith("PostgreSQL")
