"""What is on offer: plugins found through entry points, by kind and name.

Finding is kept apart from loading. An entry point of the group `runner` is loaded when an experiment asks for its name; if
none offers the name, all are loaded, since one file may offer several. What fails to load stops only those who ask for it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
import traceback
from collections import defaultdict
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, cast, get_args

import pluggy

from runner.contracts import hookspecs
from runner.contracts.kinds import KINDS
from runner.contracts.optimizer import Optimizer
from runner.contracts.parameters import parameters_of
from runner.contracts.plugin import Kind, Quantity
from runner.errors import NoSuchPlugin, PluginError
from runner.registry.catalogue import RESERVED, Broken, Offer, suggestion
from runner.registry.class_checks import _check_hooks, _check_methods, _mapping

GROUP = "runner"
QUANTITIES = get_args(Quantity)


class Registry:
    """The plugins that experiments may name."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(hookspecs.PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._waiting: dict[str, list[EntryPoint]] = defaultdict(list)
        for entry_point in sorted(entry_points(group=GROUP), key=_source):
            self._waiting[entry_point.name].append(entry_point)
        self._offers: dict[tuple[Kind, str], list[Offer]] = defaultdict(list)
        self._broken: list[Broken] = []
        self._broken_files: list[str] = []

    def load_file(self, path: Path) -> None:
        """Load a plugin file that an experiment names.

        Raises:
            NoSuchPlugin: it does not exist.
            PluginError: it fails to import or offers nothing usable.
        """
        try:
            self._load_file(path)
        except PluginError:
            self._broken_files.append(str(path))
            raise

    def find(self, kind: Kind, name: str) -> Offer:
        """Return the plugin of that kind and name.

        Raises:
            NoSuchPlugin: there is none.
            PluginError: there are several, or it cannot be loaded.
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
        raise self._absence(kind, name)

    def offers(self) -> list[Offer]:
        """Every plugin on offer, by kind and name; loads them all."""
        self._load_all()
        order = list(KINDS)
        every = [offer for group in self._offers.values() for offer in group]
        return sorted(every, key=lambda offer: (order.index(offer.kind), offer.name, offer.source))

    def offered_by(self, path: Path) -> list[Offer]:
        """What a plugin file that has been loaded offers."""
        return [offer for group in self._offers.values() for offer in group if offer.source == str(path)]

    def broken(self) -> list[Broken]:
        """Every entry point that failed to load; loads them all."""
        self._load_all()
        return sorted(self._broken, key=lambda broken: broken.source)

    def _load_file(self, path: Path) -> None:
        if path.suffix != ".py":
            raise NoSuchPlugin(f"{path}: a plugin file ends in .py")
        name = f"runner_local_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
        loader = SourceFileLoader(name, str(path))
        module = importlib.util.module_from_spec(cast(ModuleSpec, importlib.util.spec_from_loader(name, loader)))
        sys.modules[name] = module
        try:
            # Compiled afresh: bytecode kept beside the file would also pass for that of an edit as long and as old.
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
            raise PluginError(f"{path}{_line(error, path)}: cannot be loaded: {_cause(error)}") from error

    def _load_all(self) -> None:
        for name in list(self._waiting):
            self._load(name)

    def _load(self, name: str) -> None:
        for entry_point in self._waiting.pop(name, []):
            source = _source(entry_point)
            try:
                self._register(entry_point.load(), source, entry_point.dist.version if entry_point.dist is not None else "")
            except (Exception, SystemExit) as error:
                self._broken.append(Broken(source, entry_point.name, _cause(error)))

    def _register(self, module: ModuleType, source: str, version: str) -> None:
        """Take what a module offers, all of it or nothing."""
        _check_hooks(module)
        try:
            self._manager.register(module, name=source)
        except ValueError as error:
            raise PluginError("it is named twice") from error
        offers = [
            _offer(kind, row.hook, name, cls, source, version)
            for kind, row in KINDS.items()
            for implementation in getattr(self._manager.hook, row.hook).get_hookimpls()
            if implementation.plugin_name == source
            for name, cls in _mapping(row.hook, implementation.function()).items()
        ]
        for offer in offers:
            self._offers[offer.kind, offer.name].append(offer)

    def _absence(self, kind: Kind, name: str) -> PluginError:
        for broken in self._broken:
            if broken.name == name:
                return PluginError(f"{kind} {name!r} cannot be loaded from {broken.source}: {broken.cause}")
        names = sorted(known for known_kind, known in self._offers if known_kind == kind)
        unknown = [*self._broken_files, *(broken.source for broken in self._broken)]
        unless = f", unless {' or '.join(unknown)}, which cannot be loaded, offers it" if unknown else ""
        return NoSuchPlugin(f"there is no {kind} {name!r}{unless}; {suggestion(name, names)}")


def _source(entry_point: EntryPoint) -> str:
    distribution = entry_point.dist.name if entry_point.dist is not None else "unknown"
    return f"{distribution}:{entry_point.name}"


def _cause(error: BaseException) -> str:
    if isinstance(error, PluginError):
        return str(error)
    text = str(error).replace(": use default_factory", "; use a tuple, as in tuple[float, ...] = (1.0, 2.0)")
    return f"{type(error).__name__}: {text}{_remedy(error)}"


def _remedy(error: BaseException) -> str:
    """Say what to install where a module is missing; where only a part of one is, its name is wrong."""
    missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if not missing or importlib.util.find_spec(missing) is not None:
        return ""
    return f"; install what brings it, perhaps with python -m pip install {missing}"


def _line(error: BaseException, path: Path) -> str:
    """Return where in the file an error arose, if it did."""
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
    return f", line {lines[-1]}" if lines else ""


def _offer(kind: Kind, hook: str, name: Any, cls: Any, source: str, version: str) -> Offer:
    wanted = KINDS[kind].plugin_class
    if not isinstance(name, str):
        raise PluginError(f"{hook} must return a mapping from name to class, but {name!r} is not a string")
    if not (isinstance(cls, type) and issubclass(cls, wanted)):
        raise PluginError(f"{hook} offers {name!r}, which is not a class derived from runner.{wanted.__name__}")
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        raise PluginError(f"{kind} {name!r} does not implement {missing}")
    _check_methods(kind, name, cls)
    try:
        parameters = parameters_of(cls)
    except PluginError as error:
        raise PluginError(str(error).removeprefix(f"{cls.__module__}.")) from error
    for parameter in parameters:
        if parameter in RESERVED[kind]:
            raise PluginError(f"{kind} {name!r}: no parameter can be called {parameter!r}, which experiments use otherwise")
    needs: object = cls.needs if issubclass(cls, Optimizer) else ()
    if not (isinstance(needs, tuple) and set(needs) <= set(QUANTITIES)):
        raise PluginError(f"{kind} {name!r}: needs must be a tuple of {', '.join(map(repr, QUANTITIES))}, not {needs!r}")
    return Offer(kind, name, cls, source, version, parameters)
