"""A plugin-based experiment runner for gradient-based optimisation, with a results database.

This is the public door: all that a plugin author needs, and `open` for stored results. Names are loaded when first used, so that
`runner --help` starts at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.activations import Activation as Activation
    from runner.analysis.curvature import stability_limit as stability_limit
    from runner.analysis.initial_gradients import InitialGradients as InitialGradients
    from runner.analysis.initial_gradients import Survival as Survival
    from runner.analysis.initial_gradients import Survivals as Survivals
    from runner.analysis.initial_gradients import initial_gradients as initial_gradients
    from runner.analysis.initial_gradients import survivals as survivals
    from runner.analysis.learning_rates import RateSweep as RateSweep
    from runner.analysis.learning_rates import interval as interval
    from runner.analysis.learning_rates import rate_sweeps as rate_sweeps
    from runner.analysis.learning_rates import with_uncertainty as with_uncertainty
    from runner.analysis.minima import Minima as Minima
    from runner.analysis.minima import curving_downwards as curving_downwards
    from runner.analysis.minima import curving_upwards as curving_upwards
    from runner.analysis.minima import find_minima as find_minima
    from runner.analysis.minima import wilson_interval as wilson_interval
    from runner.analysis.order import Order as Order
    from runner.analysis.order import before_noise as before_noise
    from runner.analysis.order import order_of_convergence as order_of_convergence
    from runner.analysis.order import polished as polished
    from runner.analysis.parameter_sweeps import MedianLine as MedianLine
    from runner.analysis.parameter_sweeps import ParameterSweep as ParameterSweep
    from runner.analysis.parameter_sweeps import parameter_sweeps as parameter_sweeps
    from runner.analysis.quantiles import Band as Band
    from runner.analysis.quantiles import quantile_band as quantile_band
    from runner.analysis.rates import LinearRate as LinearRate
    from runner.analysis.rates import best_learning_rate as best_learning_rate
    from runner.analysis.rates import contraction as contraction
    from runner.analysis.selection import one_of_each_behaviour as one_of_each_behaviour
    from runner.analysis.summary import LOST_OUTCOMES as LOST_OUTCOMES
    from runner.analysis.summary import SettingSummary as SettingSummary
    from runner.analysis.summary import best_setting as best_setting
    from runner.analysis.summary import count_behaviours as count_behaviours
    from runner.analysis.summary import count_outcomes as count_outcomes
    from runner.analysis.summary import rounding_level as rounding_level
    from runner.analysis.summary import summarize_settings as summarize_settings
    from runner.analysis.sweep_findings import sweep_finding as sweep_finding
    from runner.analysis.words import counted as counted
    from runner.analysis.words import listed as listed
    from runner.analysis.words import number as number
    from runner.analysis.words import part as part
    from runner.backpropagation import layer_gradients as layer_gradients
    from runner.behaviour import Behaviour as Behaviour
    from runner.clipping import clip as clip
    from runner.contracts import ComputesHessian as ComputesHessian
    from runner.contracts import ComputesJacobian as ComputesJacobian
    from runner.contracts import ComputesValueAndGradient as ComputesValueAndGradient
    from runner.contracts import Drawing as Drawing
    from runner.contracts import DrawsStarts as DrawsStarts
    from runner.contracts import Executor as Executor
    from runner.contracts import Figure as Figure
    from runner.contracts import GradientBackend as GradientBackend
    from runner.contracts import HasCurvatureBounds as HasCurvatureBounds
    from runner.contracts import HasData as HasData
    from runner.contracts import HasGradient as HasGradient
    from runner.contracts import HasHessian as HasHessian
    from runner.contracts import HasLayers as HasLayers
    from runner.contracts import HasMinimum as HasMinimum
    from runner.contracts import HasResiduals as HasResiduals
    from runner.contracts import HasStartRegion as HasStartRegion
    from runner.contracts import HasValueAndGradient as HasValueAndGradient
    from runner.contracts import LayerGradient as LayerGradient
    from runner.contracts import LeastSquares as LeastSquares
    from runner.contracts import Lost as Lost
    from runner.contracts import Mask as Mask
    from runner.contracts import Memory as Memory
    from runner.contracts import Minimum as Minimum
    from runner.contracts import Objective as Objective
    from runner.contracts import Optimizer as Optimizer
    from runner.contracts import Point as Point
    from runner.contracts import Quantity as Quantity
    from runner.contracts import Results as Results
    from runner.contracts import Series as Series
    from runner.contracts import StoredRun as StoredRun
    from runner.contracts import sign_of_life as sign_of_life
    from runner.database import ResultsDatabase as ResultsDatabase
    from runner.database import open as open  # noqa: A004 - people write runner.open
    from runner.datasets import DATA_SHAPES as DATA_SHAPES
    from runner.datasets import MADE_UP as MADE_UP
    from runner.datasets import DataSet as DataSet
    from runner.datasets import DataSetName as DataSetName
    from runner.datasets import bundled_data as bundled_data
    from runner.datasets import csv_data as csv_data
    from runner.datasets import made_up_data as made_up_data
    from runner.errors import RunnerError as RunnerError
    from runner.frames import Frame as Frame
    from runner.hookspecs import hookimpl as hookimpl
    from runner.layers import Initialisation as Initialisation
    from runner.layers import Layers as Layers
    from runner.layers import Tape as Tape
    from runner.line_search import armijo as armijo
    from runner.line_search import wolfe as wolfe
    from runner.minimum import known_minimum as known_minimum
    from runner.parameters import parameter as parameter
    from runner.records import RunRecord as RunRecord
    from runner.report.contours import draw_height as draw_height
    from runner.report.contours import fit_height as fit_height
    from runner.report.contours import frame_of as frame_of
    from runner.report.style import BEHAVIOUR_COLOURS as BEHAVIOUR_COLOURS
    from runner.report.style import LEGEND_LINE as LEGEND_LINE
    from runner.report.style import OUTCOME_COLOURS as OUTCOME_COLOURS
    from runner.report.style import PALETTE as PALETTE
    from runner.report.style import legend_below as legend_below
    from runner.report.style import panels as panels
    from runner.report.style import wrapped as wrapped
    from runner.rowwise import Array as Array
    from runner.rowwise import ByRows as ByRows
    from runner.rowwise import dot as dot
    from runner.rowwise import matvec as matvec
    from runner.rowwise import norm as norm
    from runner.stopping import Outcome as Outcome
    from runner.tables import read_table as read_table

__version__ = "0.1.0"

_HOMES = {
    "runner.activations": ("Activation",),
    "runner.analysis.curvature": ("stability_limit",),
    "runner.analysis.initial_gradients": ("InitialGradients", "Survival", "Survivals", "initial_gradients", "survivals"),
    "runner.analysis.learning_rates": ("RateSweep", "interval", "rate_sweeps", "with_uncertainty"),
    "runner.analysis.minima": ("Minima", "curving_downwards", "curving_upwards", "find_minima", "wilson_interval"),
    "runner.analysis.order": ("Order", "before_noise", "order_of_convergence", "polished"),
    "runner.analysis.parameter_sweeps": ("MedianLine", "ParameterSweep", "parameter_sweeps"),
    "runner.analysis.quantiles": ("Band", "quantile_band"),
    "runner.analysis.rates": ("LinearRate", "best_learning_rate", "contraction"),
    "runner.analysis.selection": ("one_of_each_behaviour",),
    "runner.analysis.summary": (
        "LOST_OUTCOMES",
        "SettingSummary",
        "best_setting",
        "count_behaviours",
        "count_outcomes",
        "rounding_level",
        "summarize_settings",
    ),
    "runner.analysis.sweep_findings": ("sweep_finding",),
    "runner.analysis.words": (
        "counted",
        "listed",
        "number",
        "part",
    ),
    "runner.backpropagation": ("layer_gradients",),
    "runner.behaviour": ("Behaviour",),
    "runner.clipping": ("clip",),
    "runner.contracts": (
        "ComputesHessian",
        "ComputesJacobian",
        "ComputesValueAndGradient",
        "Drawing",
        "DrawsStarts",
        "Executor",
        "Figure",
        "GradientBackend",
        "HasCurvatureBounds",
        "HasData",
        "HasGradient",
        "HasHessian",
        "HasLayers",
        "HasMinimum",
        "HasResiduals",
        "HasStartRegion",
        "HasValueAndGradient",
        "LayerGradient",
        "LeastSquares",
        "Lost",
        "Mask",
        "Memory",
        "Minimum",
        "Objective",
        "Optimizer",
        "Point",
        "Quantity",
        "Results",
        "Series",
        "StoredRun",
        "sign_of_life",
    ),
    "runner.datasets": (
        "DATA_SHAPES",
        "MADE_UP",
        "DataSet",
        "DataSetName",
        "bundled_data",
        "csv_data",
        "made_up_data",
    ),
    "runner.database": ("ResultsDatabase", "open"),
    "runner.errors": ("RunnerError",),
    "runner.frames": ("Frame",),
    "runner.hookspecs": ("hookimpl",),
    "runner.layers": ("Initialisation", "Layers", "Tape"),
    "runner.line_search": ("armijo", "wolfe"),
    "runner.minimum": ("known_minimum",),
    "runner.parameters": ("parameter",),
    "runner.records": ("RunRecord",),
    "runner.report.contours": ("draw_height", "fit_height", "frame_of"),
    "runner.report.style": (
        "BEHAVIOUR_COLOURS",
        "LEGEND_LINE",
        "OUTCOME_COLOURS",
        "PALETTE",
        "legend_below",
        "panels",
        "wrapped",
    ),
    "runner.rowwise": ("Array", "ByRows", "dot", "matvec", "norm"),
    "runner.stopping": ("Outcome",),
    "runner.tables": ("read_table",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'runner' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
