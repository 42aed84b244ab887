"""The reader of experiment files, which validates the TOML text and reports every problem with its path."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from runner.contracts.objective import Objective, may_know_minimum
from runner.contracts.parameters import Parameter, ParameterValue, as_toml, parameter, parameters_of
from runner.contracts.plugin import Kind
from runner.errors import ExperimentError, PluginError
from runner.experiment.model import Exclusion, Experiment, Rules, Start, StoppingRules, UnusableSetting
from runner.experiment.overrides import AXES, apply_overrides
from runner.experiment.starts import FaultyDraw, StartError, starts_of
from runner.experiment.sweeps import combine, sweep_values
from runner.registry.catalogue import RESERVED, Catalogue, Offer, suggestion
from runner.registry.setting import FaultyPlugin, Setting, make_setting

TableT = TypeVar("TableT")
KEYS = ("name", "description", "plugins", *AXES, "start", "stop", "record", "exclude", "execution", "report")
DEFAULT_MAX_BATCH = 2048
LONGEST_NAME = 200
"""The largest number of bytes of an experiment's name."""
DEFAULT_FIGURES = ["convergence", "learning_rate", "outcomes"]
MOST_AT_A_PATH = 5
"""The number of problems that are reported for one path."""


@dataclass(frozen=True)
class RecordTable:
    """The `[record]` table of an experiment."""

    x: bool = parameter(True, doc="true to record the iterates in addition to f and ‖∇f‖")
    gradient: bool = parameter(False, doc="true to record the gradients too, component by component")


@dataclass
class Problems:
    """The problems that a reader has found: pairs of path and text, each once.

    A path begins at the first level of the file, as in `optimizer[0].learning_rate`. The path is None for a table that does not
    come from a file.
    """

    found: dict[tuple[str | None, str], None] = field(default_factory=dict)

    def add(self, path: str | None, text: str) -> None:
        """Add a problem."""
        self.found[path, text] = None

    @contextmanager
    def at(self, path: str | None) -> Iterator[None]:
        """If the body raises an error, add it to the problems, and continue after the body."""
        try:
            yield
        except (ValueError, PluginError) as error:
            self.add(path, str(error))
        except OverflowError:
            self.add(path, "the number is too large")

    def messages(self, prefix: str = "") -> list[str]:
        """Return the problems as `path: text`, with a prefix before each path.

        A sweep can have thousands of problems at one path. Only the first of them are listed, and the others are counted.
        """
        texts: dict[str | None, list[str]] = {}
        for path, text in self.found:
            texts.setdefault(path, []).append(text)
        messages = []
        for path, some in texts.items():
            shortened = some[:MOST_AT_A_PATH]
            if len(some) > MOST_AT_A_PATH:
                shortened.append(f"and {len(some) - MOST_AT_A_PATH:,} more like this")
            messages += [text if path is None else f"{prefix}{path}: {text}" for text in shortened]
        return messages


