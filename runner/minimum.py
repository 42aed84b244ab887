"""What an objective knows of its minimum, with the parameters that it has."""

from __future__ import annotations

from runner.contracts import HasMinimum, Minimum


def known_minimum(objective: object) -> Minimum | None:
    """Return the minimum that an objective states; None if it states none, or none for its parameters.

    Raises:
        Exception: what the plugin raises, which may be anything.
    """
    return objective.minimum if isinstance(objective, HasMinimum) else None
