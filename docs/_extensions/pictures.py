"""The pictures of the built-in plugins, computed with the installed package while the site is built.

Every plugin of a kind is shown on the same ground: an objective over its start region, a gradient backend on one derivative, an
optimizer on Rosenbrock's valley, an executor with the same eight batches, a figure from an experiment of the repository.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sphinx.errors import ExtensionError

import runner
from runner.registry.registry import Registry

ROOT = Path(__file__).parents[2]
DOTS_PER_INCH = 130
SHOWN_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "quadratic": {"dimension": 2, "condition_number": 10.0},
    "sin_quadratic": {"a": 3.0, "omega": 3.0},
    "l2": {"penalty": 5.0},
}
"""The parameters of an objective's picture, where the defaults show little."""
SHOWN_REGIONS = {"ackley": (-4.0, 4.0)}
"""The ends of an objective's picture, where the start region is too wide to show its form."""
FIGURE_EXPERIMENTS: Mapping[str, tuple[str, str | None]] = {
    "basins": ("local_minima", 'objective = "himmelblau" or objective = "sin_quadratic"'),
    "convergence": ("lr_sweep", 'objective != "linear_regression"'),
    "effort": ("newton", 'objective = "quadratic" or objective = "rosenbrock"'),
    "landscape": ("valley", None),
    "layer_gradients": ("vanishing_gradients", None),
    "learning_rate": ("lr_sweep", None),
    "outcomes": ("lr_sweep", None),
    "rates": ("condition_numbers", None),
    "regression_fit": ("linear_regression", "learning_rate = 0.01 or learning_rate = 0.2"),
}
"""The experiment in the repository that shows a figure best, and the filter for its runs."""
BATCHES, BATCH_SECONDS = 8, 0.2
POINTS = np.linspace(0.5, 1.5, 25)[:, None]
"""The points at which gradient backends are compared, `(points, 1)`."""


@dataclass(frozen=True)
class Picture:
    """A picture in a file.

    Attributes:
        alt: its content in words, for readers who do not see it.
        caption: the sentence below it.
    """

    alt: str
    caption: str


