"""The identity of a run: SHA-256 over canonical JSON of everything on which its numbers depend."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

IDENTITY_VERSION = "runner/1"
"""Part of every run's identity. Increase it when a change of the engine leads to other numbers from the same settings."""


def canonical_json(value: object) -> str:
    """Return JSON that is the same text for equal values: keys sorted, floats as `float.hex()`, files as a hash of their content.

    Raises:
        OSError: a file cannot be read.
    """
    return json.dumps(_as_json(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _as_json(value: object) -> object:
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, Path):
        return {"sha256": hashlib.sha256(value.read_bytes()).hexdigest()}
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    return value


def identity(objective: str, gradient: str, optimizer: str, rules: str, start: str) -> str:
    """Return SHA-256, in hexadecimal, over the canonical JSON of a run, given the canonical JSON of its five parts.

    The parts are joined in the order of their sorted keys, so the joined text is the canonical JSON of the whole.
    """
    return hashlib.sha256(
        f'{{"gradient":{gradient},"objective":{objective},"optimizer":{optimizer},"rules":{rules},"start":{start},'
        f'"version":"{IDENTITY_VERSION}"}}'.encode()
    ).hexdigest()
