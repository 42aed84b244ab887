"""Addresses of databases that cannot be used."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command_line import Done
from tests.support.databases import SUPPORTED
from tests.support.folders import folder_contents
from tests.support.refused_experiments import experiment

INSTALL = "python -m pip install 'gradient-runner[postgresql]' installs psycopg"


class TestDatabases:
    @pytest.fixture
    def rejected(self, tmp_path: Path, call: Callable[..., Done], write: Callable[..., Path]) -> Callable[[str, str], None]:
        def check(database: str, problem: str) -> None:
            write(experiment())
            before = folder_contents(tmp_path)
            done = call("run", "small.toml", "--db", database, "--no-report", "--quiet")
            assert done == Done(4, "", f"error: database {database}: {problem}\n")
            assert folder_contents(tmp_path) == before

        return check

    @pytest.mark.parametrize("text", ["hello, this is not a database", "hi"])
    def test_a_text(self, write, rejected, text: str):
        write(text, "text.db")
        rejected("text.db", "is not an SQLite database; name another file")

    def test_a_folder(self, tmp_path, rejected):
        (tmp_path / "folder").mkdir()
        rejected("folder", "cannot be read: Is a directory")

    def test_a_path_through_a_file(self, rejected):
        rejected("small.toml/r.db", "cannot be read: Not a directory")

    def test_memory(self, rejected):
        rejected(":memory:", "results are kept in a file; give its path")

    def test_unsupported_kind_of_database(self, rejected):
        rejected("mysql://host/name", f"mysql is not supported; {SUPPORTED}")

    @pytest.mark.parametrize("url", ["postgresql://host/name", "postgresql+psycopg://host/name"])
    def test_a_server_without_its_driver(self, rejected, monkeypatch, url):
        monkeypatch.setitem(sys.modules, "psycopg", None)
        cause = "import of psycopg halted; None in sys.modules"
        rejected(url, f"its driver cannot be loaded ({cause}); {INSTALL}")

    def test_missing_driver_of_another_system(self, rejected):
        advice = f"write postgresql+psycopg://..., and {INSTALL}"
        rejected("postgresql+pg8000://host/name", f"its driver cannot be loaded (No module named 'pg8000'); {advice}")

    @pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder that not even root may write into")
    def test_a_folder_that_cannot_be_written(self, rejected):
        rejected(
            "/proc/r.db",
            "cannot be created: unable to open database file; check that the file and its folder may be read and written",
        )

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
    def test_a_read_only_folder(self, tmp_path, rejected):
        (tmp_path / "closed").mkdir(mode=0o500)
        rejected("closed/r.db", "cannot be created: unable to open database file")
