"""The base of every plugin, and the words that all kinds share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    pass


Kind = Literal["objective", "gradient", "optimizer", "executor", "figure"]
Quantity = Literal["gradient", "hessian", "jacobian"]
"""The derivatives that an optimizer may need."""


class Plugin:
    """What every plugin is: a frozen dataclass whose fields are its parameters."""

    def validate(self) -> None:
        """Refuse parameter values that fit one by one but not together.

        Called once for each grid point, with numbers in the fields, before anything runs.

        Raises:
            ValueError: the text says which values, and what is allowed.
        """
