"""What is on offer: plugins found through entry points, by kind and name.

Finding is kept apart from loading. An entry point of the group `runner` is loaded when an experiment asks for its name; if
none offers the name, all are loaded, since one file may offer several. What fails to load stops only those who ask for it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections import defaultdict
from collections.abc import Mapping
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, get_args

import pluggy

from runner import hookspecs
from runner.contracts import PLUGIN_CLASSES, Kind, Optimizer, Plugin, Quantity
from runner.errors import PluginError
from runner.offers import RESERVED, Broken, Offer, suggestion
from runner.parameters import Parameter, parameters_of

GROUP = "runner"
HOOKS: Mapping[Kind, str] = {
    "objective": "runner_objectives",
    "gradient": "runner_gradients",
    "optimizer": "runner_optimizers",
    "executor": "runner_executors",
    "figure": "runner_figures",
}


class _FreshLoader(SourceFileLoader):
    """Compiles the source each time: bytecode kept beside it would also pass for that of an edit as long and as old."""

    def get_code(self, fullname: str) -> CodeType | None:
        return self.source_to_code(self.get_data(self.path), self.path)


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
            PluginError: it does not exist, fails to import or offers nothing usable.
        """
        if path.suffix != ".py":
            raise PluginError(f"{path}: a plugin file ends in .py")
        name = f"runner_local_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
        spec = importlib.util.spec_from_file_location(name, path, loader=_FreshLoader(name, str(path)))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            path.read_bytes()
            spec.loader.exec_module(module)
            self._register(module, str(path), "")
        except (Exception, SystemExit) as error:
            del sys.modules[name]
            self._broken_files.append(str(path))
            raise PluginError(f"{path}: {_cause(error)}") from error

    def find(self, kind: Kind, name: str) -> Offer:
        """Return the plugin of that kind and name.

        Raises:
            PluginError: there is none, there are several, or it cannot be loaded.
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
        raise PluginError(self._absence(kind, name))

    def offers(self) -> list[Offer]:
        """Every plugin on offer, by kind and name; loads them all."""
        self._load_all()
        order = list(HOOKS)
        every = [offer for group in self._offers.values() for offer in group]
        return sorted(every, key=lambda offer: (order.index(offer.kind), offer.name, offer.source))

    def broken(self) -> list[Broken]:
        """Every entry point that failed to load; loads them all."""
        self._load_all()
        return sorted(self._broken, key=lambda broken: broken.source)

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
        _check_hook_names(module, source)
        try:
            self._manager.register(module, name=source)
        except pluggy.PluginValidationError as error:
            raise PluginError(f"{source}: {error}") from error
        except ValueError as error:
            raise PluginError(f"{source}: the same module is offered twice: {error}") from error
        for kind, hook in HOOKS.items():
            for implementation in getattr(self._manager.hook, hook).get_hookimpls():
                if implementation.plugin_name == source:
                    self._take(kind, hook, implementation.function(), source, version)

    def _take(self, kind: Kind, hook: str, offered: Any, source: str, version: str) -> None:
        if not isinstance(offered, Mapping):
            raise PluginError(f"{source}: {hook} must return a mapping from name to class, not {type(offered).__name__}")
        for name, cls in offered.items():
            wanted = PLUGIN_CLASSES[kind]
            if not (isinstance(cls, type) and issubclass(cls, wanted)):
                raise PluginError(f"{source}: {hook} offers {name!r}, which is not a class derived from runner.{wanted.__name__}")
            if inspect.isabstract(cls):
                missing = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
                raise PluginError(f"{source}: {kind} {name!r} does not implement {missing}")
            self._offers[kind, name].append(Offer(kind, name, cls, source, version, parameters_of(cls)))

    def _absence(self, kind: Kind, name: str) -> str:
        for broken in self._broken:
            if broken.name == name:
                return f"{kind} {name!r} cannot be loaded from {broken.source}: {broken.cause}"
        names = sorted(known for known_kind, known in self._offers if known_kind == kind)
        return f"there is no {kind} {name!r}; {suggestion(name, names)}"


def _source(entry_point: EntryPoint) -> str:
    distribution = entry_point.dist.name if entry_point.dist is not None else "unknown"
    return f"{distribution}:{entry_point.name}"


def _cause(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _check_hook_names(module: ModuleType, source: str) -> None:
    """A hook that nobody asks for would be dropped in silence, so a misspelt one is refused here."""
    marked = [name for name in vars(module) if getattr(vars(module)[name], f"{hookspecs.PROJECT}_impl", None)]
    for name in marked:
        if name not in HOOKS.values():
            raise PluginError(f"{source}: there is no hook {name}; {suggestion(name, list(HOOKS.values()))}")
    if not marked:
        raise PluginError(f"{source}: it implements no hook; mark one with @runner.hookimpl, e.g. {HOOKS['objective']}")
