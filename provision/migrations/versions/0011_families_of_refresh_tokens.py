"""Families of refresh tokens, each with the one that is the next to be used."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bootstrap_core.store.tables import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "platform_token_families",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_platform_token_families_end", "platform_token_families", ["expires_at"])


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index("ix_platform_token_families_end", "platform_token_families")
    op.drop_table("platform_token_families")
