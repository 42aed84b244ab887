"""The first layout, which needs no migration. The command `git show 5afd9db:runner/store/schema.py` prints it."""

from __future__ import annotations

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Do nothing, because this is the first layout."""
