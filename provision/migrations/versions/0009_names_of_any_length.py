"""On PostgreSQL, indexes that names of any length fit into.

An entry of a B-tree there has room for 2,704 bytes; SQLite knows no such limit.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

UNIQUE = {"uq_configs_name": "configs", "uq_profiles_name": "profiles"}
COVERING = {
    "ix_profiles_by_time": ("profiles", ["domain_id", "created_at", "id"]),
    "ix_configs_by_time": ("configs", ["domain_id", "created_at", "id"]),
    "ix_configs_by_status": ("configs", ["domain_id", "status", "created_at", "id"]),
}
BY_NAME = {
    "ix_platform_clients_name": "platform_clients",
    "ix_platform_channels_name": "platform_channels",
}


def upgrade() -> None:
    """Bring the schema to this revision."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for name, table in UNIQUE.items():
        op.drop_constraint(name, table, type_="unique")
        op.create_index(name, table, ["domain_id", sa.text("md5(name)")], unique=True)
    for name, (table, columns) in COVERING.items():
        op.drop_index(name, table)
        op.create_index(name, table, columns)
    for name, table in BY_NAME.items():
        op.drop_index(name, table)


def downgrade() -> None:
    """Take this revision back."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for name, table in UNIQUE.items():
        op.drop_index(name, table)
        op.create_unique_constraint(name, table, ["domain_id", "name"])
    for name, (table, columns) in COVERING.items():
        op.drop_index(name, table)
        op.create_index(name, table, [*columns, "name_folded"])
    for name, table in BY_NAME.items():
        op.create_index(name, table, ["domain_id", "name_folded"])
