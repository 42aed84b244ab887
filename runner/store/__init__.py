"""The results database: schema, writing, reading, asking. SQLAlchemy lives here and nowhere else.

Names are loaded when first used: to answer a question takes neither NumPy nor what writes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runner.store.reading.current_runs import StoredState as StoredState
    from runner.store.reading.stored_results import StoredResults as StoredResults
    from runner.store.reading.stored_results import read_results as read_results
    from runner.store.writing.claims import Division as Division
    from runner.store.writing.recording import Recording as Recording
    from runner.store.writing.recording import Store as Store


_HOME = {
    "Division": "claims",
    "Recording": "writing",
    "Store": "writing",
    "StoredResults": "reading",
    "StoredState": "current",
    "read_results": "reading",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'runner.store' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"runner.store.{_HOME[name]}"), name)
    globals()[name] = value
    return value
