"""The files of a report: names, permissions, full disks, and the same bytes each time."""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib as mpl
import pytest

from runner.errors import ReportError
from runner.report.files import write_file
from tests.support.reports import Drawn, Fixed, line, stored, write


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    pages: list[dict[Path, bytes]] = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        with mpl.rc_context({"font.size": 30 if pages else 5, "svg.hashsalt": None, "savefig.dpi": 20}):
            report = write(folder, Fixed([stored()]), ("line", Drawn(line)))
        pages.append({path.relative_to(folder): path.read_bytes() for path in report.files})
    assert pages[0] == pages[1]


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    with pytest.raises(ReportError, match="results is a file, not a folder; move it away or choose another folder$"):
        write(tmp_path / "results" / "sweep", Fixed())
    with pytest.raises(ReportError, match="results is a file, not a folder"):
        write(tmp_path / "results", Fixed())


def test_a_folder_where_a_file_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.html").mkdir()
    with pytest.raises(ReportError, match=r"index\.html cannot be written: it is a folder"):
        write(tmp_path, Fixed())


def test_read_only_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(ReportError, match=f"you may not write into {tmp_path}; change its permissions"):
        write(tmp_path, Fixed())


def test_full_disk_leaves_the_old_file_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(tmp_path, "page.html", b"old")
    part_written = Path.write_bytes

    def fill_up(path: Path, content: bytes) -> int:
        part_written(path, content[:1])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill_up)
    with pytest.raises(ReportError, match=r"page\.html cannot be written: No space left on device"):
        write_file(tmp_path, "page.html", b"new")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("page.html", b"old")]


def test_files_have_the_permissions_of_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0o027)
    try:
        path = write_file(tmp_path, "page.html", b"")
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["../page", "a/b", "", ".hidden", "/etc/passwd", "a\nb"])
def test_impossible_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReportError, match="is not a file name"):
        write_file(tmp_path, name, b"")
    assert not list(tmp_path.iterdir())
