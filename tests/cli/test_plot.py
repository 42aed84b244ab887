"""`runner plot`: one figure of stored runs."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_figure_has_the_same_bytes_each_time(ask, tmp_path, suffix):
    for name in ("a", "b"):
        done = ask("plot", "fifty", "--figure", "convergence", "-o", f"{name}.{suffix}")
        assert (done.code, done.err) == (0, "")
        assert done.out.endswith(f"\nwrote {name}.{suffix}\n")
        assert len(done.out) > 200, "the caption is printed"
        assert "\\n" not in done.out
    content = (tmp_path / f"a.{suffix}").read_bytes()
    assert content == (tmp_path / f"b.{suffix}").read_bytes()
    assert content.startswith({"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[suffix])


def test_a_figure_of_some_runs_differs(ask, tmp_path):
    ask("plot", 1, "--figure", "outcomes", "-o", "all.svg")
    ask("plot", 1, "--figure", "outcomes", "--where", 'objective = "quadratic"', "-o", "some.svg")
    assert (tmp_path / "all.svg").read_bytes() != (tmp_path / "some.svg").read_bytes()
    assert ask("plot", "twenty", "--figure", "outcomes").out.endswith("wrote twenty-outcomes.svg\n")