def draw(kind: str, name: str, path: Path) -> Picture:
    """Draw the picture of a built-in plugin into a PNG file."""
    drawings: Mapping[str, Callable[[str, Path], Picture]] = {
        "objective": draw_objective,
        "gradient": draw_gradient_backend,
        "optimizer": draw_optimizer,
        "executor": draw_executor,
        "figure": draw_figure,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    return drawings[kind](name, path)


def plugin(kind: str, name: str, **parameters: Any) -> Any:
    """Return a built-in plugin with some parameters."""
    return Registry().find(kind, name).cls(**parameters)


def panel(width: float = 5.2, height: float = 3.4) -> tuple[Figure, Axes]:
    """Return an empty figure with one panel."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def save(figure: Figure, path: Path) -> None:
    """Write a figure into a PNG file."""
    figure.savefig(path, dpi=DOTS_PER_INCH)


class Plane(runner.Objective):
    """An objective of many coordinates, cut along two directions through a point."""

    dimension = 2

    def __init__(self, objective: runner.Objective, origin: runner.Array, directions: runner.Array) -> None:
        """Cut through `origin`, `(dimension,)`, along `directions`, `(2, dimension)`."""
        self.objective, self.origin, self.directions = objective, origin, directions

    def value(self, x: runner.Array) -> runner.Array:
        """Return f at each row, `(rows, 2) -> (rows,)`."""
        return self.objective.value(self.origin + x @ self.directions)


def draw_objective(name: str, path: Path) -> Picture:
    """Draw f over its start region: a curve, contours, or contours of a plane through a random start."""
    parameters = dict(SHOWN_PARAMETERS.get(name, {}))
    shown = [f"{key} = {value}" for key, value in parameters.items()]
    if name == "l2":
        parameters["objective"] = plugin("objective", "himmelblau")
        shown.append("objective = himmelblau")
    objective = plugin("objective", name, **parameters)
    subject = f"f of {name}" + (f" with {runner.listed(shown)}" if shown else "")
    figure, axes = panel()
    if objective.dimension > 2:
        generator = np.random.Generator(np.random.PCG64(0))
        directions, _ = np.linalg.qr(generator.standard_normal((objective.dimension, 2)))
        runner.draw_height(axes, Plane(objective, objective.draw_starts(generator, 1)[0], directions.T), ends(-10.0, 10.0, 2))
        axes.set(xlabel="along one direction", ylabel="along the other")
        text = f"Contours of {subject}, on the plane through a random start along two random directions; darker is higher."
    else:
        low, high = SHOWN_REGIONS.get(name, objective.start_region)
        runner.draw_height(axes, objective, ends(low, high, objective.dimension))
        across, up = (*runner.coordinate_names(objective, objective.dimension), "f(x)")[:2]
        axes.set(xlabel=across, ylabel=up)
        form = "Contours" if objective.dimension == 2 else "Curve"
        shade = "; darker is higher" if objective.dimension == 2 else ""
        text = f"{form} of {subject} from {runner.number(low)} to {runner.number(high)}{shade}.{mark_minimum(axes, objective)}"
    save(figure, path)
    return Picture(text, text)


def mark_minimum(axes: Axes, objective: runner.Objective) -> str:
    """Mark the known minimum, and return the sentence about the mark."""
    minimum = runner.known_minimum(objective)
    if minimum is None:
        return ""
    x = [float(coordinate) for coordinate in np.reshape(minimum.x, -1)]
    axes.plot(x[0], x[1] if len(x) == 2 else float(minimum.value), "*", color=runner.PALETTE[1], markersize=11)
    return f" The star is a known global minimum, at ({', '.join(map(runner.number, x))})."


def ends(low: float, high: float, dimension: int) -> tuple[runner.Array, runner.Array]:
    """Return the lowest and the highest coordinates of a frame."""
    return np.full(dimension, low), np.full(dimension, high)


def draw_gradient_backend(name: str, path: Path) -> Picture:
    """Draw the error of every backend's derivative against the spacing, with one backend highlighted."""
    spacings = np.logspace(-15, -1, 57)
    figure, axes = panel(height=4.2)
    errors = {}
    for offer in (each for each in Registry().offers() if each.kind == "gradient" and each.distribution == "gradient-runner"):
        backend = offer.cls()
        swept = "spacing" in offer.parameters
        schemes = offer.parameters["scheme"].choices if "scheme" in offer.parameters else ("",)
        for number, scheme in enumerate(schemes):
            chosen = replace(backend, scheme=scheme) if scheme else backend
            settings = [replace(chosen, spacing=float(h)) if swept else chosen for h in (spacings if swept else spacings[:1])]
            found = np.array([error_of(setting) for setting in settings])
            errors[offer.name, scheme] = found
            axes.plot(
                spacings,
                np.broadcast_to(found, spacings.shape),
                color=runner.PALETTE[number] if offer.name == name else "#B8C2CC",
                linewidth=2.0 if offer.name == name else 1.2,
                zorder=3 if offer.name == name else 2,
                label=f"{offer.name} {scheme}".strip(),
            )
    axes.set(xscale="log", yscale="log", xlabel="spacing h", ylabel="largest relative error of f′")
    runner.legend_below(axes)
    save(figure, path)
    own = {scheme: found for (backend_name, scheme), found in errors.items() if backend_name == name}
    parts = [
        f"{scheme} differences are most accurate near h = {spacings[found.argmin()]:.0e}, with an error of {found.min():.0e}"
        if scheme
        else f"the error is {found.min():.0e} and depends on no spacing"
        for scheme, found in own.items()
    ]
    ground = "Largest relative error of f′ for f(x) = sin x + x² at 25 points between 0.5 and 1.5."
    text = f"{ground} For {name}, {runner.listed(parts)}. The grey lines are the other backends."
    return Picture(text, text)


def error_of(backend: runner.GradientBackend) -> float:
    """Return the largest relative error of a backend's derivative of sin x + x², with extended precision as the reference."""
    x = POINTS.astype(np.longdouble)
    truth = np.cos(x) + 2 * x
    found = backend.gradient(plugin("objective", "sin_quadratic"), POINTS)
    return max(float(np.max(np.abs((found - truth) / truth))), 1e-17)


@cache
def stored(experiment: Path, folder: Path) -> Path:
    """Run an experiment and return its database."""
    database = folder / f"{experiment.stem}.db"
    database.unlink(missing_ok=True)
    command = [sys.executable, "-c", "from runner.cli import main; main()", "run", experiment, "--db", database, "--no-report"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ExtensionError(f"{experiment.name} cannot be run for a picture: {done.stderr}")
    return database


def draw_optimizer(name: str, path: Path) -> Picture:
    """Draw the path of an optimizer on Rosenbrock's valley."""
    experiment = Path(__file__).with_name("optimizer_paths.toml")
    with runner.open(stored(experiment, path.parent)) as database:
        runs = database.runs(where=f'optimizer = "{name}"')
        if len(runs) != 1:
            raise ExtensionError(f"{experiment.name} has no setting of {name}; add one, so that its path can be drawn")
        run = dict(zip(runs.names, next(runs.rows()), strict=True))
        _, series = next(database.trajectories(run["id"]))
    objective = plugin("objective", "rosenbrock")
    figure, axes = panel()
    corners = np.array([[-2.0, -1.0], [2.0, 3.0]])
    runner.draw_height(axes, objective, runner.frame_of([corners, series.x], margin=0.0))
    axes.plot(*series.x.T, "-o", color=runner.PALETTE[1], linewidth=1.2, markersize=2.5)
    axes.plot(-1.2, 1.0, "s", color="black", markersize=6)
    axes.plot(1.0, 1.0, "*", color=runner.PALETTE[2], markersize=12)
    axes.set(xlabel="x₁", ylabel="x₂")
    save(figure, path)
    text = (
        f"Path of {name} on Rosenbrock's valley, from (−1.2, 1) towards the minimum at (1, 1). After {run['steps']} steps f is "
        f"{runner.number(run['final_value'])}, and the outcome is {run['outcome']}."
    )
    return Picture(text, text)


def timed(item: int) -> tuple[int, int, float, float]:
    """Return the item, the process that computes it, and the times of its begin and end."""
    begin = time.time()
    time.sleep(BATCH_SECONDS)
    return item, os.getpid(), begin, time.time()


def draw_executor(name: str, path: Path) -> Picture:
    """Draw a timeline of eight equal batches, as the executor computed them."""
    executor = plugin("executor", name)
    if "jobs" in {field.name for field in fields(executor)}:
        executor = replace(executor, jobs=4)
    results = list(executor.map(timed, range(BATCHES), lambda item: None))
    zero = min(begin for _, _, begin, _ in results)
    processes = sorted({process for _, process, _, _ in results})
    figure, axes = panel(height=1.0 + 0.4 * len(processes))
    for item, process, begin, end in results:
        row = processes.index(process)
        axes.barh(row, end - begin, left=begin - zero, height=0.7, color=runner.PALETTE[0], edgecolor="white")
        axes.text((begin + end) / 2 - zero, row, str(item + 1), ha="center", va="center", color="white", fontsize="small")
    axes.set(xlabel="seconds", yticks=range(len(processes)), yticklabels=[f"process {n + 1}" for n in range(len(processes))])
    axes.invert_yaxis()
    save(figure, path)
    count = f"{len(processes)} processes" if len(processes) > 1 else "one process, one after another"
    text = f"Timeline of {BATCHES} batches of {BATCH_SECONDS} s each, computed by {name} in {count}."
    return Picture(text, text)


def draw_figure(name: str, path: Path) -> Picture:
    """Draw a figure from an experiment of the repository."""
    if name not in FIGURE_EXPERIMENTS:
        raise ExtensionError(f"no experiment is named for a picture of figure {name}; add one to FIGURE_EXPERIMENTS")
    experiment, where = FIGURE_EXPERIMENTS[name]
    with runner.open(stored(ROOT / "experiments" / f"{experiment}.toml", path.parent)) as database:
        caption = database.plot(path, name, experiment, where=where)[0]
    source = f"experiments/{experiment}.toml"
    subset = f", for the runs with `{where}`" if where else ""
    summary = Registry().find("figure", name).summary
    return Picture(f"The figure {name} of {source}. {summary}", f"From `{source}`{subset}. {' '.join(caption.split())}")
