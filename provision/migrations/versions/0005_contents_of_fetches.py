"""What devices were given last, its secrets masked."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    with op.batch_alter_table("fetches") as table:
        table.add_column(sa.Column("content", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """Take this revision back."""
    with op.batch_alter_table("fetches") as table:
        table.drop_column("content")
