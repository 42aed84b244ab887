"""The description of exceptions: the plugin and the method that raised them, the place and the traceback."""

from __future__ import annotations

import inspect
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from runner.contracts.plugin import Plugin
from runner.errors import PluginError, describe, valid_text

HEAD_OF_TRACEBACK = 1_000
TAIL_OF_TRACEBACK = 5_000
"""The largest numbers of characters that are kept from the beginning and from the end of a traceback."""


class WrongResult(PluginError):
    """A method of a plugin returned something else than its contract requires.

    Attributes:
        plugin: the plugin.
        method: the name of the method.
    """

    def __init__(self, text: str, plugin: Plugin | None = None, method: str = "") -> None:
        super().__init__(text)
        self.plugin = plugin
        self.method = method


@dataclass(frozen=True)
class Failure:
    """The exception that ended a run, in words.

    Attributes:
        error: its class and text.
        plugin: the class of the plugin that raised it; empty if no plugin did.
        method: the method of this plugin.
        place: the file and the line of the plugin, as `file:line`.
        traceback: its traceback.
    """

    error: str = ""
    plugin: str = ""
    method: str = ""
    place: str = ""
    traceback: str = ""

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Describe an exception, as it was caught.

        The plugin is the innermost plugin in the traceback, and the method is the first of its methods there. The place is the
        innermost line in the file of this plugin, or the innermost line of all if there is no plugin.
        """
        text = valid_text("".join(traceback.format_exception(error)))
        if len(text) > HEAD_OF_TRACEBACK + TAIL_OF_TRACEBACK:
            left_out = len(text) - HEAD_OF_TRACEBACK - TAIL_OF_TRACEBACK
            text = f"{text[:HEAD_OF_TRACEBACK]}\n… ({left_out:,} characters are left out)\n{text[-TAIL_OF_TRACEBACK:]}"
        if isinstance(error, WrongResult) and error.plugin is not None:
            function = inspect.unwrap(getattr(type(error.plugin), error.method))
            code = getattr(function, "__code__", None)
            place = "" if code is None else _place(code.co_filename, code.co_firstlineno)
            return cls(describe(error), type(error.plugin).__name__, error.method, place, text)
        lines = list(traceback.walk_tb(error.__traceback__))
        plugin, method = _raising_plugin(error)
        if plugin is None:
            frame, line = lines[-1]
            return cls(describe(error), place=_place(frame.f_code.co_filename, line), traceback=text)
        file = next(frame.f_code.co_filename for frame, _ in reversed(lines) if _plugin_of(frame) is plugin)
        line = next(line for frame, line in reversed(lines) if frame.f_code.co_filename == file)
        return cls(describe(error), valid_text(type(plugin).__name__), method, _place(file, line), text)


NO_FAILURE = Failure()
"""The failure of a run that did not fail."""


def describe_with_plugin(error: BaseException, otherwise: str) -> str:
    """Return an exception in words, with the plugin that raised it: `Cliff.value raised ValueError: …`.

    Args:
        error: the exception, as it was caught.
        otherwise: the name to use if the traceback contains no plugin.
    """
    if isinstance(error, PluginError):
        return describe(error)
    plugin, method = _raising_plugin(error)
    return f"{otherwise if plugin is None else f'{type(plugin).__name__}.{method}'} raised {describe(error)}"


def _raising_plugin(error: BaseException) -> tuple[Plugin | None, str]:
    """Return the innermost plugin in the traceback of an exception, and the first of its methods there."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    plugins = [plugin for frame in frames if (plugin := _plugin_of(frame)) is not None]
    if not plugins:
        return None, ""
    return plugins[-1], next(frame.f_code.co_name for frame in frames if _plugin_of(frame) is plugins[-1])


def _plugin_of(frame: FrameType) -> Plugin | None:
    """Return the plugin whose method a frame executes; None for other frames and for frames of this package."""
    code = frame.f_code
    own = str(frame.f_globals.get("__name__", "")).startswith("runner.")
    first = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount and not own else None
    return first if isinstance(first, Plugin) and not code.co_name.startswith("<") else None


def _place(file: str, line: int | None) -> str:
    # A worker process knows a plugin file by its absolute path, and this process may know it by a relative one.
    return valid_text(f"{file if file.startswith('<') else Path(file).resolve()}:{line}")
