"""Which plugin raised an exception, in words."""

from __future__ import annotations

import traceback
from types import FrameType

from runner.contracts.plugin import Plugin
from runner.errors import PluginError


def describe(error: BaseException) -> str:
    """Return an exception as its kind and text; a broken contract explains itself."""
    return str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"


def blame(error: BaseException, otherwise: str) -> str:
    """Return who raised an exception, and which: the innermost plugin and its outermost method that were at work.

    Args:
        error: the exception, as it was caught.
        otherwise: who it was if no plugin was at work.
    """
    if isinstance(error, PluginError):
        return describe(error)
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    plugins = [plugin for frame in frames if (plugin := _plugin_at_work(frame)) is not None]
    if not plugins:
        return f"{otherwise} raised {describe(error)}"
    method = next(frame.f_code.co_name for frame in frames if _plugin_at_work(frame) is plugins[-1])
    return f"{type(plugins[-1]).__name__}.{method} raised {describe(error)}"


def _plugin_at_work(frame: FrameType) -> Plugin | None:
    """Return the plugin whose method a frame is in; None if it is in none."""
    code = frame.f_code
    ours = str(frame.f_globals.get("__name__", "")).startswith("runner.")
    first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount and not ours else None
    return first if isinstance(first, Plugin) and not code.co_name.startswith("<") else None
