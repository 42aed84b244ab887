"""Capabilities: what a plugin may offer beyond the members that the class of its kind requires.

Each capability is a protocol in the file of its kind and a line of the table `PLUGIN_KINDS` in `kinds.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from runner.contracts.plugin import Quantity

if TYPE_CHECKING:
    from abc import ABCMeta as ProtocolMeta
else:
    ProtocolMeta = type(Protocol)

Counted = Literal["value", "gradient", "hessian"]
"""The quantities whose evaluations are counted for each run."""
Shape = tuple[str, ...]
"""The shape of an array for one run: for each axis the name of its length, `dimension` or `residuals`."""


class CapabilityMeta(ProtocolMeta):
    """The metaclass of the protocols: with it, `isinstance` looks up the members in the object's class.

    Python before 3.12 looks up the members in the object instead, which computes properties. If a property raised AttributeError,
    for example because of a misspelt name in its body, it would count as missing.
    """

    def __instancecheck__(self, instance: Any) -> bool:
        offered = type(instance)
        return all(hasattr(offered, name) for name in public_members(self))


@dataclass(frozen=True)
class Evaluation:
    """A method that computes something at each row of x, `(runs, dimension)`.

    Attributes:
        shape: the shape of its result for one run; a method that returns two arrays has a tuple of two shapes.
        counts: what one call of an objective's method adds to the counts of evaluations. Calls of a gradient backend's methods
            are not counted, but the calls of the objective in them are.
    """

    shape: Shape | tuple[Shape, Shape]
    counts: tuple[Counted, ...]


@dataclass(frozen=True)
class Capability:
    """A line of the table of capabilities.

    Attributes:
        protocol: the protocol. A plugin has the capability if and only if its class has all public members of the protocol.
        name: the words for it in messages and in `runner plugins show`; they fit after "offers" and after "offers no".
        evaluations: those of its members that are evaluated at x. The other members are not counted.
        quantity: the quantity of `Optimizer.needs` that a gradient backend with this capability computes, or None.
    """

    protocol: type
    name: str
    evaluations: Mapping[str, Evaluation] = field(default_factory=dict)
    quantity: Quantity | None = None

    @property
    def members(self) -> tuple[str, ...]:
        """The names of the members that a plugin needs for this capability."""
        return public_members(self.protocol)


def public_members(cls: type) -> tuple[str, ...]:
    """Return the names of the public methods and properties in the body of a class, in their order."""
    return tuple(name for name in vars(cls) if not name.startswith("_"))
