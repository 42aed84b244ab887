"""The `[start]` table: the points where runs begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.objective import DrawsStarts, HasStartRegion, Objective
from runner.contracts.parameters import as_toml
from runner.errors import describe
from runner.experiment.model import Start
from runner.experiment.sweeps import is_finite_number
from runner.registry.identity import canonical_json

FORMS = (
    "points = [...], uniform = { low, high, count, seed }, normal = { mean, std, count, seed } "
    "or initialisation = { count, seed }"
)


class StartError(ValueError):
    """A wrong value in the `[start]` table.

    Attributes:
        path: the key that holds the value, e.g. `start.uniform.low`.
    """

    def __init__(self, path: str, text: str) -> None:
        super().__init__(text)
        self.path = path


class FaultyDraw(StartError):
    """The starts that an objective draws itself are invalid, which is a fault of the plugin and not of the table."""


def starts_of(table: Mapping[str, Any], name: str, objective: Objective) -> tuple[Start, ...]:
    """Return the starting points for an objective.

    Args:
        table: the `[start]` table. It holds exactly one of these keys:
            `points`: a list of points. A point is a list of coordinates, or one number for all of its coordinates.
            `uniform`: `low` and `high` may be left out where the objective has a `start_region`.
            `normal`: `mean` and `std` are 0 and 1 by default.
            `initialisation`: only for an objective that draws starts itself.
        name: the objective's name.
        objective: the objective.

    Raises:
        StartError: a value of the table is wrong.
        FaultyDraw: the objective does not draw starts as its contract requires.
    """
    if len(table) != 1 or not set(table) <= {"points", "uniform", "normal", "initialisation"}:
        raise StartError("start", f"must be one of {FORMS}, not {', '.join(sorted(table)) or 'empty'}")
    ((form, options),) = table.items()
    dimension = int(objective.dimension)
    try:
        if form == "points":
            if not isinstance(options, list) or not options:
                raise StartError("start.points", f"must be a list of at least one point, not {as_toml(options)}")
            points = np.array([_coordinates(f"start.points[{number}]", point, dimension) for number, point in enumerate(options)])
        elif form == "uniform":
            points = _uniform(options, dimension, objective)
        elif form == "normal":
            points = _normal(options, dimension)
        else:
            points = _initialisation(options, name, objective)
    except (MemoryError, OverflowError) as error:
        text = f"the points do not fit into memory, because the objective has dimension {dimension:,}"
        raise StartError("start", text) from error
    if not np.isfinite(points).all():
        raise StartError("start", "the points are not all finite numbers; choose smaller bounds, or a smaller spread")
    points.setflags(write=False)
    return tuple(Start(number, x, canonical_json(x.tolist())) for number, x in enumerate(points))


def _uniform(table: object, dimension: int, objective: Objective) -> Array:
    options = _options("start.uniform", table, ("low", "high", "count", "seed"))
    if isinstance(objective, HasStartRegion):
        low_end, high_end = objective.start_region
        if not {"low", "high"} <= set(options):
            _check_region(low_end, high_end, dimension)
        options = {"low": low_end, "high": high_end, **options}
    elif not {"low", "high"} <= set(options):
        raise StartError("start.uniform", "needs low and high, because the objective has no start_region")
    low = _coordinates("start.uniform.low", options["low"], dimension)
    high = _coordinates("start.uniform.high", options["high"], dimension)
    if not (low <= high).all():
        text = f"low must not lie above high, but {as_toml(options['low'])} > {as_toml(options['high'])}"
        raise StartError("start.uniform", text)
    draws = _drawn("start.uniform", np.random.Generator.random, options, dimension)
    with np.errstate(over="ignore"):
        return low + (high - low) * draws


def _check_region(low: object, high: object, dimension: int) -> None:
    """Raise FaultyDraw if the ends of an objective's start region are not numbers, or lists of numbers, in increasing order."""
    try:
        if (_coordinates("start.uniform", low, dimension) <= _coordinates("start.uniform", high, dimension)).all():
            return
        reason = "the lowest start lies above the highest"
    except StartError as error:
        reason = f"an end {error}"
    region = f"({as_toml(low)}, {as_toml(high)})"
    raise FaultyDraw("start.uniform", f"the objective's start_region {region} cannot be used: {reason}")


