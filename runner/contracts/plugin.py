"""The base class of every plugin, and the names of the kinds and of the derivatives."""

from __future__ import annotations

from typing import Literal

Kind = Literal["objective", "gradient", "optimizer", "executor", "figure"]
"""The kinds of plugins, with the names that experiment files and messages use."""
Quantity = Literal["gradient", "hessian", "jacobian"]
"""The derivatives that an optimizer can need: ∇f, ∇²f, and ∂r/∂x of the residuals r of a sum of squares."""


class Plugin:
    """A frozen dataclass whose fields are its parameters."""

    def validate(self) -> None:
        """Refuse a combination of parameter values that are allowed individually.

        The method is called once for each combination of values, with numbers in the fields, before anything runs.

        Raises:
            ValueError: the message names the values and what is allowed.
        """
