"""Checks: named functions that are run once, and pass, fail or are skipped, with an explanation."""

from __future__ import annotations

import os
import textwrap
import traceback
import unittest
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from runner.contracts.arrays import Array

Verdict = Literal["ok", "failed", "skipped"]
OK: Verdict = "ok"
"""The verdict of a check that passed."""
FAILED: Verdict = "failed"
"""The verdict of a check that failed."""
SKIPPED: Verdict = "skipped"
"""The verdict of a check that does not apply."""

RUNNER_FOLDER = str(Path(__file__).parent.parent) + os.sep
LONGEST_TEXT = 300
HOW_TO_BATCH = "Broadcast over the leading axis, reduce with axis=-1, and use runner.dot, runner.norm and runner.matvec"


class Failure(AssertionError):
    """The exception of a check that fails; its text names the problem."""


class Skip(Exception):
    """The exception of a check that does not apply; its text gives the reason."""


@dataclass(frozen=True)
class Finding:
    """The result of a check.

    Attributes:
        check: the name of the check.
        verdict: `ok`, `failed` or `skipped`.
        explanation: the reason for the verdict. For `ok`, it is a remark or empty.
    """

    check: str
    verdict: Verdict
    explanation: str = ""

    def __str__(self) -> str:
        """Return the finding as one line."""
        return f"{self.verdict:<8} {self.check}" + (f": {self.explanation}" if self.explanation else "")


class Check:
    """A named check.

    A call raises AssertionError if the check fails. If the check does not apply, the call raises unittest.SkipTest, which pytest
    reports as skipped.

    Attributes:
        name: the subject of the check, in a word or two.
        after: the checks that must pass before this one is run.
    """

    def __init__(self, name: str, body: Callable[[], str | None], after: Sequence[Check] = ()) -> None:
        """Make a check.

        Args:
            name: the subject of the check, in a word or two.
            body: the function to run. It returns a remark or None, raises Failure if the check fails, and Skip if it does not
                apply. Any other exception is a failure too.
            after: the checks that must pass before this one is run. If one of them does not, this check is skipped.
        """
        self.name = name
        self.after = tuple(after)
        self._body = body

    def __str__(self) -> str:
        """Return the name, which pytest gives to the test with `ids=str`."""
        return self.name

    def __call__(self) -> None:
        """Run the check, unless it has been run before, and raise its failure or skip.

        Raises:
            AssertionError: the check failed; the message names the problem.
            unittest.SkipTest: the check does not apply.
        """
        finding, cause = self._result
        if finding.verdict == SKIPPED:
            raise unittest.SkipTest(finding.explanation)
        if finding.verdict == FAILED:
            raise Failure(finding.explanation) from cause

    @property
    def finding(self) -> Finding:
        """The result of the check, which is run on first use."""
        return self._result[0]

    @cached_property
    def _result(self) -> tuple[Finding, BaseException | None]:
        for check in self.after:
            if check.finding.verdict == FAILED:
                return Finding(self.name, SKIPPED, f"because {check.name} failed"), None
            if check.finding.verdict == SKIPPED:
                return Finding(self.name, SKIPPED, check.finding.explanation), None
        try:
            with np.errstate(all="ignore"):
                return Finding(self.name, OK, self._body() or ""), None
        except Failure as error:
            return Finding(self.name, FAILED, str(error)), error.__cause__
        except (Skip, unittest.SkipTest) as reason:
            return Finding(self.name, SKIPPED, str(reason)), None
        except Exception as error:
            return Finding(self.name, FAILED, f"the plugin raises {describe_error(error)}"), error


CheckRow = tuple[str, Callable[[], str | None], tuple[str, ...]]
"""The name of a check, its body, and the names of the checks that must pass before it."""


def make_checks(*rows: CheckRow, first: Sequence[Check] = ()) -> list[Check]:
    """Return the checks `first`, followed by one check for each row; a row names only checks before it."""
    made = {check.name: check for check in first}
    for name, body, after in rows:
        made[name] = Check(name, body, [made[each] for each in after])
    return list(made.values())


def fail_unless(condition: bool, message: str) -> None:
    """Raise Failure with a message if a condition is false.

    Raises:
        Failure: the condition is false.
    """
    if not condition:
        raise Failure(message)


def describe_error(error: BaseException) -> str:
    """Return the class and the text of an exception, with the last line of its traceback outside of runner and NumPy."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((RUNNER_FOLDER, "<")) and f"{os.sep}numpy{os.sep}" not in frame.filename
    ]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    text = textwrap.shorten(str(error), LONGEST_TEXT, placeholder=" ...")
    return f"{type(error).__name__}{': ' * bool(text)}{text}{place}"


def call_on_batch(name: str, function: Callable[[Array], Any], x: Array) -> Any:
    """Call a function of a batch, `(runs, dimension)`, and explain an exception by calling it with single rows.

    Raises:
        Failure: the function raises. The message says whether it also raises for all, some or none of the rows alone.
    """
    try:
        return function(x.copy())
    except Failure:
        raise
    except Exception as error:
        alone: dict[int, Exception] = {}
        for row in range(len(x)):
            try:
                function(x[row : row + 1].copy())
            except Exception as error_alone:
                alone[row] = error_alone
        if len(alone) == len(x):
            explanation = describe_error(error)
        elif alone:
            row, first = next(iter(alone.items()))
            where = f"at x = {x[row]}, but not at every x; return nan or inf where the result is not a number"
            explanation = f"{describe_error(first)} {where}"
        else:
            where = f"for a batch of {len(x)} runs, but not for one run alone"
            explanation = f"{describe_error(error)} {where}. {HOW_TO_BATCH}; use np.where instead of if"
        raise Failure(f"{name} raises {explanation}") from error


def same_bits(one: Any, other: Any) -> bool:
    """Return True if two arrays, or two tuples of arrays, have the same shapes and the same bits."""
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same_bits, one, other))
    return bool(one.shape == other.shape and one.tobytes() == other.tobytes())


def row_of(result: Any, row: int) -> Any:
    """Return one row of an array, or of each array of a tuple, as a batch of one run."""
    return tuple(part[row : row + 1] for part in result) if isinstance(result, tuple) else result[row : row + 1]


def check_array(name: str, result: Any, shape: tuple[Any, ...], x: Array) -> None:
    """Check that a result is a float64 array of a shape.

    Args:
        name: the method that returned the result, for the message.
        result: the result.
        shape: the shape that it must have; `...` allows any length of an axis.
        x: the argument of the method, whose shape the message states.

    Raises:
        Failure: the result is not an array, or has another shape or type.
    """
    fail_unless(isinstance(result, np.ndarray), f"{name} must return a NumPy array, not {type(result).__name__}")
    fits = result.ndim == len(shape) and all(want in (..., have) for want, have in zip(shape, result.shape, strict=True))
    allowed = str(shape).replace("Ellipsis", "any")
    fail_unless(fits, f"{name} must return shape {allowed} for x of shape {x.shape}, not {result.shape}")
    fail_unless(result.dtype == np.float64, f"{name} must return float64, not {result.dtype}")
