"""Files that are not databases of results are refused, and readers never write."""

from __future__ import annotations

import pytest

from runner.errors import StoreError
from runner.store.connection import Database
from runner.store.writing.recording import Store
from tests.support.databases import SUPPORTED, opened, run_into


class TestForeignFiles:
    def test_text_is_refused_and_left_alone(self, tmp_path):
        path = tmp_path / "notes.db"
        path.write_text("shopping list: nothing that is a database")
        with pytest.raises(StoreError) as caught:
            Store(str(path)).find(["x"])
        assert str(caught.value) == f"database {path}: is not an SQLite database; name another file"
        assert path.read_text().startswith("shopping")

    def test_another_programs_database_is_refused(self, tmp_path):
        path = tmp_path / "other.db"
        with opened(path) as connection:
            connection.execute("CREATE TABLE bookmark (url TEXT)")
        before = path.read_bytes()
        with pytest.raises(StoreError) as caught:
            Store(str(path)).find(["x"])
        assert str(caught.value) == f"database {path}: belongs to another program (its tables: bookmark); name another file"
        assert path.read_bytes() == before

    def test_another_schema_is_refused(self, tmp_path, write):
        path = tmp_path / "r.db"
        run_into(write(), path)
        with opened(path) as connection:
            connection.execute("UPDATE runner_schema SET version_num = '9999'")
        with pytest.raises(StoreError) as caught:
            Store(str(path)).find(["x"])
        assert str(caught.value) == (
            f"database {path}: has schema 9999, and this version of runner reads 0004 and older ones; "
            "use the version of runner that wrote it, or name another file"
        )

    def test_an_empty_file_becomes_a_database(self, tmp_path, write):
        path = tmp_path / "r.db"
        path.touch()
        _, computed = run_into(write(), path)
        assert len(computed) == 12

    def test_database_without_tables_becomes_a_results_database(self, tmp_path, write):
        path = tmp_path / "r.db"
        with opened(path) as connection:
            connection.execute("VACUUM")
        assert path.stat().st_size > 0
        _, computed = run_into(write(), path)
        assert len(computed) == 12

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("nonsense://x", f"database nonsense://x: nonsense is not supported; {SUPPORTED}"),
            ("://", f"database ://: is neither a path nor a database URL; {SUPPORTED}"),
            ("sqlite://", "database sqlite://: results are kept in a file; give its path"),
        ],
    )
    def test_a_bad_url_is_reported(self, name, message):
        with pytest.raises(StoreError) as caught:
            Store(name)
        assert str(caught.value) == message

    def test_reading_creates_no_file(self, tmp_path):
        assert Store(str(tmp_path / "none.db")).find(["x"]) == {}
        assert list(tmp_path.iterdir()) == []

    def test_readers_cannot_write(self, tmp_path, write):
        path = tmp_path / "r.db"
        run_into(write(), path)
        with (
            pytest.raises(StoreError, match="cannot be written; the file or its folder is read-only"),
            Database(str(path)).reading() as connection,
        ):
            connection.exec_driver_sql("DELETE FROM run")
