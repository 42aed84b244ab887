"""The report of an experiment: its page and its pictures, and the functions and colours that figures share.

`__init__.pyi` lists the public names, which are loaded when they are first used.
"""

from runner import lazy_names

__getattr__, __dir__ = lazy_names(__name__)
