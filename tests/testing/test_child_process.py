"""The process that checks a plugin ends when the reader of its output ends."""

from __future__ import annotations

from runner.testing.check import OK, Finding
from runner.testing.child_process import CheckRequest, check_in_child_process


def test_child_is_stopped_when_its_reader_is_gone():
    findings = check_in_child_process(CheckRequest("gradient_descent"), 60.0)
    assert next(findings) == Finding("loads", OK)
    findings.close()
