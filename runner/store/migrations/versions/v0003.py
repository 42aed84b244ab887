"""The view `runs` restores −0.0 and shows −nan as nan. The tables are those of 0002. Each upgrade creates all views again."""

from __future__ import annotations

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Leave the tables as they are."""
