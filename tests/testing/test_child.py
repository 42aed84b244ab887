"""The process that checks a plugin stops with its reader."""

from __future__ import annotations

from runner.testing.check import OK, Finding
from runner.testing.child import Question, examine


def test_child_is_stopped_when_its_reader_is_gone():
    findings = examine(Question("gradient_descent"), 60.0)
    assert next(findings) == Finding("loads", OK)
    findings.close()
