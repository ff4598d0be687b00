"""Certificate requests of devices that hold their key, for renewals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bootstrap_core.store.tables import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

TABLE = "certificate_requests"


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_table(
        TABLE,
        sa.Column("domain_id", sa.String(36), nullable=False),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("public_key", sa.String(64), nullable=False),
        sa.Column("csr", sa.Text(), nullable=False),
        sa.Column("kept_until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "client_id", "public_key"),
    )
    op.create_index("ix_certificate_requests_end", TABLE, ["kept_until"])


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index("ix_certificate_requests_end", TABLE)
    op.drop_table(TABLE)
