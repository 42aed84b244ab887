"""The public names of `runner.report`, each with the module that defines it."""

from runner.report.contours import draw_height as draw_height
from runner.report.contours import fit_height as fit_height
from runner.report.contours import frame_of as frame_of
from runner.report.style import BEHAVIOUR_COLOURS as BEHAVIOUR_COLOURS
from runner.report.style import ENDING_COLOURS as ENDING_COLOURS
from runner.report.style import LEGEND_LINE as LEGEND_LINE
from runner.report.style import OUTCOME_COLOURS as OUTCOME_COLOURS
from runner.report.style import PALETTE as PALETTE
from runner.report.style import legend_below as legend_below
from runner.report.style import panels as panels
from runner.report.style import wrapped as wrapped
from runner.tables.readable import counted as counted
from runner.tables.readable import listed as listed
from runner.tables.readable import number as number
from runner.tables.readable import part as part
