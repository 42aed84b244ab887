"""The checks of an executor notice lost and repeated results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from runner import Executor
from runner.testing import check_executor
from tests.support.broken_plugins import broken


def test_an_executor_that_drops_or_repeats_results_is_caught() -> None:
    @dataclass(frozen=True)
    class Lossy(Executor):
        """An executor that drops the last item."""

        def map(self, function: Callable[[Any], Any], items: Iterable[Any], limit: Any) -> Iterator[Any]:
            return iter([function(item) for item in items][:-1])

    assert broken(check_executor, Lossy()) == (
        "Lossy.map must yield [0], in any order, for a function that doubles each of 1 items, not []"
    )
