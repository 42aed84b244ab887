"""The checks of the rows that runs share: settings, parameters, starts and environments."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import Any, cast

import numpy as np
from sqlalchemy import Connection, text

from runner.registry.identity import canonical_json
from runner.store.reading.parameter_values import ParameterRow, flat_parameters, whole_setting
from runner.store.verifying.part import VerifiedPart
from runner.store.writing.shared_rows import digest_of_environment, digest_of_setting, parameter_columns


def check_settings(connection: Connection, part: VerifiedPart) -> None:
    """Check the digest of every setting."""
    for row_id, digest, kind, name, canonical, fingerprint in connection.execute(
        text("SELECT id, digest, kind, name, canonical, fingerprint FROM setting ORDER BY id")
    ):
        part.count += 1
        if digest != digest_of_setting(kind, fingerprint, canonical):
            part.problems.append(f"setting {row_id} ({kind} {name}): does not match its checksum")


def check_parameters(connection: Connection, part: VerifiedPart) -> None:
    """Check that the name and the parameters of each setting, which filters use, agree with its canonical text."""
    parameters: dict[int, dict[str, ParameterRow]] = defaultdict(dict)
    for setting_id, name, *value in connection.execute(text("SELECT setting_id, name, number, text FROM parameter")):
        part.count += 1
        parameters[setting_id][name] = cast(ParameterRow, tuple(value))
    for row_id, kind, name, canonical in connection.execute(text("SELECT id, kind, name, canonical FROM setting ORDER BY id")):
        stored = parameters[row_id]
        problems = []
        try:
            setting = whole_setting(kind, canonical)
            if name != setting["name"]:
                problems.append(f"its name is {name!r} in its row, and {setting['name']!r} in its canonical text")
            expected = flat_parameters(setting["parameters"], stored)
            for key in sorted(expected.keys() | stored.keys()):
                if key not in stored:
                    problems.append(f"its parameter {key} is missing")
                elif key not in expected:
                    problems.append(f"its parameter {key} is not in its canonical text")
                elif not _is_equal(expected[key], stored[key]):
                    problems.append(f"its parameter {key} differs from its canonical text")
        except (TypeError, ValueError, KeyError, AttributeError):
            problems = ["its canonical text is not that of a setting"]
        part.problems += [f"setting {row_id} ({kind} {name}): {problem}" for problem in problems]


def check_starts(connection: Connection, part: VerifiedPart) -> None:
    """Check the digest and the dimension of every start."""
    for row_id, digest, dimension, x in connection.execute(text("SELECT id, digest, dimension, x FROM start ORDER BY id")):
        part.count += 1
        is_whole = isinstance(x, bytes) and len(x) == 8 * dimension
        if not is_whole or digest != hashlib.sha256(canonical_json(np.frombuffer(x, ">f8").tolist()).encode()).hexdigest():
            part.problems.append(f"start {row_id}: does not match its checksum")


def check_environments(connection: Connection, part: VerifiedPart) -> None:
    """Check the digest of every environment."""
    for row_id, digest, python, platform, cpu, packages, commit in connection.execute(
        text("SELECT id, digest, python, platform, cpu, packages, git_commit FROM environment ORDER BY id")
    ):
        part.count += 1
        values = {"python": python, "platform": platform, "cpu": cpu, "packages": packages, "git_commit": commit}
        if digest != digest_of_environment(values):
            part.problems.append(f"environment {row_id}: does not match its checksum")


def _is_equal(canonical: Any, stored: ParameterRow) -> bool:
    """Return whether a parameter's row holds the value of the canonical text."""
    if isinstance(canonical, dict):
        # The canonical text identifies a file by its content, and the row holds the path.
        return stored[0] is None and stored[1] is not None
    if isinstance(canonical, list):
        canonical = tuple(_from_hexadecimal(item) for item in canonical)
    # A text may look like a float in hexadecimal, so both readings are tried.
    rows = (parameter_columns(value) for value in (canonical, _from_hexadecimal(canonical)))
    return any((row["number"], row["text"]) == stored for row in rows)


def _from_hexadecimal(value: Any) -> Any:
    """Return the float that a text holds in hexadecimal; return any other value unchanged."""
    try:
        return float.fromhex(value) if isinstance(value, str) and float.fromhex(value).hex() == value else value
    except (ValueError, OverflowError):
        return value
