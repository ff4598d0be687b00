"""What devices were given last, in a table of its own: the rows of fetches are written often."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        "delivered_contents",
        sa.Column(
            "config_id",
            sa.String(36),
            sa.ForeignKey("configs.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("content", sa.Text(), nullable=False),
    )
    op.execute(
        "INSERT INTO delivered_contents (config_id, content) "
        "SELECT config_id, content FROM fetches WHERE content <> ''"
    )
    with op.batch_alter_table("fetches") as table:
        table.drop_column("content")


def downgrade() -> None:
    """Take this revision back."""
    with op.batch_alter_table("fetches") as table:
        table.add_column(sa.Column("content", sa.Text(), nullable=False, server_default=""))
    op.execute(
        "UPDATE fetches SET content = coalesce("
        "(SELECT content FROM delivered_contents d WHERE d.config_id = fetches.config_id), '')"
    )
    op.drop_table("delivered_contents")
