"""Indexes for what was read whole: leases at start, the end of each gateway's certificates."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

CERTIFICATES = "ix_certificates_in_use_gateway"
LEASES = "onboardings_leased"
LEASED = sa.text("lease_until IS NOT NULL")


def upgrade() -> None:
    """Bring the schema to this revision."""
    op.create_index(
        LEASES, "onboardings", ["lease_until"], sqlite_where=LEASED, postgresql_where=LEASED
    )
    op.drop_index(CERTIFICATES, "certificates_in_use")
    op.create_index(CERTIFICATES, "certificates_in_use", ["domain_id", "external_id", "expires_at"])


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index(CERTIFICATES, "certificates_in_use")
    op.create_index(CERTIFICATES, "certificates_in_use", ["domain_id", "external_id"])
    op.drop_index(LEASES, "onboardings")
