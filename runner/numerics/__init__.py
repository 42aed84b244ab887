"""Numerical functions that plugins share: line searches, clipping, the layers of a network, data sets.

`__init__.pyi` lists the public names, which are loaded when they are first used.
"""

from runner import lazy_names

__getattr__, __dir__ = lazy_names(__name__)
