"""Which domain has which pair of external ID and key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLE = "device_pairs"


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        TABLE,
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("key_id", sa.String(12), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("domain_id", sa.String(36), nullable=False),
        sa.Column("config_id", sa.String(36)),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("former_hash", sa.Text()),
    )
    op.create_index("ix_device_pairs_config_id", TABLE, ["config_id"])
    op.create_index("ix_device_pairs_external_id", TABLE, ["external_id"])


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table(TABLE)
