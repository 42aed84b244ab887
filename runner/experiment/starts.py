"""The `[start]` table: where runs begin."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from runner.contracts.arrays import Array
from runner.contracts.objective import DrawsStarts, HasStartRegion, Objective
from runner.contracts.parameters import shown
from runner.experiment.model import Start
from runner.registry.identity import canonical

Region = tuple[float, float]
FORMS = (
    "points = [...], uniform = { low, high, count, seed }, normal = { mean, std, count, seed } "
    "or initialisation = { count, seed }"
)


def starts_of(table: Mapping[str, Any], name: str, objective: Objective) -> tuple[Start, ...]:
    """Return the starting points for an objective.

    Args:
        table: the `[start]` table. Exactly one of `points` (numbers, which stand for all coordinates, or lists of as many
            numbers), `uniform` (`low` and `high` may be left out where the objective says where starts make sense), `normal`
            and `initialisation` (where the objective draws starts itself).
        name: the objective's.
        objective: the objective.

    Raises:
        ValueError: the text begins with the key it is about.
    """
    if len(table) != 1 or not set(table) <= {"points", "uniform", "normal", "initialisation"}:
        raise ValueError(f": must be one of {FORMS}, not {', '.join(sorted(table)) or 'empty'}")
    dimension = int(objective.dimension)
    try:
        if "points" in table:
            points = _points(table["points"], dimension)
        elif "uniform" in table:
            region = objective.start_region if isinstance(objective, HasStartRegion) else None
            points = _uniform(table["uniform"], dimension, region)
        elif "normal" in table:
            points = _normal(table["normal"], dimension)
        else:
            points = _own(table["initialisation"], name, objective)
    except (MemoryError, OverflowError) as error:
        raise ValueError(f": the points do not fit into memory, for the objective has dimension {dimension:,}") from error
    if not np.isfinite(points).all():
        raise ValueError(": the points are not all finite numbers; choose smaller bounds, or a smaller spread")
    points.setflags(write=False)
    return tuple(Start(number, x, canonical(x.tolist())) for number, x in enumerate(points))


def _points(points: object, dimension: int) -> Array:
    if not isinstance(points, list) or not points:
        raise ValueError(f".points: must be a list of at least one point, not {shown(points)}")
    rows = []
    for number, point in enumerate(points):
        coordinates = point if isinstance(point, list) else [point] * dimension
        for coordinate in coordinates:
            _number(f".points[{number}]", coordinate)
        if len(coordinates) != dimension:
            raise ValueError(
                f".points[{number}]: has {len(coordinates)} coordinates, but the objective has dimension {dimension}; "
                f"give {dimension}, or one number for all"
            )
        rows.append([float(coordinate) for coordinate in coordinates])
    return np.array(rows)


def _uniform(table: object, dimension: int, region: Region | None) -> Array:
    options = _options(".uniform", table, ("low", "high", "count", "seed"))
    if region is not None:
        options = {"low": region[0], "high": region[1], **options}
    elif not {"low", "high"} <= set(options):
        raise ValueError(".uniform: needs low and high, for the objective does not say where starts make sense")
    low = _coordinates(".uniform.low", options["low"], dimension)
    high = _coordinates(".uniform.high", options["high"], dimension)
    if not (low <= high).all():
        raise ValueError(f".uniform: low must not lie above high, but {shown(options['low'])} > {shown(options['high'])}")
    draws = _drawn(".uniform", np.random.Generator.random, options, dimension)
    with np.errstate(over="ignore"):
        return low + (high - low) * draws


def _normal(table: object, dimension: int) -> Array:
    options = _options(".normal", table, ("mean", "std", "count", "seed"))
    mean = _coordinates(".normal.mean", options.get("mean", 0.0), dimension)
    std = _coordinates(".normal.std", options.get("std", 1.0), dimension)
    if not (std >= 0).all():
        raise ValueError(f".normal.std: must be >= 0, not {shown(options['std'])}")
    draws = _drawn(".normal", np.random.Generator.standard_normal, options, dimension)
    with np.errstate(over="ignore"):
        return mean + std * draws


def _own(table: object, name: str, objective: Objective) -> Array:
    """Return starts as the objective draws them."""
    if not isinstance(objective, DrawsStarts):
        raise ValueError(f".initialisation: objective {name} has no way of its own to draw starts; use uniform, normal or points")
    options = _options(".initialisation", table, ("count", "seed"))
    shape = (options["count"], int(objective.dimension))
    points: Any = _drawn(
        ".initialisation", lambda generator, _: objective.draw_starts(generator, options["count"]), options, shape[1]
    )
    if not isinstance(points, np.ndarray) or points.shape != shape or points.dtype != np.float64:
        found = f"shape {points.shape} and type {points.dtype}" if isinstance(points, np.ndarray) else shown(points)
        raise ValueError(f".initialisation: objective {name} drew {found}; it must return a float64 array of shape {shape}")
    return cast(Array, points).copy()


def _drawn(path: str, draw: Callable[..., Array], options: Mapping[str, Any], dimension: int) -> Array:
    generator = np.random.Generator(np.random.PCG64(options["seed"]))
    try:
        return draw(generator, (options["count"], dimension))
    except (MemoryError, ValueError, OverflowError) as error:
        raise ValueError(f"{path}.count: {options['count']:,} points do not fit into memory") from error


def _options(path: str, table: object, allowed: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(table, dict):
        raise ValueError(f"{path}: must be a table with {', '.join(allowed)}, not {shown(table)}")
    for key in table:
        if key not in allowed:
            raise ValueError(f"{path}.{key}: there is no such key; allowed: {', '.join(allowed)}")
    options = {"count": 1, "seed": 0, **table}
    for key, least in (("count", 1), ("seed", 0)):
        value = options[key]
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise ValueError(f"{path}.{key}: must be a whole number >= {least}, not {shown(value)}")
    return options


def _coordinates(path: str, value: object, dimension: int) -> Array:
    values = value if isinstance(value, list) else [value] * dimension
    for item in values:
        _number(path, item)
    if len(values) != dimension:
        raise ValueError(
            f"{path}: has {len(values)} coordinates, but the objective has dimension {dimension}; "
            f"give {dimension}, or one number for all"
        )
    return np.array(values, dtype=np.float64)


def _number(path: str, value: object) -> None:
    try:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number beyond the largest float
        fits = False
    if not fits:
        raise ValueError(f"{path}: must be a finite number, or a list of them, not {shown(value)}")
