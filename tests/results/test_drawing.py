"""Figures and reports that are drawn from the database alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.databases import stored_in
from tests.support.experiment_texts import SMALL


@pytest.mark.parametrize("call", ["plot('p.svg', 'convergence', 1)", "report('r', 1)"])
def test_drawing_loads_no_engine(tmp_path: Path, call: str):
    stored = stored_in(tmp_path, SMALL)
    script = (
        "import sys, runner\n"
        f"with runner.open({str(stored)!r}) as database:\n"
        f"    database.{call}\n"
        "print([name for name in sys.modules if name.startswith('runner.engine')])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "[]\n"
