"""`runner report`: the report drawn again from stored runs."""

from __future__ import annotations

from pathlib import Path


def test_report_drawn_again_is_the_same_as_after_the_run(tmp_path, write, runner_cli):
    assert runner_cli("run", write(), "--db", "r.db").code == 0
    for folder in ("one", "two"):
        done = runner_cli("report", "small", "--db", "r.db", "-o", folder)
        assert (done.code, done.err, done.out) == (0, "", f"report: {folder}/index.html\n")
    written = {path.relative_to(tmp_path / "one"): path.read_bytes() for path in (tmp_path / "one").rglob("*") if path.is_file()}
    assert {path: (tmp_path / "two" / path).read_bytes() for path in written} == written
    first = {path: (tmp_path / "results" / "small" / path).read_bytes() for path in written}
    assert {path for path in written if written[path] != first[path]} == {Path("index.html")}
    page = written[Path("index.html")].decode()
    assert "runner report 1" in page
    assert "It computes no runs." in page
    only = runner_cli("report", 1, "--db", "r.db", "--figure", "outcomes", "-o", "three")
    assert only.code == 0
    assert sorted(path.name for path in (tmp_path / "three" / "figures").iterdir()) == ["outcomes.png", "outcomes.svg"]
