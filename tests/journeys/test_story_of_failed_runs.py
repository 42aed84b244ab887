"""Runs that fail: the plugin, its method, the place and the traceback are stored, and every way of looking at a run shows them."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from tests.support.command_line import Done

FAILING = '''\
from dataclasses import dataclass
import numpy as np
import runner

def check(x, how):
    if (x < 0.5).any():
        if how == "raises":
            raise ValueError("too close")
        if how == "surrogate":
            raise ValueError("too \\ud800 close\\0")
        if how == "mute":
            raise type("Mute", (Exception,), {"__str__": lambda self: 1 // 0})()
        if how == "long":
            raise ValueError("x" * 10**6)

@dataclass(frozen=True)
class Near(runner.Objective):
    """f(x) = x², which fails near 0."""
    how: str = "raises"
    dimension = 1
    def value(self, x):
        check(x, self.how)
        if self.how == "shape" and (x < 0.5).any():
            return x
        return (x * x).sum(axis=-1)
    def gradient(self, x):
        return 2 * x

@runner.hookimpl
def runner_objectives():
    return {"near": Near}
'''
EXPERIMENT = """\
name = "near"
plugins = ["near.py"]
objective = [{ name = "near", how = "HOW" }]
gradient = [{ name = "analytic" }]
optimizer = [{ name = "gradient_descent", learning_rate = 0.1 }]
start = { points = [1.0, 9.0] }
stop = { max_steps = 5 }
"""
COLUMNS = "id,error,failed_plugin,failed_method,failed_place,traceback,steps"
LINES = {text: number for number, text in enumerate(FAILING.splitlines(), 1)}


def line_of(text: str) -> int:
    (line,) = [number for text_of_line, number in LINES.items() if text in text_of_line]
    return line


HOW = {
    "raises": ("ValueError: too close", line_of('ValueError("too close")')),
    "surrogate": ("ValueError: too \\ud800 close\\0", line_of("ud800")),
    "mute": ("Mute: (its text cannot be made: __str__ raised ZeroDivisionError)", line_of("Mute")),
    "long": (f"ValueError: {'x' * 1988}… (998,012 more characters)", line_of("10**6")),
    "shape": (
        "Near.value returned an array of shape (1, 1) and type float64 for x of shape (1, 1); it must return a float64 array of "
        "shape (1,)",
        line_of("def value"),
    ),
}


@pytest.mark.parametrize("executor", ["serial", "processes"])
@pytest.mark.parametrize(("how", "error", "line"), [(how, *told) for how, told in HOW.items()], ids=HOW)
def test_the_row_has_plugin_method_place_and_traceback(tmp_path: Path, write, call, how, error: str, line: int, executor: str):
    write(FAILING, "near.py")
    write(EXPERIMENT.replace("HOW", how), "near.toml")
    assert call("run", "near.toml", "-q", "--no-report", "--executor", executor).code == 1
    runs = call("runs", "--columns", COLUMNS, "--format", "json").json
    sound, failed = sorted(runs, key=lambda run: str(run["error"]))
    assert (failed["error"], failed["steps"]) == (error, 3)
    assert (failed["failed_plugin"], failed["failed_method"]) == ("Near", "value")
    assert failed["failed_place"] == f"{(tmp_path / 'near.py').resolve()}:{line}"
    assert failed["traceback"].startswith("Traceback (most recent call last):\n")
    assert len(failed["traceback"]) < 6_500
    assert not any(sound[column] for column in COLUMNS.split(",")[1:6])
    shown = call("show", str(failed["id"]))
    assert shown.code == 0
    assert re.search(rf"^  failed in +Near\.value, {re.escape(failed['failed_place'])}$", shown.out, re.MULTILINE)
    assert "Traceback (most recent call last):" in shown.out
    assert call("show", str(failed["id"]), "--format", "json").json["traceback"] == failed["traceback"]
    assert "Traceback" not in call("show", str(sound["id"])).out
    assert call("verify").code == 0


def test_exports_and_filters_have_them(tmp_path: Path, write, call):
    write(FAILING, "near.py")
    write(EXPERIMENT.replace("HOW", "raises"), "near.toml")
    assert call("run", "near.toml", "-q").code == 1
    assert call("export", "runs", "runs.csv").code == 0
    with (tmp_path / "runs.csv").open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["failed_plugin"], first["failed_method"], second["failed_plugin"]) == ("Near", "value", "")
    assert first["traceback"].endswith("ValueError: too close\n")
    rows = call("runs", "--where", 'failed_plugin = "Near"', "--columns", "steps", "--format", "json").json
    assert rows == [{"steps": 3}]
    told = call("sql", "SELECT failed_method FROM runs WHERE failed_plugin = 'Near'", "--format", "json")
    assert json.loads(told.out) == [{"failed_method": "value"}]


def test_runs_that_did_not_fail_have_none(write, call):
    write(FAILING, "near.py")
    write(EXPERIMENT.replace("HOW", "raises").replace("1.0, 9.0", "9.0"), "near.toml")
    assert call("run", "near.toml", "-q", "--no-report") == Done(0, "", "")
    assert "failed" not in call("show", "1").out
