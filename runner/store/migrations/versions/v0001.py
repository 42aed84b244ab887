"""The first layout, which needs no migration: `git show 5afd9db:runner/store/schema.py`."""

from __future__ import annotations

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Do nothing, because this is the first layout."""
