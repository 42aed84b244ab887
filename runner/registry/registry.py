"""The registry, which finds plugins by kind and name, in installed distributions and in plugin files.

An entry point of the group `runner` is loaded when a plugin with its name is needed. If no entry point has that name, all are
loaded, because one file may offer several plugins. An entry point that fails to load affects only experiments that need its
plugins.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import sys
import traceback
from collections import defaultdict
from collections.abc import Mapping
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import cast

import pluggy

from runner.contracts import hookspecs
from runner.contracts.kinds import PLUGIN_KINDS
from runner.contracts.plugin import Kind
from runner.errors import NoSuchPlugin, PluginError
from runner.registry.catalogue import BrokenEntryPoint, Offer, suggestion
from runner.registry.class_checks import check_class, check_hooks

GROUP = "runner"
"""The group of entry points that offer plugins."""


class Registry:
    """The plugins that experiments may name."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._unloaded: dict[str, list[EntryPoint]] = defaultdict(list)
        for entry_point in sorted(entry_points(group=GROUP), key=_source):
            self._unloaded[entry_point.name].append(entry_point)
        self._offers: dict[tuple[Kind, str], list[Offer]] = defaultdict(list)
        self._broken: list[BrokenEntryPoint] = []
        self._broken_files: list[str] = []

    def load_file(self, path: Path) -> None:
        """Load a plugin file.

        Raises:
            NoSuchPlugin: the file does not exist, or its name does not end in `.py`.
            PluginError: the file cannot be imported, or a plugin in it breaks the contract of its kind.
        """
        try:
            if path.suffix != ".py":
                raise NoSuchPlugin(f"{path}: a plugin file ends in .py")
            self._execute_file(path)
        except PluginError:
            self._broken_files.append(str(path))
            raise

    def find(self, kind: Kind, name: str) -> Offer:
        """Return the plugin of that kind and name.

        Raises:
            NoSuchPlugin: there is no such plugin.
            PluginError: several distributions or files offer it, or it cannot be loaded.
        """
        self._load(name)
        if (kind, name) not in self._offers:
            self._load_all()
        offers = self._offers.get((kind, name), [])
        if len(offers) == 1:
            return offers[0]
        if offers:
            sources = " and ".join(offer.source for offer in offers)
            raise PluginError(f"{kind} {name!r} is offered by {sources}; uninstall or rename one of them")
        for broken in self._broken:
            if broken.name == name:
                raise PluginError(f"{kind} {name!r} cannot be loaded from {broken.source}: {broken.cause}")
        names = sorted(known for known_kind, known in self._offers if known_kind == kind)
        unknown = [*self._broken_files, *(broken.source for broken in self._broken)]
        perhaps = f"; it may be in {' or '.join(unknown)}, which cannot be loaded" if unknown else ""
        raise NoSuchPlugin(f"there is no {kind} {name!r}{perhaps}; {suggestion(name, names)}")

    def offers(self) -> list[Offer]:
        """Load all entry points, and return every plugin, sorted by kind and name."""
        self._load_all()
        order = list(PLUGIN_KINDS)
        every = [offer for group in self._offers.values() for offer in group]
        return sorted(every, key=lambda offer: (order.index(offer.kind), offer.name, offer.source))

    def offered_by(self, path: Path) -> list[Offer]:
        """Return the plugins of a plugin file that has been loaded."""
        return [offer for group in self._offers.values() for offer in group if offer.source == str(path)]

    def broken(self) -> list[BrokenEntryPoint]:
        """Load all entry points, and return those that failed to load."""
        self._load_all()
        return sorted(self._broken, key=lambda broken: broken.source)

    def _execute_file(self, path: Path) -> None:
        name = f"runner_local_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
        loader = SourceFileLoader(name, str(path))
        module = importlib.util.module_from_spec(cast(ModuleSpec, importlib.util.spec_from_loader(name, loader)))
        sys.modules[name] = module
        try:
            # The source itself is compiled. Cached bytecode would hide an edit of equal length within the same second.
            code = loader.source_to_code(loader.get_data(str(path)), str(path))
        except FileNotFoundError as error:
            raise NoSuchPlugin(f"{path}: cannot be read: {error.strerror}") from error
        except OSError as error:
            raise PluginError(f"{path}: cannot be read: {error.strerror}") from error
        except (SyntaxError, ValueError) as error:
            raise PluginError(f"{path}: cannot be loaded: {_cause(error)}") from error
        try:
            exec(code, vars(module))
            self._register(module, str(path), "")
        except PluginError as error:
            raise PluginError(f"{path}: {error}") from error
        except (Exception, SystemExit) as error:
            lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
            place = f"{path}, line {lines[-1]}" if lines else str(path)
            raise PluginError(f"{place}: cannot be loaded: {_cause(error)}") from error

    def _load_all(self) -> None:
        for name in list(self._unloaded):
            self._load(name)

    def _load(self, name: str) -> None:
        for entry_point in self._unloaded.pop(name, []):
            source = _source(entry_point)
            try:
                self._register(entry_point.load(), source, entry_point.dist.version if entry_point.dist is not None else "")
            except (Exception, SystemExit) as error:
                self._broken.append(BrokenEntryPoint(source, entry_point.name, _cause(error)))

    def _register(self, module: ModuleType, source: str, version: str) -> None:
        """Add all plugins of a module, or none if any of them breaks its contract."""
        check_hooks(module)
        try:
            self._manager.register(module, name=source)
        except ValueError as error:
            raise PluginError("the file is loaded already; name it once in plugins") from error
        offers = []
        for kind, row in PLUGIN_KINDS.items():
            for implementation in getattr(self._manager.hook, row.hook).get_hookimpls():
                if implementation.plugin_name != source:
                    continue
                classes = implementation.function()
                if not isinstance(classes, Mapping):
                    raise PluginError(f"{row.hook} must return a mapping from name to class, not {type(classes).__name__}")
                offers += [Offer(kind, name, cls, source, version, check_class(kind, name, cls)) for name, cls in classes.items()]
        for offer in offers:
            self._offers[offer.kind, offer.name].append(offer)


def _source(entry_point: EntryPoint) -> str:
    distribution = entry_point.dist.name if entry_point.dist is not None else "unknown"
    return f"{distribution}:{entry_point.name}"


def _cause(error: BaseException) -> str:
    """Return the reason why a module cannot be loaded, with a remedy if one is known."""
    if isinstance(error, PluginError):
        return str(error)
    remedy = ""
    if isinstance(error, ModuleNotFoundError):
        missing = (error.name or "").partition(".")[0]
        # If the package is installed, the name of one of its modules is wrong, and installing the package does not help.
        if missing and importlib.util.find_spec(missing) is None:
            remedy = f"; install the distribution that contains it, perhaps with python -m pip install {missing}"
    elif isinstance(error, ValueError):
        *_, (frame, _) = traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == dataclasses.__file__:
            remedy = "; in a plugin, use a tuple instead, as in tuple[float, ...] = (1.0, 2.0)"
    return f"{type(error).__name__}: {error}{remedy}"
