"""Filters and their meanings, generated for property-based tests."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from hypothesis import strategies as st

import runner
from runner.contracts.outcomes import BEHAVIOURS, OUTCOMES
from tests.support.experiment_texts import SMALL

TWO_OPTIMIZERS = SMALL.replace(
    "[start]",
    '[[optimizer]]\nname = "momentum"\nlearning_rate = 0.1\nmomentum = { values = [0.5, 0.9] }\n\n'
    '[[optimizer]]\nname = "clipped"\nmax_norm = 1.0\noptimizer = { name = "gradient_descent", learning_rate = 0.2 }\n\n[start]',
)
TEXTS = ("quadratic", "gradient_descent", "momentum", "converged", "diverged", "max_steps", "finite", "nan", "")
WORDED = {"outcome": tuple(map(str, OUTCOMES)), "behaviour": tuple(map(str, BEHAVIOURS))}
NUMBERS = (0, 1, 3, 50, 0.1, 0.3, 1.1, -0.0, math.inf, -math.inf, math.nan, 1e-300, 2**70)
NUMERIC = ("id", "steps", "final_value", "final_gap", "best_value", "learning_rate", "optimizer.momentum", "rules.max_steps")
TEXTUAL = (
    "objective",
    "optimizer",
    "outcome",
    "final_value_class",
    "behaviour",
    "error",
    "optimizer.optimizer",
    "optimizer.name",
    "identity",
)
# The text of a filter, and its meaning: a function of a row.
Meant = tuple[str, Callable[[Mapping[str, Any]], bool]]


def value_of(row: Mapping[str, Any], name: str) -> Any:
    if name == "optimizer.name":
        return row["optimizer"]
    return row[name] if name in row else row[f"optimizer.{name}"]


def holds(operator: str, left: Any, right: Any) -> bool:
    if left is None or (isinstance(left, float) and math.isnan(left)) or right != right:
        return False
    return {
        "=": left == right,
        "!=": left != right,
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[operator]


def written(value: float | str) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


@st.composite
def comparisons(draw: st.DrawFn) -> Meant:
    names, values = draw(st.sampled_from([(NUMERIC, NUMBERS), (TEXTUAL, TEXTS)]))
    name, operator = draw(st.sampled_from(names)), draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">="]))
    value = draw(st.sampled_from(WORDED.get(name, values)))
    return f"{name} {operator} {written(value)}", lambda row: holds(operator, value_of(row, name), value)


@st.composite
def memberships(draw: st.DrawFn) -> Meant:
    names, values = draw(st.sampled_from([(NUMERIC, NUMBERS), (TEXTUAL, TEXTS)]))
    name = draw(st.sampled_from(names))
    some = draw(st.lists(st.sampled_from(WORDED.get(name, values)), min_size=1, max_size=4))
    text = f"{name} in ({', '.join(map(written, some))})"
    return text, lambda row: any(holds("=", value_of(row, name), value) for value in some)


@st.composite
def chains(draw: st.DrawFn) -> Meant:
    name, low, high = draw(st.sampled_from(NUMERIC)), draw(st.sampled_from(NUMBERS)), draw(st.sampled_from(NUMBERS))
    text = f"{written(low)} < {name} <= {written(high)}"
    return text, lambda row: holds(">", value_of(row, name), low) and holds("<=", value_of(row, name), high)


@st.composite
def presences(draw: st.DrawFn) -> Meant:
    name = draw(st.sampled_from(("behaviour", "final_gap", "optimizer.momentum", "rules.gap", "final_value", "outcome")))
    return f"{name} is null", lambda row: value_of(row, name) is None


LEAVES = st.one_of(comparisons(), memberships(), chains(), presences())


def larger(inner: st.SearchStrategy[Meant]) -> st.SearchStrategy[Meant]:
    def joined(word: str, how: Callable[[list[bool]], bool]) -> st.SearchStrategy[Meant]:
        some = st.lists(inner, min_size=2, max_size=3)
        return some.map(
            lambda parts: (
                f" {word} ".join(f"({text})" for text, _ in parts),
                lambda row: how([meaning(row) for _, meaning in parts]),
            )
        )

    inverse = inner.map(lambda part: (f"not ({part[0]})", lambda row: not part[1](row)))
    return joined("and", all) | joined("or", any) | inverse


def ids(stored: runner.ResultsDatabase, where: str) -> list[int]:
    return stored.runs(where, columns="id")["id"].tolist()
