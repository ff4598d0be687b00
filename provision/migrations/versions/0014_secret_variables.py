"""Secret variables of configs, sealed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("configs", sa.Column("sealed_context", sa.Text()))


def downgrade() -> None:
    """Take this revision back."""
    op.drop_column("configs", "sealed_context")
