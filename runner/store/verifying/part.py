"""The result of the checks of one part of a database."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class VerifiedPart:
    """One part of a database, such as its runs, and the damage that was found in it.

    Attributes:
        name: a noun in the plural for what was checked, such as `runs`.
        count: the number of things that were checked.
        problems: the damage, one sentence for each.
        notes: facts that a user may want to know and that are not damage, one sentence for each.
    """

    name: str
    count: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
