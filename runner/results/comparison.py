"""Two sets of runs side by side: which belong together, and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from runner.store.run_columns import RUN_COLUMNS
from runner.tables.frame import Column, Frame, html_with_notes, printable, text_of


RESULTS = {
    "id",
    "identity",
    *(column.name for column in RUN_COLUMNS if column.is_result),
    *(f"{column.name}_class" for column in RUN_COLUMNS if column.is_classed),
}
"""The columns in which matched runs may differ: they describe a run's result, or name the run."""
Key = tuple[Any, ...]


@dataclass(frozen=True, repr=False)
class Comparison:
    """Two sets of runs, A and B.

    Runs are matched that are the same in every column but those in which no run of A is like any of B.

    Attributes:
        differ: the columns in which A and B have nothing in common, with the values of each.
        matched: a row for each pair: the columns in which pairs differ from each other; of both, with `_a` and `_b` behind, `id`,
            `outcome`, `steps` and `final_value`; and `difference`, the final value of B minus that of A.
        only_a: the runs of A that none of B belongs to.
        only_b: the other way round.
        several: how many combinations have several runs on one side, so that nobody can say which belong together.
    """

    differ: Mapping[str, tuple[tuple[Any, ...], tuple[Any, ...]]]
    matched: Frame
    only_a: Frame
    only_b: Frame
    several: int

    @property
    def outcomes(self) -> Counter[tuple[str, str]]:
        """How often a pair ended how."""
        columns = {column.name: column.listed() for column in self.matched.columns}
        return Counter(zip(columns["outcome_a"], columns["outcome_b"], strict=True))

    @property
    def lower(self) -> tuple[int, int, int]:
        """In how many pairs A has the lower final value, in how many B, and in how many neither."""
        differences = next(column for column in self.matched.columns if column.name == "difference").listed()
        a, b = sum(each > 0 for each in differences), sum(each < 0 for each in differences)
        return a, b, len(differences) - a - b

    def __repr__(self) -> str:
        return "\n".join([*map(printable, self._notes()), repr(self.matched)])

    def _repr_html_(self) -> str:
        """Return what a notebook shows; every text in it is escaped."""
        return html_with_notes([*self._notes()], self.matched)

    def _notes(self) -> Iterator[str]:
        for name, (left, right) in self.differ.items():
            yield f"{name}: A {', '.join(map(text_of, left))}; B {', '.join(map(text_of, right))}"
        a, b, neither = self.lower
        yield f"pairs: {len(self.matched):,}; the final value is lower in A {a:,}, in B {b:,}, in neither {neither:,}"
        for side, frame in (("A", self.only_a), ("B", self.only_b)):
            if len(frame):
                yield f"only in {side}: {len(frame):,}"
        if self.several:
            yield f"combinations with several runs on one side: {self.several:,}"


def compare(a: Frame, b: Frame) -> Comparison:
    """Match the runs of two tables that have all columns, and the parameters as `kind.name`."""
    names = [name for name in dict.fromkeys((*a.names, *b.names)) if name not in RESULTS]
    values = {name: (_listed(a, name), _listed(b, name)) for name in names}
    differ = {name: sides for name, sides in values.items() if len(a) and len(b) and set(sides[0]).isdisjoint(sides[1])}
    shared = [name for name in names if name not in differ]
    groups_a, groups_b = (_grouped([values[name][side] for name in shared], len(frame)) for side, frame in enumerate((a, b)))
    both = [key for key in groups_a if key in groups_b]
    pairs = [(groups_a[key][0], groups_b[key][0]) for key in both if len(groups_a[key]) == len(groups_b[key]) == 1]
    return Comparison(
        {name: (_distinct(left), _distinct(right)) for name, (left, right) in differ.items()},
        _matched(a, b, pairs, shared),
        a.taken([place for key, places in groups_a.items() if key not in groups_b for place in places]),
        b.taken([place for key, places in groups_b.items() if key not in groups_a for place in places]),
        len(both) - len(pairs),
    )


def _listed(frame: Frame, name: str) -> list[Any]:
    column = next((column for column in frame.columns if column.name == name), None)
    return [None] * len(frame) if column is None else column.listed()


def _distinct(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(sorted(set(values), key=lambda value: (value is None, str(type(value)), value)))


def _grouped(columns: Sequence[Sequence[Any]], rows: int) -> dict[Key, list[int]]:
    groups: dict[Key, list[int]] = {}
    for place, key in enumerate(zip(*columns, strict=True) if columns else [()] * rows):
        groups.setdefault(key, []).append(place)
    return groups


def _matched(a: Frame, b: Frame, pairs: Sequence[tuple[int, int]], shared: Sequence[str]) -> Frame:
    left, right = a.taken([one for one, _ in pairs]), b.taken([other for _, other in pairs])
    columns = [column for column in left.columns if column.name in shared and len(set(column.listed())) > 1]
    for name in ("id", "outcome", "steps", "final_value"):
        for side, frame in (("a", left), ("b", right)):
            found = next(column for column in frame.columns if column.name == name)
            columns.append(Column(f"{name}_{side}", found.kind, found.values))
    finals = (_listed(left, "final_value"), _listed(right, "final_value"))
    columns.append(Column("difference", "number", [_minus(two, one) for one, two in zip(*finals, strict=True)]))
    return Frame(columns)


def _minus(one: float, other: float) -> float:
    """Return a difference; of the same infinities it is 0, for neither is lower."""
    return 0.0 if one == other else one - other
