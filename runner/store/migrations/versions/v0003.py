"""The view `runs` gives −0.0 and the sign of NaN back; the tables are those of 0002, and upgrading makes all views anew."""

from __future__ import annotations

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Leave the tables as they are."""
