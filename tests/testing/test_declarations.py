"""The checks of a plugin's declaration."""

from __future__ import annotations

from runner.testing import check_objective
from tests.support.broken_plugins import Sound, broken


def test_plugin_must_be_a_frozen_dataclass() -> None:
    class Plain(Sound):
        """A subclass that is not itself a dataclass."""

    assert broken(check_objective, Plain()).endswith("Plain must be decorated with @dataclass(frozen=True)")
