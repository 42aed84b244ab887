"""TOML text to a validated Experiment. Every problem is found in one pass and told with its path."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from runner.contracts.objective import Objective, known_minimum
from runner.contracts.parameters import Parameter, ParameterValue, parameter, parameters_of, shown
from runner.contracts.plugin import Kind, Plugin
from runner.errors import ExperimentError, PluginError
from runner.experiment.model import Exclusion, Experiment, Rules, Start
from runner.experiment.overrides import AXES, apply_overrides
from runner.experiment.starts import starts_of
from runner.experiment.stopping_rules import StoppingRules
from runner.experiment.sweeps import combine, sweep_values
from runner.registry.catalogue import RESERVED, Catalogue, Offer, suggestion
from runner.registry.setting import Setting
from runner.registry.settings import make_setting

TableT = TypeVar("TableT")
KINDS = cast(tuple[Kind, ...], AXES)
KEYS = ("name", "description", "plugins", *AXES, "start", "stop", "record", "exclude", "execution", "report")
MAX_BATCH = 2048
LONGEST_NAME = 200
DEFAULT_FIGURES = ["convergence", "learning_rate", "outcomes"]


@dataclass(frozen=True)
class RecordTable:
    """The `[record]` table."""

    x: bool = parameter(True, doc="whether the iterates are recorded beside f and ‖∇f‖")
    gradient: bool = parameter(False, doc="whether the gradients are recorded too, component by component")


def read_experiment(path: Path, catalogue: Catalogue, overrides: Sequence[str] = ()) -> Experiment:
    """Read and validate an experiment file.

    Args:
        path: the TOML file.
        catalogue: where its plugins are looked up.
        overrides: changes in the form `path.to.key=value`.

    Raises:
        ExperimentError: with every problem of the file.
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
    experiment = _Reader(path, source, overrides, raw, catalogue, problems).experiment()
    if problems.found:
        raise ExperimentError(str(path), problems.told())
    return experiment


def read_plugin(kind: Kind, table: Mapping[str, Any], catalogue: Catalogue) -> Setting:
    """Make one plugin from its table, written as in an experiment file in the working folder.

    Args:
        kind: what it is.
        table: its name under `name`, and its parameters.
        catalogue: where it is looked up.

    Raises:
        ExperimentError: with every problem of the table, each parameter named as with `--set`.
    """
    problems = Problems()
    settings = _Reader(Path(), "", (), {}, catalogue, problems).settings(kind, "--set", dict(table))
    if len(settings) > 1:
        problems.add("--set", f"gives {len(settings)} plugins, and one is wanted: give each parameter one value")
    if problems.found:
        told = [problem.replace("--set.", "--set ", 1).removeprefix("--set: ") for problem in problems.told()]
        raise ExperimentError(str(table["name"]), told)
    return settings[0]


