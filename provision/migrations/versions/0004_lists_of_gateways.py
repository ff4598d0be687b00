"""Indexes for the lists of gateways and of onboardings."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema to this revision."""
    with op.batch_alter_table("onboardings", schema=None) as batch_op:
        batch_op.create_index(
            "onboardings_in_charge",
            ["domain_id", "external_id", "state", "layout", "place", "id"],
            unique=False,
        )
        batch_op.create_index(
            "onboardings_by_progress",
            ["domain_id", "state", "created_at", "error_code"],
            unique=False,
        )


def downgrade() -> None:
    """Take this revision back."""
    with op.batch_alter_table("onboardings", schema=None) as batch_op:
        batch_op.drop_index("onboardings_by_progress")
        batch_op.drop_index("onboardings_in_charge")
