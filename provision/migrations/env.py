"""Where Alembic learns what the tables are; the connection is the starting service's."""

from __future__ import annotations

from alembic import context

from provision.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
