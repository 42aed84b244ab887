"""What a check is: a name, and a question that is answered with ok, failed or skipped, and why."""

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
HOW_TO_BATCH = "Broadcast over the leading axis, reduce with axis=-1, use runner.dot, runner.norm, runner.matvec"


class Failure(AssertionError):
    """A check that failed; the text says what is wrong."""


class Skip(Exception):
    """A check that does not apply; the text says why."""


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        check: its name.
        verdict: `ok`, `failed` or `skipped`.
        explanation: why, in a sentence; a remark or nothing where it is ok.
    """

    check: str
    verdict: Verdict
    explanation: str = ""

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.verdict:<8} {self.check}" + (f": {self.explanation}" if self.explanation else "")


class Check:
    """A named check. Calling it raises AssertionError if it fails; if it does not apply, unittest.SkipTest, which pytest knows.

    Attributes:
        name: what is checked, in a word or two.
        after: the checks without which this one means nothing.
    """

    def __init__(self, name: str, body: Callable[[], str | None], after: Sequence[Check] = ()) -> None:
        """Make a check.

        Args:
            name: what is checked.
            body: returns a remark or None; raises Failure or Skip. Whatever else it raises is a failure too.
            after: the checks that have to pass first.
        """
        self.name = name
        self.after = tuple(after)
        self._body = body

    def __str__(self) -> str:
        """Return the name; what pytest calls the test, with `ids=str`."""
        return self.name

    def __call__(self) -> None:
        """Run it, once."""
        finding, cause = self._answer
        if finding.verdict == SKIPPED:
            raise unittest.SkipTest(finding.explanation)
        if finding.verdict == FAILED:
            raise Failure(finding.explanation) from cause

    @property
    def finding(self) -> Finding:
        """What it finds."""
        return self._answer[0]

    @cached_property
    def _answer(self) -> tuple[Finding, BaseException | None]:
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
            return Finding(self.name, FAILED, f"it raises {describe_error(error)}"), error


Step = tuple[str, Callable[[], str | None], tuple[str, ...]]


def make_checks(*steps: Step, first: Sequence[Check] = ()) -> list[Check]:
    """Return checks, each from its name, its body, and the names of those above that have to pass first, behind some others."""
    made = {check.name: check for check in first}
    for name, body, after in steps:
        made[name] = Check(name, body, [made[each] for each in after])
    return list(made.values())


def require(condition: bool, sentence: str) -> None:
    """Fail with a sentence unless a condition holds.

    Raises:
        Failure: it does not.
    """
    if not condition:
        raise Failure(sentence)


def describe_error(error: BaseException) -> str:
    """Return an exception as its kind, its text, and where in the plugin's code it arose."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if _is_foreign(frame.filename)]
    place = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    text = textwrap.shorten(str(error), LONGEST_TEXT, placeholder=" ...")
    return f"{type(error).__name__}{': ' * bool(text)}{text}{place}"


def _is_foreign(filename: str) -> bool:
    """Whether a file is neither this package's nor NumPy's: then it is the plugin's, or what it uses."""
    return not filename.startswith((RUNNER_FOLDER, "<")) and f"{os.sep}numpy{os.sep}" not in filename


def call_on_batch(name: str, function: Callable[[Array], Any], x: Array) -> Any:
    """Call a function of a batch; if it raises, say whether it also does for one run alone.

    Raises:
        Failure: it raises.
    """
    try:
        return function(x.copy())
    except Failure:
        raise
    except Exception as error:
        alone = [_error_of(function, x[row : row + 1].copy()) for row in range(len(x))]
        raise Failure(f"{name} raises {_whose(error, alone, x)}") from error


def _error_of(function: Callable[[Array], Any], x: Array) -> Exception | None:
    try:
        function(x)
    except Exception as error:
        return error
    return None


def _whose(error: Exception, alone: Sequence[Exception | None], x: Array) -> str:
    """Say for which runs an exception is raised: all, some, or only for several together."""
    raising = [row for row, each in enumerate(alone) if each is not None]
    if len(raising) == len(alone):
        return describe_error(error)
    if not raising:
        return (
            f"{describe_error(error)} for a batch of {len(x)} runs, and not for one run alone. "
            f"{HOW_TO_BATCH}, and np.where instead of if"
        )
    first = alone[raising[0]] or error
    return f"{describe_error(first)} at x = {x[raising[0]]}, and not everywhere; return nan or inf where there is no number"


def same_bits(one: Any, other: Any) -> bool:
    """Whether two arrays, or tuples of arrays, are the same bit for bit."""
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same_bits, one, other))
    return bool(one.shape == other.shape and one.tobytes() == other.tobytes())


def row_of(result: Any, row: int) -> Any:
    """Return one row of an array, or of each array of a tuple, as a batch of one."""
    return tuple(part[row : row + 1] for part in result) if isinstance(result, tuple) else result[row : row + 1]


def check_array(name: str, result: Any, shape: tuple[Any, ...], x: Array) -> None:
    """Check an array's type and shape; `...` in the shape is any length.

    Raises:
        Failure: it has another.
    """
    require(isinstance(result, np.ndarray), f"{name} must return a NumPy array, not {type(result).__name__}")
    fits = result.ndim == len(shape) and all(want in (..., have) for want, have in zip(shape, result.shape, strict=True))
    wanted = str(shape).replace("Ellipsis", "any")
    require(fits, f"{name} must return shape {wanted} for x of shape {x.shape}, not {result.shape}")
    require(result.dtype == np.float64, f"{name} must return float64, not {result.dtype}")
