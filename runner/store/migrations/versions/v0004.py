"""The place of a failure, remarks, the facts about the last iterate, and the target of an experiment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the new columns; everything that is stored stays unchanged, bit for bit."""
    for name in ("failed_plugin", "failed_method", "failed_place", "traceback", "remark"):
        op.add_column("run", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("run", sa.Column("at_rest", sa.Boolean))
    op.add_column("run", sa.Column("convex_gap_bound", sa.Double))
    op.add_column("run", sa.Column("value_error", sa.Double))
    op.add_column("run", sa.Column("curvature_sign", sa.String(16)))
    for name in ("curvature_min", "curvature_max", "curvature_error"):
        op.add_column("run", sa.Column(name, sa.Double))
    target = "the largest f − f* of a run that reached the minimum"
    op.add_column("experiment", sa.Column("target", sa.Double, comment=target))
