"""The folders of this repository."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).parent.parent
ASSETS = TESTS / "assets"
ROOT = TESTS.parent
DOCS = ROOT / "docs"
KEPT_DATABASE = ASSETS / "schema_0004.db"
"""A small database with two experiments, `kept` and `again`."""
