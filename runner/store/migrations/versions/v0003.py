"""The view `runs` restores −0.0 and shows −nan as nan. Its tables are those of 0002; each upgrade creates all views again."""

from __future__ import annotations

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Leave the tables as they are."""
