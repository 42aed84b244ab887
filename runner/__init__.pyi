"""The public names of `runner`, each with the module that defines it; `__init__.py` reads this list.

The names of the three namespaces, which have lists of their own, are names of `runner` too: plugin files import them from here.
"""

from runner.analysis import *  # noqa: F403 - they are names of `runner` too
from runner.contracts.arrays import Array as Array
from runner.contracts.arrays import ByRows as ByRows
from runner.contracts.arrays import dot as dot
from runner.contracts.arrays import matvec as matvec
from runner.contracts.arrays import norm as norm
from runner.contracts.executor import Executor as Executor
from runner.contracts.executor import Lost as Lost
from runner.contracts.executor import report_step as report_step
from runner.contracts.executor import sign_of_life as sign_of_life
from runner.contracts.figure import Drawing as Drawing
from runner.contracts.figure import Figure as Figure
from runner.contracts.figure import Results as Results
from runner.contracts.figure import Series as Series
from runner.contracts.figure import StoredRun as StoredRun
from runner.contracts.gradient_backend import ComputesHessian as ComputesHessian
from runner.contracts.gradient_backend import ComputesJacobian as ComputesJacobian
from runner.contracts.gradient_backend import ComputesValueAndGradient as ComputesValueAndGradient
from runner.contracts.gradient_backend import GradientBackend as GradientBackend
from runner.contracts.hookspecs import hookimpl as hookimpl
from runner.contracts.objective import DrawsStarts as DrawsStarts
from runner.contracts.objective import HasCurvatureBounds as HasCurvatureBounds
from runner.contracts.objective import HasData as HasData
from runner.contracts.objective import HasGradient as HasGradient
from runner.contracts.objective import HasHessian as HasHessian
from runner.contracts.objective import HasLayers as HasLayers
from runner.contracts.objective import HasMinimum as HasMinimum
from runner.contracts.objective import HasResiduals as HasResiduals
from runner.contracts.objective import HasStartRegion as HasStartRegion
from runner.contracts.objective import HasValueAndGradient as HasValueAndGradient
from runner.contracts.objective import LayerGradient as LayerGradient
from runner.contracts.objective import LeastSquares as LeastSquares
from runner.contracts.objective import Minimum as Minimum
from runner.contracts.objective import Objective as Objective
from runner.contracts.objective import coordinate_names as coordinate_names
from runner.contracts.objective import known_minimum as known_minimum
from runner.contracts.optimizer import Mask as Mask
from runner.contracts.optimizer import Memory as Memory
from runner.contracts.optimizer import Optimizer as Optimizer
from runner.contracts.optimizer import Point as Point
from runner.contracts.outcomes import Behaviour as Behaviour
from runner.contracts.outcomes import Outcome as Outcome
from runner.contracts.outcomes import Surprise as Surprise
from runner.contracts.parameters import parameter as parameter
from runner.contracts.plugin import Quantity as Quantity
from runner.contracts.reached import CurvatureSign as CurvatureSign
from runner.contracts.reached import Reached as Reached
from runner.errors import RunnerError as RunnerError
from runner.numerics import *  # noqa: F403
from runner.report import *  # noqa: F403
from runner.results.results_database import ResultsDatabase as ResultsDatabase
from runner.results.results_database import open as open  # noqa: A004 - people write runner.open
from runner.store.reading.run_record import RunRecord as RunRecord
from runner.tables.frame import Frame as Frame

__version__: str
