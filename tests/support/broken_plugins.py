"""Plugins that break their contract, and the complaints about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from runner import Array, Objective, parameter


def broken(check: Callable[..., None], *plugins: Any, **options: Any) -> str:
    """Return the message of a check of a broken plugin."""
    with pytest.raises(AssertionError) as failure:
        check(*plugins, **options)
    return str(failure.value)


@dataclass(frozen=True)
class Sound(Objective):
    """f(x) = s Σ xᵢ²."""

    scale: float = parameter(1.0, above=0)

    @property
    def dimension(self) -> int:
        return 2

    def value(self, x: Array) -> Array:
        total: Array = (self.scale * x * x).sum(axis=-1)
        return total

    def gradient(self, x: Array) -> Array:
        return 2.0 * self.scale * x


NOT_BATCH_SAFE = (
    "{} is not batch-safe: the result for a row alone differs from that for the same row in a batch of 5. Broadcast over the "
    "leading axis, reduce with axis=-1, and use runner.dot, runner.norm and runner.matvec"
)
