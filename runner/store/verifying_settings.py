"""Whether the rows by which people find and sort settings say the same as the settings themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from runner.store.shared_rows import typed

Stored = tuple[float | None, str | None]
"""A parameter's row: its number and its text."""


def wrong_with_setting(kind: str, name: str, canonical: str, stored: Mapping[str, Stored]) -> Iterator[str]:
    """Give what is wrong with a setting's name and its parameters' rows, as a sentence each.

    Args:
        kind: objective, gradient, optimizer or rules.
        name: of the plugin, in the setting's row.
        canonical: JSON of name and parameters, which a checksum guards.
        stored: the rows of its parameters.
    """
    whole = json.loads(canonical)
    if kind == "rules":
        whole = {"name": "rules", "parameters": _of_rules(whole)}
    if name != whole["name"]:
        yield f"is named {name!r} in its row, and {whole['name']!r} in its canonical text"
    if not _unambiguous(whole["parameters"]):
        return
    expected = _flat(whole["parameters"])
    for key in sorted(expected.keys() | stored.keys()):
        if key not in expected or key not in stored:
            yield f"its parameter {key} is {'not there' if key in expected else 'none of its'}"
        elif not _fits(expected[key], stored[key]):
            yield f"its parameter {key} is not what its canonical text says"


def _of_rules(whole: Mapping[str, Any]) -> dict[str, Any]:
    record = whole["record"]
    return {**whole["stop"], "record_x": record["x"], "record_gradient": record.get("gradient", False)}


def _wrapped(value: Any) -> bool:
    return isinstance(value, dict) and "parameters" in value


def _unambiguous(parameters: Mapping[str, Any]) -> bool:
    """Whether the names of all parameters follow: where two plugins are wrapped, they depend on which was declared first."""
    inner = [value["parameters"] for value in parameters.values() if _wrapped(value)]
    return len(inner) < 2 and all(map(_unambiguous, inner))


def _flat(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a plugin and of what it wraps, named as `Setting.of` does."""
    flat = {key: value["name"] if _wrapped(value) else value for key, value in parameters.items()}
    for key, value in parameters.items():
        for inside, each in _flat(value["parameters"]).items() if _wrapped(value) else ():
            flat[f"{key}.{inside}" if inside in flat else inside] = each
    return flat


def _fits(expected: Any, stored: Stored) -> bool:
    if isinstance(expected, dict):
        # A file is known by its content, and its row says the path.
        return stored[0] is None and stored[1] is not None
    if isinstance(expected, list):
        expected = tuple(_read(item) for item in expected)
    # A text may look like a float in hexadecimal.
    rows = (typed(value) for value in (expected, _read(expected)))
    return any((row["number"], row["text"]) == stored for row in rows)


def _read(value: Any) -> Any:
    """Return the float that a text is in hexadecimal; anything else as it is."""
    try:
        return float.fromhex(value) if isinstance(value, str) and float.fromhex(value).hex() == value else value
    except (ValueError, OverflowError):
        return value
