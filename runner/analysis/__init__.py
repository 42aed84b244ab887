"""Calculations with the numbers of runs and of objectives: settings, sweeps, rates of convergence, minima, convexity.

`__init__.pyi` lists the public names, which are loaded when they are first used.
"""

from runner import lazy_names

__getattr__, __dir__ = lazy_names(__name__)