def read_experiment(path: Path, catalogue: Catalogue, overrides: Sequence[str] = ()) -> Experiment:
    """Read and validate an experiment file.

    Args:
        path: the TOML file.
        catalogue: the plugins.
        overrides: changes in the form `path.to.key=value`.

    Raises:
        ExperimentError: the file has problems; the error lists all of them.
    """
    try:
        source = path.read_text(encoding="utf-8")
        raw = tomllib.loads(source)
        apply_overrides(raw, overrides)
    except OSError as error:
        raise ExperimentError(str(path), [f"the experiment file cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ExperimentError(str(path), [f"not valid TOML: not UTF-8 text (byte {error.start})"]) from error
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError(str(path), [f"not valid TOML: {error}"]) from error
    except ValueError as error:
        raise ExperimentError(str(path), [str(error)]) from error
    problems = Problems()
    source += "".join(f"\n# --set {assignment}" for assignment in overrides)
    experiment = _Reader(path, catalogue, problems).experiment(source, raw)
    if problems.found:
        raise ExperimentError(str(path), problems.messages())
    return experiment


def read_plugin(kind: Kind, table: Mapping[str, Any], catalogue: Catalogue) -> Setting:
    """Make one plugin from its table, written as in an experiment file in the working folder.

    Args:
        kind: the plugin's kind.
        table: the plugin's name under `name`, and its parameters.
        catalogue: the plugins.

    Raises:
        ExperimentError: the table has problems; the error lists all of them, with parameters as `--set PARAMETER`.
    """
    problems = Problems()
    reader = _Reader(Path(), catalogue, problems)
    settings = reader.usable(reader.settings(kind, None, table))
    if len(settings) > 1:
        problems.add(None, f"gives {len(settings)} plugins, but one is needed; give each parameter one value")
    if problems.found:
        raise ExperimentError(str(table["name"]), problems.messages("--set "))
    return settings[0]


@dataclass
class _Reader:
    """The reader of one file. It continues after a problem, so that one pass finds all problems."""

    path: Path
    catalogue: Catalogue
    problems: Problems
    unusable: list[UnusableSetting] = field(default_factory=list)

    def experiment(self, source: str, raw: dict[str, Any]) -> Experiment:
        """Return the experiment; it is incomplete if there are problems."""
        for key in raw:
            if key not in KEYS:
                self.problems.add(key, f"there is no such key; {suggestion(key, KEYS)}")
        files = raw.get("plugins", [])
        if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
            self.problems.add("plugins", f"must be a list of file names, not {as_toml(files)}")
            files = []
        for number, file in enumerate(files):
            with self.problems.at(f"plugins[{number}]"):
                self.catalogue.load_file(self.path.parent / file)
        name = self._text(raw, "name", self.path.stem)
        fits = 0 < len(name.encode()) <= LONGEST_NAME and not name.startswith(".")
        if not fits or not all(letter.isalnum() or letter in "-_." for letter in name):
            self.problems.add("name", f"must be letters, digits, '-', '_' and '.', not begin with '.', and have at most "
                              f"{LONGEST_NAME} bytes, because a folder gets this name; not {as_toml(name)}")  # fmt: skip
        axes: dict[Kind, tuple[Setting, ...]] = {}
        for kind in AXES:
            if raw.get(kind, []) == []:
                self.problems.add(kind, f"at least one [[{kind}]] table is needed")
            tables = self._tables(raw, kind)
            axes[kind] = self.usable([setting for path, table in tables for setting in self.settings(kind, path, table)])
        objectives = axes["objective"]
        executor, max_batch = self._execution(raw)
        figures, target = self._report(raw)
        record = self._fields(raw, "record", RecordTable)
        rules = Rules(self._fields(raw, "stop", StoppingRules), record.x, record.gradient)
        if rules.stop.gap is not None and objectives and not any(may_know_minimum(each.plugin) for each in objectives):
            self.problems.add("stop.gap", "none of the objectives knows its minimum; use gradient_norm instead")
        axes["objective"], starts = self._starts(raw, objectives)
        return Experiment(
            path=self.path,
            name=name,
            description=self._text(raw, "description", ""),
            source=source,
            objectives=axes["objective"],
            gradients=axes["gradient"],
            optimizers=axes["optimizer"],
            starts=starts,
            rules=rules,
            exclude=self._exclude(raw, axes),
            executor=cast(Setting, executor),
            figures=figures,
            target=target,
            max_batch=max_batch,
            unusable=tuple(self.unusable),
        )

    def usable(self, settings: Sequence[Setting | UnusableSetting]) -> tuple[Setting, ...]:
        """Return the settings that can be used, and keep the others apart; if none can be used, their reasons are problems."""
        usable = tuple(setting for setting in settings if isinstance(setting, Setting))
        unusable = [setting for setting in settings if isinstance(setting, UnusableSetting)]
        if usable:
            self.unusable += unusable
        else:
            for setting in unusable:
                self.problems.add(setting.path, setting.reason)
        return usable

    def settings(self, kind: Kind, path: str | None, table: Mapping[str, Any]) -> list[Setting | UnusableSetting]:
        """Make the plugins that one table describes; a table with a sweep describes several."""
        name = table.get("name")
        name_path = _key_path(path, "executor" if kind == "executor" else "name")
        if not isinstance(name, str):
            self.problems.add(name_path, f"must be the name of a plugin, not {as_toml(name)}" if name else "is missing")
            return []
        offer = None
        with self.problems.at(name_path):
            offer = self.catalogue.find(kind, name)
        if offer is None:
            return []
        before = len(self.problems.found)
        values = self._swept_values(path, offer, table)
        for key, known in offer.parameters.items():
            if key not in table and known.required:
                self.problems.add(path, f"{offer.name} needs {key}, {known.allowed}")
        combinations: list[dict[str, Any]] = []
        if len(self.problems.found) == before:
            with self.problems.at(path):
                combinations = combine(values, table.get("zip", []))
        settings: list[Setting | UnusableSetting] = []
        for combination in combinations:
            plugins = {key: value for key, value in combination.items() if isinstance(value, Setting | UnusableSetting)}
            numbers = {key: value for key, value in combination.items() if key not in plugins}
            with self.problems.at(path):
                try:
                    for each in plugins.values():
                        if isinstance(each, UnusableSetting):
                            raise FaultyPlugin(each.reason)
                    settings.append(make_setting(offer, numbers, cast(dict[str, Setting], plugins)))
                except FaultyPlugin as error:
                    defaults = {key: known.default for key, known in offer.parameters.items() if not known.required}
                    parameters = {**defaults, **numbers, **{key: each.name for key, each in plugins.items()}}
                    for each in plugins.values():
                        parameters = {**each.parameters, **parameters}
                    settings.append(UnusableSetting(kind, name, parameters, str(error), path))
        return settings

    def _swept_values(
        self, path: str | None, offer: Offer, table: Mapping[str, Any]
    ) -> dict[str, list[ParameterValue | Setting | UnusableSetting]]:
        """Return the values of each parameter in a plugin's table; the values of a wrapped plugin are its settings."""
        values: dict[str, list[ParameterValue | Setting | UnusableSetting]] = {}
        for key, value in table.items():
            if key in RESERVED[offer.kind]:
                continue
            with self.problems.at(_key_path(path, key)):
                known = offer.parameters.get(key)
                if known is not None and known.plugin and isinstance(value, dict):
                    values[key] = list(self.settings(known.plugin, _key_path(path, key), value))
                    continue
                if isinstance(value, list) and known is not None and known.item is None:
                    raise ValueError(f"must be {known.allowed}, not {as_toml(value)}; a sweep is written {{ values = [...] }}")
                candidates = sweep_values(value) if isinstance(value, dict) and known is not None else [value]
                for candidate in candidates:
                    single = self._converted(path, offer.name, "parameter", offer.parameters, {key: candidate})
                    values.setdefault(key, []).extend(self._located(item) for item in single.values())
        return values

    def _converted(
        self, path: str | None, owner: str, noun: str, known: Mapping[str, Parameter], table: Mapping[str, Any]
    ) -> dict[str, ParameterValue]:
        """Return the values of a table, converted to the types of its parameters; wrong keys and values are reported."""
        converted: dict[str, ParameterValue] = {}
        for key, value in table.items():
            if key not in known:
                self.problems.add(_key_path(path, key), f"{owner} has no such {noun}; {suggestion(key, list(known))}")
                continue
            with self.problems.at(_key_path(path, key)):
                converted[key] = known[key].convert(value)
        return converted

    def _located(self, value: ParameterValue) -> ParameterValue:
        """Return a value unchanged, except that the path of a file is taken relative to the experiment's folder."""
        return self.path.parent / value if isinstance(value, Path) else value

    def _starts(
        self, raw: dict[str, Any], objectives: tuple[Setting, ...]
    ) -> tuple[tuple[Setting, ...], tuple[tuple[Start, ...], ...]]:
        """Return the objectives that have starting points, and the starting points of each."""
        if "start" not in raw:
            example = "uniform = { low = -3.0, high = 3.0, count = 5, seed = 0 }"
            self.problems.add("start", f"is missing; give the points where runs begin, e.g. {example}")
            return objectives, ()
        before = len(self.problems.found)
        table = self._table(raw, "start")
        starts: dict[Setting, tuple[Start, ...]] = {}
        faults: list[UnusableSetting] = []
        for objective in objectives if len(self.problems.found) == before else ():
            try:
                starts[objective] = starts_of(table, objective.name, cast(Objective, objective.plugin))
            except FaultyDraw as error:
                faults.append(UnusableSetting("objective", objective.name, objective.parameters, str(error), error.path))
            except StartError as error:
                self.problems.add(error.path, str(error))
        self.usable([*starts, *faults])
        return tuple(starts) or objectives, tuple(starts.values())

    def _exclude(self, raw: dict[str, Any], axes: Mapping[Kind, tuple[Setting, ...]]) -> tuple[Exclusion, ...]:
        exclusions = []
        for path, table in self._tables(raw, "exclude"):
            unknown = [key for key in table if key not in AXES]
            for key in unknown:
                self.problems.add(f"{path}.{key}", f"there is no such key; {suggestion(key, AXES)}")
            if not table:
                self.problems.add(path, f"must name the combinations to drop, by {', '.join(AXES)}")
            if table and not unknown:
                named = [kind for kind in AXES if kind in table]
                conditions = {kind: self._condition(f"{path}.{kind}", kind, axes[kind], table[kind]) for kind in named}
                exclusions.append(Exclusion(conditions))
        return tuple(exclusions)

    def _condition(self, path: str, kind: Kind, usable: Sequence[Setting], condition: object) -> dict[str, tuple[Any, ...]]:
        """Return the allowed names and parameter values of one kind in an `[[exclude]]` table."""
        settings: list[Setting | UnusableSetting] = [*usable, *(each for each in self.unusable if each.kind == kind)]
        table = condition if isinstance(condition, dict) else {"name": condition}
        values = {key: tuple(value) if isinstance(value, list) else (value,) for key, value in table.items()}
        if not all(values.values()) or not values:
            self.problems.add(path, "must be a plugin's name, or a table with values of its parameters")
        if not settings:
            return values
        names = sorted({setting.name for setting in settings})
        for name in values.get("name", ()):
            if name not in names:
                self.problems.add(path, f"this experiment has no {as_toml(name)}; {suggestion(str(name), names)}")
        named = [setting for setting in settings if setting.name in values.get("name", names)]
        plugins = [setting.plugin for setting in named if isinstance(setting, Setting)]
        known = {key: each for plugin in plugins for key, each in parameters_of(type(plugin)).items()}
        # A setting has the parameters of the plugins that it wraps as well.
        all_keys = sorted({key for setting in named for key in setting.parameters})
        for key, some in values.items():
            if key != "name" and key not in all_keys:
                self.problems.add(f"{path}.{key}", f"there is no such parameter here; {suggestion(key, all_keys)}")
            elif key in known and not known[key].plugin:
                with self.problems.at(f"{path}.{key}"):
                    values[key] = tuple(self._located(known[key].convert(value)) for value in some)
        return values

    def _execution(self, raw: dict[str, Any]) -> tuple[Setting | None, int]:
        """Return the executor, or None if it has problems, and the largest size of a batch."""
        table = dict(self._table(raw, "execution"))
        if "name" in table:
            self.problems.add("execution.name", "there is no such key; did you mean executor?")
        name = table.pop("executor", "serial")
        max_batch = table.pop("max_batch", DEFAULT_MAX_BATCH)
        if not isinstance(max_batch, int) or isinstance(max_batch, bool) or max_batch < 1:
            self.problems.add("execution.max_batch", f"must be a whole number >= 1, not {as_toml(max_batch)}")
        settings = self.usable(self.settings("executor", "execution", {**table, "name": name}))
        if len(settings) > 1:
            self.problems.add("execution", "an experiment has one executor; its parameters cannot be swept")
        return (settings[0] if settings else None), max_batch

    def _report(self, raw: dict[str, Any]) -> tuple[tuple[str, ...], float | None]:
        """Return the names of the figures, and the target."""
        table = self._table(raw, "report")
        figures = table.get("figures", DEFAULT_FIGURES)
        for key in table:
            if key not in ("figures", "target"):
                self.problems.add(f"report.{key}", "there is no such key; allowed: figures, target")
        if not isinstance(figures, list) or not all(isinstance(figure, str) for figure in figures):
            self.problems.add("report.figures", f"must be a list of names of figures, not {as_toml(figures)}")
            figures = ()
        target = table.get("target")
        is_number = isinstance(target, int | float) and not isinstance(target, bool)
        if target is not None and not (is_number and 0.0 <= target < math.inf):
            self.problems.add("report.target", f"must be a finite number >= 0, not {as_toml(target)}")
            target = None
        return tuple(figures), None if target is None else float(target)

    def _text(self, raw: dict[str, Any], key: str, default: str) -> str:
        text = raw.get(key, default)
        if isinstance(text, str):
            return text
        self.problems.add(key, f"must be a string, not {as_toml(text)}")
        return default

    def _table(self, raw: dict[str, Any], key: str) -> dict[str, Any]:
        table = raw.get(key, {})
        if isinstance(table, dict):
            return table
        self.problems.add(key, f"must be a table, written [{key}], not {as_toml(table)}")
        return {}

    def _tables(self, raw: dict[str, Any], key: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the tables of an array of tables, each with its path."""
        tables = raw.get(key, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self.problems.add(key, f"must be tables, each written [[{key}]], not {as_toml(tables)}")
            return []
        return [(f"{key}[{number}]", table) for number, table in enumerate(tables)]

    def _fields(self, raw: dict[str, Any], key: str, cls: type[TableT]) -> TableT:
        """Return a table as an instance of a dataclass, whose fields are the keys of the table."""
        return cls(**self._converted(key, f"[{key}]", "key", parameters_of(cls), self._table(raw, key)))


def _key_path(path: str | None, key: str) -> str:
    """Return the path of a key, given the path of its table."""
    return key if path is None else f"{path}.{key}"