def _normal(table: object, dimension: int) -> Array:
    options = _options("start.normal", table, ("mean", "std", "count", "seed"))
    mean = _coordinates("start.normal.mean", options.get("mean", 0.0), dimension)
    std = _coordinates("start.normal.std", options.get("std", 1.0), dimension)
    if not (std >= 0).all():
        raise StartError("start.normal.std", f"must be >= 0, not {as_toml(options['std'])}")
    draws = _drawn("start.normal", np.random.Generator.standard_normal, options, dimension)
    with np.errstate(over="ignore"):
        return mean + std * draws


def _initialisation(table: object, name: str, objective: Objective) -> Array:
    """Return starts that the objective draws itself."""
    path = "start.initialisation"
    if not isinstance(objective, DrawsStarts):
        raise StartError(path, f"objective {name} does not draw starts itself; use uniform, normal or points")
    options = _options(path, table, ("count", "seed"))
    shape = (options["count"], int(objective.dimension))
    generator = np.random.Generator(np.random.PCG64(options["seed"]))
    try:
        points: object = objective.draw_starts(generator, options["count"])
    except (MemoryError, OverflowError):
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise FaultyDraw(path, f"objective {name} cannot draw its starts: draw_starts raised {describe(error)}") from error
    if not isinstance(points, np.ndarray) or points.shape != shape or points.dtype != np.float64:
        found = f"shape {points.shape} and type {points.dtype}" if isinstance(points, np.ndarray) else as_toml(points)
        raise FaultyDraw(path, f"objective {name} drew {found}; it must return a float64 array of shape {shape}")
    if not np.isfinite(points).all():
        raise FaultyDraw(path, f"objective {name} drew a start with the coordinate {points[~np.isfinite(points)][0]}")
    return points.copy()


def _drawn(path: str, draw: Callable[..., Array], options: Mapping[str, Any], dimension: int) -> Array:
    """Call `draw(generator, (count, dimension))` with the count in `options`, and a generator with the seed in `options`."""
    generator = np.random.Generator(np.random.PCG64(options["seed"]))
    try:
        return draw(generator, (options["count"], dimension))
    except (MemoryError, ValueError, OverflowError) as error:
        raise StartError(f"{path}.count", f"{options['count']:,} points do not fit into memory") from error


def _options(path: str, table: object, allowed: tuple[str, ...]) -> dict[str, Any]:
    """Return a table with only the allowed keys, where `count` and `seed` are whole numbers; by default they are 1 and 0."""
    if not isinstance(table, dict):
        raise StartError(path, f"must be a table with {', '.join(allowed)}, not {as_toml(table)}")
    for key in table:
        if key not in allowed:
            raise StartError(f"{path}.{key}", f"there is no such key; allowed: {', '.join(allowed)}")
    options = {"count": 1, "seed": 0, **table}
    for key, least in (("count", 1), ("seed", 0)):
        value = options[key]
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise StartError(f"{path}.{key}", f"must be a whole number >= {least}, not {as_toml(value)}")
    return options


def _coordinates(path: str, value: object, dimension: int) -> Array:
    """Return a point, `(dimension,)`, from a list of numbers, or from one number for all coordinates."""
    values = value if isinstance(value, list) else [value] * dimension
    for item in values:
        if not is_finite_number(item):
            raise StartError(path, f"must be a finite number, or a list of them, not {as_toml(item)}")
    if len(values) != dimension:
        raise StartError(path, f"has {len(values)} coordinates, but the objective has dimension {dimension}; "
                         f"give {dimension}, or one number for all")  # fmt: skip
    return np.array(values, dtype=np.float64)
