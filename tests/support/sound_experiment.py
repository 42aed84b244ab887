"""An experiment with every kind of table, as a dictionary and as TOML."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

SOUND: dict[str, Any] = {
    "name": "sound",
    "description": "An experiment with every table",
    "plugins": [],
    "objective": [
        {"name": "quadratic", "dimension": 2, "condition_number": {"values": [1.0, 10.0]}},
        {"name": "linear_regression", "samples": 7, "noise": {"linspace": [0.0, 0.2], "num": 3}},
    ],
    "gradient": [{"name": "analytic"}, {"name": "finite_difference", "scheme": "forward"}],
    "optimizer": [
        {"name": "gradient_descent", "learning_rate": {"logspace": [1e-3, 1.0], "num": 4}},
        {
            "name": "clipped_gradient_descent",
            "learning_rate": {"values": [0.1, 0.2]},
            "max_norm": {"values": [1.0, 2.0]},
            "zip": [["learning_rate", "max_norm"]],
        },
    ],
    "start": {"uniform": {"low": -3.0, "high": 3.0, "count": 2, "seed": 0}},
    "stop": {"max_steps": 50, "gradient_norm": 1e-6},
    "record": {"x": True},
    "exclude": [{"optimizer": "clipped_gradient_descent", "objective": {"name": "linear_regression", "noise": 0.0}}],
    "execution": {"executor": "serial", "max_batch": 10},
    "report": {"figures": ["outcomes"]},
}


def toml(value: Any) -> str:
    """Return a value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def experiment_text(tables: Mapping[str, Any]) -> str:
    return "".join(f"{json.dumps(key)} = {toml(value)}\n" for key, value in tables.items())
