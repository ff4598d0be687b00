"""An index with all that a device's poll looks at."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INDEX = "ix_configs_external_id"
ORDER = ["external_id", "created_at", "id"]


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.drop_index(INDEX, "configs")
    op.create_index(INDEX, "configs", [*ORDER, "domain_id", "status", "revision", "profile_id"])


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index(INDEX, "configs")
    op.create_index(INDEX, "configs", ORDER)
