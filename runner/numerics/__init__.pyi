"""The public names of `runner.numerics`, each with the module that defines it."""

from runner.numerics.activations import Activation as Activation
from runner.numerics.backpropagation import layer_gradients as layer_gradients
from runner.numerics.clipping import clip as clip
from runner.numerics.csv_tables import read_table as read_table
from runner.numerics.datasets import DATA_SHAPES as DATA_SHAPES
from runner.numerics.datasets import MADE_UP as MADE_UP
from runner.numerics.datasets import DataSet as DataSet
from runner.numerics.datasets import DataSetName as DataSetName
from runner.numerics.datasets import bundled_data as bundled_data
from runner.numerics.datasets import csv_data as csv_data
from runner.numerics.datasets import made_up_data as made_up_data
from runner.numerics.layers import Initialisation as Initialisation
from runner.numerics.layers import Layers as Layers
from runner.numerics.layers import Tape as Tape
from runner.numerics.line_search import armijo as armijo
from runner.numerics.line_search import wolfe as wolfe
