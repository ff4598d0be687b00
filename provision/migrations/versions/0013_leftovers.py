"""What an onboarding may have left in the platform's store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INDEX = "onboardings_with_leftovers"
SOME = sa.text("leftovers IS NOT NULL")


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.add_column("onboardings", sa.Column("leftovers", sa.JSON(none_as_null=True)))
    op.create_index(
        INDEX, "onboardings", ["domain_id", "created_at"], sqlite_where=SOME, postgresql_where=SOME
    )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index(INDEX, "onboardings")
    op.drop_column("onboardings", "leftovers")
