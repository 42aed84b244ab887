"""`runner db`, as a process on a file."""

from __future__ import annotations

import json
import re
import time

import pytest

from tests.support.databases import damage, opened, stored_bits
from tests.support.paths import KEPT_DATABASE

TODAY = time.strftime("%Y-%m-%d")


class TestDb:
    def test_info_describes_the_database(self, kept, runner_cli):
        done = runner_cli("db", "info", "--db", "r.db")
        assert (done.code, done.err) == (0, "")
        told = dict(re.split(r"  +", line, maxsplit=1) for line in done.out.splitlines())
        with opened(kept) as connection:
            (iterates,) = connection.execute("SELECT sum(count) FROM chunk").fetchone()
        assert told.pop("system").startswith("SQLite 3.")
        assert told.pop("stored").count(" to ") == 1
        assert told == {
            "database": "r.db", "schema": "0004", "size": "63.5 kB", "experiments": "2", "runs": "24, and 2 superseded",
            "iterates": str(iterates), "computing": "no process",
        }  # fmt: skip
        assert runner_cli("db", "info", "--format", "json", "--db", "r.db").json["superseded"] == 2

    def test_backup_gets_a_new_name(self, kept, runner_cli):
        names = [f"r.schema_0004.{TODAY}{number}.db" for number in ("", ".2", ".3")]
        for name in names:
            assert runner_cli("db", "backup", "--db", "r.db").out == f"copied to {name}\n"
            assert stored_bits(kept.with_name(name)) == stored_bits(kept)
        named = runner_cli("db", "backup", names[0], "--db", "r.db")
        assert (named.code, named.out) == (4, "")
        assert named.err == f"error: database r.db: cannot be copied to {names[0]}: the file exists; name another one\n"

    def test_backup_is_a_snapshot_while_others_write(self, kept, runner_cli):
        with opened(kept) as connection:
            connection.execute("DELETE FROM chunk WHERE run_id = 2")
            done = runner_cli("db", "backup", "copy.db", "--db", "r.db")
            connection.rollback()
        assert (done.code, done.out) == (0, "copied to copy.db\n")
        assert damage(kept.with_name("copy.db")) == []

    def test_a_copy_is_verified(self, kept, runner_cli):
        done = runner_cli("db", "copy", "copy.db", "--db", "r.db")
        assert (done.code, done.out, done.err) == (0, "copy.db: 26 runs copied and verified\n", "")
        assert stored_bits(kept.with_name("copy.db")) == stored_bits(kept)
        again = runner_cli("db", "copy", "copy.db", "--db", "r.db")
        assert (again.code, again.out) == (4, "")
        assert again.err == (
            "error: database copy.db: holds 26 runs of 2 experiments, and a copy needs a new or empty database; name another one\n"
        )

    def test_a_copy_into_itself_is_refused(self, kept, runner_cli):
        assert runner_cli("db", "copy", "r.db", "--db", "r.db").code == 4
        assert damage(kept) == []

    def test_vacuum_frees_space(self, kept, runner_cli):
        runner_cli("delete", "--experiment", "kept", "--yes", "--db", "r.db")
        assert "are free" in runner_cli("db", "info", "--db", "r.db").out
        done = runner_cli("db", "vacuum", "--db", "r.db")
        assert (done.code, done.err) == (0, "")
        assert re.fullmatch(r"r\.db: [\d.]+ kB before, [\d.]+ kB now\n", done.out), done.out
        assert kept.stat().st_size < KEPT_DATABASE.stat().st_size
        assert damage(kept) == []

    def test_upgrade_of_a_current_database_does_nothing(self, kept, runner_cli):
        before = kept.read_bytes()
        assert runner_cli("db", "upgrade", "--db", "r.db").out == "r.db: already has schema 0004\n"
        assert kept.read_bytes() == before

    @pytest.mark.parametrize("command", ["info", "backup", "upgrade", "vacuum", "copy"])
    def test_every_command_has_help_with_an_example(self, runner_cli, command):
        assert f"runner db {command}" in runner_cli("db", command, "--help").out

    def test_server_without_that_database_is_reported(self, runner_cli, server_database):
        done = runner_cli("db", "info", "--db", server_database())
        assert done.code == 4
        assert "does not exist; `runner run` creates it" in done.err

    def test_copy_from_a_file_to_a_server_and_back(self, kept, runner_cli, server_database):
        url = server_database()
        assert runner_cli("db", "copy", url, "--db", "r.db").out == f"{url}: 26 runs copied and verified\n"
        backup = runner_cli("db", "backup", "--db", url)
        assert (backup.code, backup.out) == (4, "")
        assert backup.err == f"error: database {url}: is on a server; use the server's own tools, or `runner db copy`\n"
        assert runner_cli("db", "copy", "back.db", "--db", url).code == 0
        assert stored_bits(kept.with_name("back.db")) == stored_bits(kept)
        assert json.loads(runner_cli("db", "info", "--format", "json", "--db", url).out)["system"].startswith("PostgreSQL")
