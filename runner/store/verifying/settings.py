"""Whether the rows by which people find and sort settings say the same as the settings themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from runner.store.reading.parameter_values import ParameterRow, flat_parameters, whole_setting
from runner.store.writing.shared_rows import typed


def wrong_with_setting(kind: str, name: str, canonical: str, stored: Mapping[str, ParameterRow]) -> Iterator[str]:
    """Give what is wrong with a setting's name and its parameters' rows, as a sentence each.

    Args:
        kind: objective, gradient, optimizer or rules.
        name: of the plugin, in the setting's row.
        canonical: JSON of name and parameters, which a checksum guards.
        stored: the rows of its parameters.
    """
    whole = whole_setting(kind, canonical)
    if name != whole["name"]:
        yield f"is named {name!r} in its row, and {whole['name']!r} in its canonical text"
    expected = flat_parameters(whole["parameters"], stored)
    for key in sorted(expected.keys() | stored.keys()):
        if key not in expected or key not in stored:
            yield f"its parameter {key} is {'not there' if key in expected else 'none of its'}"
        elif not _fits(expected[key], stored[key]):
            yield f"its parameter {key} is not what its canonical text says"


def _fits(expected: Any, stored: ParameterRow) -> bool:
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
