"""The command line, called in this process."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from runner.cli import main


@dataclass(frozen=True)
class Done:
    """The exit code and the outputs of a finished command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def call_main(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object, **around: str
) -> Done:
    """Call `runner` in this process, in a folder, with some variables set around it."""
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("RUNNER_DB", raising=False)
        for name, value in around.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["runner", *map(str, arguments)])
        with pytest.raises(SystemExit) as leaving:
            main()
    assert isinstance(leaving.value.code, int)
    return Done(leaving.value.code, *capsys.readouterr())


def call_in_current_folder(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> Done:
    monkeypatch.setattr(sys, "argv", ["runner", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return Done(int(ended.value.code or 0), *capsys.readouterr())


def cells(out: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(out)))
