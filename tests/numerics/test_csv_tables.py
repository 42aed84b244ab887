"""Tables of data in CSV files."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner import read_table


def test_a_table_is_read_again_when_its_file_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    first = read_table(path)
    assert first.tolist() == [[1, 2]]
    assert read_table(path) is first
    assert not first.flags.writeable
    path.write_text("a,b\n1,3\n", encoding="utf-8")
    assert read_table(path).tolist() == [[1, 3]]
    path.unlink()
    with pytest.raises(ValueError, match="absent|read") as refusal:
        read_table(path)
    assert str(refusal.value) == f"{path}: cannot be read: No such file or directory"
