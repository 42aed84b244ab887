"""Fixtures of the tests of the command line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command_line import Done
from tests.support.databases import run_into
from tests.support.experiment_texts import SMALL
from tests.support.paths import KEPT_DATABASE


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with two small experiments: one with 50 steps, and one with 20."""
    folder = tmp_path_factory.mktemp("asked")
    for name, steps in (("fifty", 50), ("twenty", 20)):
        text = SMALL.replace("max_steps = 50", f"max_steps = {steps}").replace('"small"', f'"{name}"')
        (folder / "e.toml").write_text(text, encoding="utf-8")
        run_into(folder / "e.toml", folder / "r.db")
    return folder / "r.db"


@pytest.fixture
def ask(stored: Path, runner_cli: Callable[..., Done]) -> Callable[..., Done]:
    def call(command: str, *arguments: object, **more: object) -> Done:
        return runner_cli(command, *arguments, "--db", stored, **more)

    return call


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A database with 24 current and 2 superseded runs of the experiments `kept` and `again`."""
    shutil.copy(KEPT_DATABASE, tmp_path / "r.db")
    return tmp_path / "r.db"
