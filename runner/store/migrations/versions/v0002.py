"""Behaviours of runs, recorded gradients, and the claims of processes that compute runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the new columns and tables; everything that is stored stays unchanged, bit for bit."""
    identifier = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.add_column("run", sa.Column("records_gradient", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("run", sa.Column("behaviour", sa.String(16), comment="how it moved; null where nobody measured it"))
    # From this version on, the rules state whether gradients are recorded. Earlier versions never recorded gradients.
    op.execute(
        "INSERT INTO parameter (setting_id, name, number, text) "
        "SELECT id, 'record_gradient', NULL, 'false' FROM setting WHERE kind = 'rules'"
    )
    if op.get_context().dialect.name == "postgresql":
        recorded = "big-endian float64, series after series: f, gradient norm, then x and the gradient where recorded"
        op.alter_column("chunk", "data", comment=recorded)
    op.create_table(
        "worker",
        sa.Column("id", identifier, primary_key=True, autoincrement=False),
        sa.Column("token", sa.String(32), nullable=False, unique=True, comment="random, of one process and one sweep"),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("boot", sa.Text, nullable=False, comment="which start of that machine, so that process numbers mean something"),
        sa.Column("process", sa.BigInteger, nullable=False),
        sa.Column("process_started", sa.Double, nullable=False, comment="seconds since that start of the machine"),
        sa.Column("seen_at", sa.Double, nullable=False, comment="its last sign of life, seconds since 1970, UTC"),
    )
    op.create_table(
        "claim",
        sa.Column("identity", sa.String(64), primary_key=True, comment="of a run that is being computed"),
        sa.Column("worker_id", identifier, sa.ForeignKey("worker.id", ondelete="CASCADE"), nullable=False),
        sqlite_with_rowid=False,
    )