@dataclass
class _Reader:
    path: Path
    source: str
    overrides: Sequence[str]
    raw: dict[str, Any]
    catalogue: Catalogue
    problems: Problems

    def experiment(self) -> Experiment:
        for key in self.raw:
            if key not in KEYS:
                self.problems.add(key, f"there is no such key; {suggestion(key, KEYS)}")
        self._load_local_plugins()
        name = self._text("name", self.path.stem)
        fits = 0 < len(name.encode()) <= LONGEST_NAME and not name.startswith(".")
        if not fits or not all(letter.isalnum() or letter in "-_." for letter in name):
            self.problems.add("name", f"must be letters, digits, '-', '_' and '.', not begin with '.', and have at most "
                              f"{LONGEST_NAME} bytes, for a folder bears it; not {shown(name)}")  # fmt: skip
        axes = {kind: self._axis(kind) for kind in KINDS}
        executor, max_batch = self._execution()
        record = self._fields("record", RecordTable)
        rules = Rules(self._fields("stop", StoppingRules), record.x, record.gradient)
        objectives = axes["objective"]
        if rules.stop.gap is not None and objectives and not any(_knows_minimum(each.plugin) for each in objectives):
            self.problems.add("stop.gap", "none of the objectives knows its minimum; use gradient_norm instead")
        return Experiment(
            path=self.path,
            name=name,
            description=self._text("description", ""),
            source=self.source + "".join(f"\n# --set {assignment}" for assignment in self.overrides),
            objectives=objectives,
            gradients=axes["gradient"],
            optimizers=axes["optimizer"],
            starts=self._starts(objectives),
            rules=rules,
            exclude=self._exclude(axes),
            executor=cast(Setting, executor),
            figures=self._figures(),
            max_batch=max_batch,
        )

    def _load_local_plugins(self) -> None:
        files = self.raw.get("plugins", [])
        if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
            self.problems.add("plugins", f"must be a list of file names, not {shown(files)}")
            return
        for number, file in enumerate(files):
            with self.problems.at(f"plugins[{number}]"):
                self.catalogue.load_file(self.path.parent / file)

    def _text(self, key: str, default: str) -> str:
        text = self.raw.get(key, default)
        if isinstance(text, str):
            return text
        self.problems.add(key, f"must be a string, not {shown(text)}")
        return default

    def _table(self, key: str) -> dict[str, Any]:
        table = self.raw.get(key, {})
        if isinstance(table, dict):
            return table
        self.problems.add(key, f"must be a table, written [{key}], not {shown(table)}")
        return {}

    def _tables(self, key: str) -> list[tuple[str, dict[str, Any]]]:
        tables = self.raw.get(key, [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self.problems.add(key, f"must be tables, each written [[{key}]], not {shown(tables)}")
            return []
        return [(f"{key}[{number}]", table) for number, table in enumerate(tables)]

    def _fields(self, key: str, cls: type[TableT]) -> TableT:
        known = parameters_of(cls)
        return cls(**self._converted(key, f"[{key}]", "key", known, self._table(key)))

    def _converted(
        self, path: str, owner: str, noun: str, known: Mapping[str, Parameter], table: Mapping[str, Any]
    ) -> dict[str, ParameterValue]:
        """Convert each value of a table; a problem for each that is unknown or does not fit."""
        converted: dict[str, ParameterValue] = {}
        for key, value in table.items():
            if key not in known:
                self.problems.add(f"{path}.{key}", f"{owner} has no such {noun}; {suggestion(key, list(known))}")
                continue
            with self.problems.at(f"{path}.{key}"):
                converted[key] = known[key].convert(value)
        return converted

    def _axis(self, kind: Kind) -> tuple[Setting, ...]:
        if self.raw.get(kind, []) == []:
            self.problems.add(kind, f"at least one [[{kind}]] table is needed")
        return tuple(setting for path, table in self._tables(kind) for setting in self.settings(kind, path, table))

    def settings(self, kind: Kind, path: str, table: dict[str, Any]) -> list[Setting]:
        """Make the plugins that one table stands for: several, where it sweeps a parameter."""
        offer = self._offer(kind, path, table)
        if offer is None:
            return []
        before = len(self.problems.found)
        values = self._swept_values(path, offer, table)
        for name, known in offer.parameters.items():
            if known.required and name not in table:
                self.problems.add(path, f"{offer.name} needs {name}, {known.allowed}")
        if len(self.problems.found) > before:
            return []
        with self.problems.at(path):
            return self._made(path, offer, combine(values, _zip_groups(table.get("zip", []))))
        return []

    def _offer(self, kind: Kind, path: str, table: Mapping[str, Any]) -> Offer | None:
        name = table.get("name")
        key = "executor" if kind == "executor" else "name"
        if not isinstance(name, str):
            self.problems.add(f"{path}.{key}", f"must be the name of a plugin, not {shown(name)}" if name else "is missing")
            return None
        with self.problems.at(f"{path}.{key}"):
            return self.catalogue.find(kind, name)
        return None

    def _swept_values(self, path: str, offer: Offer, table: Mapping[str, Any]) -> dict[str, list[ParameterValue | Setting]]:
        values: dict[str, list[ParameterValue | Setting]] = {}
        for key, value in table.items():
            if key in RESERVED[offer.kind]:
                continue
            with self.problems.at(f"{path}.{key}"):
                known = offer.parameters.get(key)
                if known is not None and known.plugin and isinstance(value, dict):
                    values[key] = list(self.settings(known.plugin, f"{path}.{key}", value))
                    continue
                if isinstance(value, list) and known is not None and known.item is None:
                    raise ValueError(f"must be {known.allowed}, not {shown(value)}; a sweep is written {{ values = [...] }}")
                candidates = sweep_values(value) if isinstance(value, dict) and known is not None else [value]
                for candidate in candidates:
                    single = self._converted(path, offer.name, "parameter", offer.parameters, {key: candidate})
                    values.setdefault(key, []).extend(self._located(item) for item in single.values())
        return values

    def _located(self, value: ParameterValue) -> ParameterValue:
        return self.path.parent / value if isinstance(value, Path) else value

    def _made(self, path: str, offer: Offer, combinations: Sequence[Mapping[str, ParameterValue | Setting]]) -> list[Setting]:
        settings = []
        for values in combinations:
            wrapped = {key: value for key, value in values.items() if isinstance(value, Setting)}
            plain = {key: value for key, value in values.items() if not isinstance(value, Setting)}
            with self.problems.at(path):
                settings.append(make_setting(offer, plain, wrapped))
        return settings

    def _starts(self, objectives: Sequence[Setting]) -> tuple[tuple[Start, ...], ...]:
        if "start" not in self.raw:
            self.problems.add(
                "start", "is missing; say where runs begin, e.g. uniform = { low = -3.0, high = 3.0, count = 5, seed = 0 }"
            )
            return ()
        before = len(self.problems.found)
        table = self._table("start")
        starts: list[tuple[Start, ...]] = []
        for objective in objectives if len(self.problems.found) == before else ():
            try:
                starts.append(starts_of(table, objective.name, cast(Objective, objective.plugin)))
            except ValueError as error:
                self.problems.note(f"start{error}")
        return tuple(starts)

    def _exclude(self, axes: Mapping[Kind, tuple[Setting, ...]]) -> tuple[Exclusion, ...]:
        return tuple(
            Exclusion({kind: self._condition(f"{path}.{kind}", axes[kind], table[kind]) for kind in KINDS if kind in table})
            for path, table in self._tables("exclude")
            if self._is_exclusion(path, table)
        )

    def _is_exclusion(self, path: str, table: Mapping[str, Any]) -> bool:
        unknown = [key for key in table if key not in KINDS]
        for key in unknown:
            self.problems.add(f"{path}.{key}", f"there is no such key; {suggestion(key, KINDS)}")
        if not table:
            self.problems.add(path, f"must name what to drop, by {', '.join(KINDS)}")
        return bool(table) and not unknown

    def _condition(self, path: str, settings: Sequence[Setting], condition: object) -> dict[str, tuple[Any, ...]]:
        table = condition if isinstance(condition, dict) else {"name": condition}
        values = {key: tuple(value) if isinstance(value, list) else (value,) for key, value in table.items()}
        if not all(values.values()) or not values:
            self.problems.add(path, "must say what to drop: a plugin's name, or a table with values of its parameters")
        if not settings:
            return values
        names = sorted({setting.name for setting in settings})
        for name in values.get("name", ()):
            if name not in names:
                self.problems.add(path, f"this experiment has no {shown(name)}; {suggestion(str(name), names)}")
        meant = [setting for setting in settings if setting.name in values.get("name", names)]
        known = {key: each for setting in meant for key, each in parameters_of(type(setting.plugin)).items()}
        names_known = sorted({key for setting in meant for key in setting.parameters})
        for key, some in values.items():
            if key != "name" and key not in names_known:
                self.problems.add(f"{path}.{key}", f"there is no such parameter here; {suggestion(key, names_known)}")
            elif key in known and not known[key].plugin:
                with self.problems.at(f"{path}.{key}"):
                    values[key] = tuple(self._located(known[key].convert(value)) for value in some)
        return values

    def _execution(self) -> tuple[Setting | None, int]:
        table = dict(self._table("execution"))
        if "name" in table:
            self.problems.add("execution.name", "there is no such key; did you mean executor?")
        name = table.pop("executor", "serial")
        max_batch = table.pop("max_batch", MAX_BATCH)
        if not isinstance(max_batch, int) or isinstance(max_batch, bool) or max_batch < 1:
            self.problems.add("execution.max_batch", f"must be a whole number >= 1, not {shown(max_batch)}")
        settings = self.settings("executor", "execution", {**table, "name": name})
        if len(settings) > 1:
            self.problems.add("execution", "an experiment has one executor; its parameters cannot be swept")
        return (settings[0] if settings else None), max_batch

    def _figures(self) -> tuple[str, ...]:
        table = self._table("report")
        figures = table.get("figures", DEFAULT_FIGURES)
        for key in table:
            if key != "figures":
                self.problems.add(f"report.{key}", "there is no such key; allowed: figures")
        if not isinstance(figures, list) or not all(isinstance(figure, str) for figure in figures):
            self.problems.add("report.figures", f"must be a list of figures' names, not {shown(figures)}")
            return ()
        return tuple(figures)


def _knows_minimum(plugin: Plugin) -> bool:
    try:
        return known_minimum(plugin) is not None
    except Exception:  # what it raises is told when it is needed
        return True


def _zip_groups(groups: object) -> list[list[str]]:
    listed = isinstance(groups, list) and all(isinstance(group, list) for group in groups)
    if not listed or not all(isinstance(name, str) for group in cast(list[list[str]], groups) for name in group):
        raise ValueError(f"zip must be a list of lists of parameters, e.g. [['learning_rate', 'max_norm']], not {shown(groups)}")
    return cast(list[list[str]], groups)


MOST_AT_A_PATH = 5


@dataclass
class Problems:
    """The problems found so far, each with its path, and each once."""

    found: dict[str, None] = field(default_factory=dict)

    def add(self, path: str, text: str) -> None:
        """Note a problem at a path."""
        self.note(f"{path}: {text}")

    def note(self, problem: str) -> None:
        """Note a problem that names its path itself."""
        self.found[problem] = None

    def told(self) -> list[str]:
        """The problems, but of many with one path only the first, for a sweep can be wrong a thousand times."""
        places: dict[str, list[str]] = {}
        for problem in self.found:
            places.setdefault(problem.partition(": ")[0], []).append(problem)
        told = []
        for path, some in places.items():
            told += some[:MOST_AT_A_PATH]
            if len(some) > MOST_AT_A_PATH:
                told.append(f"{path}: and {len(some) - MOST_AT_A_PATH:,} more like this")
        return told

    @contextmanager
    def at(self, path: str) -> Iterator[None]:
        """Note what the body refuses, and go on behind it."""
        try:
            yield
        except (ValueError, PluginError) as error:
            self.add(path, str(error))
        except OverflowError:
            self.add(path, "the number is too large")
