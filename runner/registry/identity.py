"""What tells one run from another: canonical JSON of everything that decides its numbers, and SHA-256 over it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

IDENTITY_VERSION = "runner/1"
"""Part of every run's identity: raised when the engine itself would compute other numbers from the same settings."""


def canonical(value: object) -> str:
    """Return JSON text that is the same for the same value: keys sorted, floats as `float.hex()`, files by their content.

    Raises:
        OSError: a file cannot be read.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _plain(value: object) -> object:
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, Path):
        return {"sha256": hashlib.sha256(value.read_bytes()).hexdigest()}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def identity(objective: str, gradient: str, optimizer: str, rules: str, start: str) -> str:
    """Return SHA-256 of the canonical JSON of all that decides a run's numbers, from the canonical JSON of its parts.

    The text is put together in the order of the sorted keys, so it is the canonical JSON of the whole.
    """
    return hashlib.sha256(
        f'{{"gradient":{gradient},"objective":{objective},"optimizer":{optimizer},"rules":{rules},"start":{start},'
        f'"version":"{IDENTITY_VERSION}"}}'.encode()
    ).hexdigest()
