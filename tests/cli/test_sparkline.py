"""Sparklines of a series."""

from __future__ import annotations

import math

import pytest

from runner.cli.terminal import sparkline


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 1, 2, 3, 4, 5, 6, 7], ("", "▁▂▃▄▅▆▇█")),
        ([1, 10, 100, 1000], (" (log)", "▁▃▆█")),
        ([0, 1, 1000], (" (log)", "▁▁█")),
        ([5, 5], ("", "▁▁")),
        ([math.nan, -math.inf, 1.0], ("", "××▁")),
        ([-1.7e308, 1.7e308], ("", "▁█")),
        ([], ("", "")),
    ],
)
def test_sparklines(values, expected):
    assert sparkline.sparkline([float(value) for value in values], 60) == expected


def test_a_long_sparkline_ends_with_the_last_value():
    assert sparkline.sparkline([float(each) for each in range(1000)], 8)[1] == "▁▂▃▄▅▆▇█"
