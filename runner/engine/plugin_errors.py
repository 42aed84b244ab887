"""The description of exceptions, with the plugin and the method that raised them."""

from __future__ import annotations

import traceback
from types import FrameType

from runner.contracts.plugin import Plugin
from runner.errors import PluginError, describe


def describe_with_plugin(error: BaseException, otherwise: str) -> str:
    """Return an exception in words, with the plugin that raised it: `Cliff.value raised ValueError: …`.

    The plugin is the innermost plugin in the traceback, and the method is the first of its methods there.

    Args:
        error: the exception, as it was caught.
        otherwise: the name to use if the traceback contains no plugin.
    """
    if isinstance(error, PluginError):
        return describe(error)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    plugins = [plugin for frame in frames if (plugin := _plugin_of(frame)) is not None]
    if not plugins:
        return f"{otherwise} raised {describe(error)}"
    method = next(frame.f_code.co_name for frame in frames if _plugin_of(frame) is plugins[-1])
    return f"{type(plugins[-1]).__name__}.{method} raised {describe(error)}"


def _plugin_of(frame: FrameType) -> Plugin | None:
    """Return the plugin whose method a frame executes; None for other frames and for frames of this package."""
    code = frame.f_code
    own = str(frame.f_globals.get("__name__", "")).startswith("runner.")
    first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount and not own else None
    return first if isinstance(first, Plugin) and not code.co_name.startswith("<") else None
