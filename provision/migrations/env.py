"""Where Alembic learns what the tables are; the connection is the starting service's."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from bootstrap_core.store.tables import UtcDateTime
from provision.maintenance.schema import tables_of


def render_item(kind: str, item: Any, _: object) -> str | Literal[False]:  # noqa: ANN401
    """Write the product's own column types as what they are in the database."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=tables_of(connection.dialect.name),
    render_as_batch=True,
    compare_type=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
