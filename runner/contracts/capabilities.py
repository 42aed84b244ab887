"""What a plugin may offer beyond what it must: asked of its class, and not by trying."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from abc import ABCMeta as ProtocolMeta
else:
    ProtocolMeta = type(Protocol)


class Capability(ProtocolMeta):
    """The class of protocols for which `isinstance` asks whether the object's class has their members.

    Python before 3.12 gets each member of the object instead: that computes properties, and takes one that raises an
    AttributeError, for a misspelt name in its body, for one that is not there.
    """

    def __instancecheck__(self, instance: Any) -> bool:
        offered = type(instance)
        return all(hasattr(offered, name) for name in vars(self) if not name.startswith("_"))
