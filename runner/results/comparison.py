"""Comparison of two sets of runs: the pairs of runs with the same settings, and the results of each pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.store.run_columns import EVALUATION_KINDS, RUN_COLUMNS
from runner.tables.frame import Column, Frame, html_with_notes, printable, text_of

RESULT_COLUMNS = {
    "id",
    "identity",
    *(column.name for column in RUN_COLUMNS if column.is_result),
    *(f"{column.name}_class" for column in RUN_COLUMNS if column.is_classed),
}
"""The columns that hold a run's result or identify the run. Runs are matched by all other columns."""


@dataclass(frozen=True, repr=False)
class Comparison:
    """Two sets of runs, A and B, compared run by run.

    A column separates the two sets if A and B have no value of it in common. A run of A and a run of B are a pair if they agree
    in every other column that is not a result.

    Attributes:
        differ: the columns that separate A from B, each with the values in A and the values in B.
        matched: one row for each pair. The columns are those in which the pairs differ from each other; `id`, `outcome`, `steps`
            and `final_value` of both runs, with the suffix `_a` or `_b`; and `difference`, the final value of B minus that of A.
        only_a: the runs of A without a partner in B.
        only_b: the runs of B without a partner in A.
        evaluations: the number of evaluations by the runs of the pairs, in A and in B. An evaluation of f or of ∇f counts once,
            and an evaluation of ∇²f counts once for each of its rows.
        several: the number of combinations of values that several runs of A or several runs of B share. These runs form no
            pairs.
    """

    differ: Mapping[str, tuple[tuple[Any, ...], tuple[Any, ...]]]
    matched: Frame
    only_a: Frame
    only_b: Frame
    evaluations: tuple[int, int]
    several: int

    @property
    def outcomes(self) -> Counter[tuple[str, str]]:
        """The number of pairs for each combination of outcomes, A's first."""
        columns = {column.name: column.listed() for column in self.matched.columns}
        return Counter(zip(columns["outcome_a"], columns["outcome_b"], strict=True))

    @property
    def lower(self) -> tuple[int, int, int]:
        """The numbers of pairs in which the final value is lower in A, is lower in B, and is the same or NaN."""
        differences = next(column for column in self.matched.columns if column.name == "difference").listed()
        a, b = sum(each > 0 for each in differences), sum(each < 0 for each in differences)
        return a, b, len(differences) - a - b

    def __repr__(self) -> str:
        return "\n".join([*map(printable, self._notes()), repr(self.matched)])

    def _repr_html_(self) -> str:
        """Return the notes and the table of pairs as HTML for a notebook; every text is escaped."""
        return html_with_notes([*self._notes()], self.matched)

    def _notes(self) -> Iterator[str]:
        for name, (left, right) in self.differ.items():
            yield f"{name}: A {', '.join(map(text_of, left))}; B {', '.join(map(text_of, right))}"
        a, b, neither = self.lower
        yield f"pairs: {len(self.matched):,}; the final value is lower in A {a:,}, in B {b:,}, in neither {neither:,}"
        yield f"evaluations of the pairs: {self.evaluations[0]:,} in A, {self.evaluations[1]:,} in B"
        for side, frame in (("A", self.only_a), ("B", self.only_b)):
            if len(frame):
                yield f"only in {side}: {len(frame):,}"
        if self.several:
            yield f"combinations with several runs on one side: {self.several:,}"


def compare(a: Frame, b: Frame) -> Comparison:
    """Match the runs of two tables. Each table has all columns of runs, and the parameters as `kind.name`."""
    names = [name for name in dict.fromkeys((*a.names, *b.names)) if name not in RESULT_COLUMNS]
    values = {name: (_listed(a, name), _listed(b, name)) for name in names}
    differ = {name: sides for name, sides in values.items() if len(a) and len(b) and set(sides[0]).isdisjoint(sides[1])}
    shared = [name for name in names if name not in differ]
    rows_a, rows_b = (_rows_by_values([values[name][side] for name in shared], len(frame)) for side, frame in enumerate((a, b)))
    both = [key for key in rows_a if key in rows_b]
    pairs = [(rows_a[key][0], rows_b[key][0]) for key in both if len(rows_a[key]) == len(rows_b[key]) == 1]

    left, right = a.taken([row for row, _ in pairs]), b.taken([row for _, row in pairs])
    columns = [column for column in left.columns if column.name in shared and len(set(column.listed())) > 1]
    for name in ("id", "outcome", "steps", "final_value"):
        for side, frame in (("a", left), ("b", right)):
            found = next(column for column in frame.columns if column.name == name)
            columns.append(Column(f"{name}_{side}", found.kind, found.values))
    finals = zip(_listed(left, "final_value"), _listed(right, "final_value"), strict=True)
    # The difference of equal infinities is 0, because neither value is lower.
    columns.append(
        Column("difference", "number", [0.0 if final_a == final_b else final_b - final_a for final_a, final_b in finals])
    )
    return Comparison(
        {name: (_distinct(left_values), _distinct(right_values)) for name, (left_values, right_values) in differ.items()},
        Frame(columns),
        a.taken([row for key, rows in rows_a.items() if key not in rows_b for row in rows]),
        b.taken([row for key, rows in rows_b.items() if key not in rows_a for row in rows]),
        (_evaluations(left), _evaluations(right)),
        len(both) - len(pairs),
    )


def _evaluations(frame: Frame) -> int:
    """Return the number of evaluations by all runs of a table."""
    values, gradients, hessians = (_listed(frame, f"{kind}_evaluations") for kind in EVALUATION_KINDS)
    rows = (rows * hessian for rows, hessian in zip(_listed(frame, "dimension"), hessians, strict=True))
    return int(sum(values) + sum(gradients) + sum(rows))


def _listed(frame: Frame, name: str) -> list[Any]:
    """Return the values of a column; if the table lacks the column, None for every row."""
    column = next((column for column in frame.columns if column.name == name), None)
    return [None] * len(frame) if column is None else column.listed()


def _distinct(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(sorted(set(values), key=lambda value: (value is None, str(type(value)), value)))


def _rows_by_values(columns: Sequence[Sequence[Any]], rows: int) -> dict[tuple[Any, ...], list[int]]:
    """Return the numbers of the rows that hold each combination of values in some columns."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for row, key in enumerate(zip(*columns, strict=True) if columns else [()] * rows):
        groups.setdefault(key, []).append(row)
    return groups
