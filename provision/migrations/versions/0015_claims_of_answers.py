"""Which request has an idempotency key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("stored_answers", sa.Column("claim", sa.String(36)))


def downgrade() -> None:
    """Take this revision back."""
    op.drop_column("stored_answers", "claim")
