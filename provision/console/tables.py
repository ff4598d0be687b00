"""The table of the console's sessions."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Index, MetaData, String, Table, Text

from bootstrap_core.columns import UtcDateTime

metadata: Final = MetaData()

sessions: Final = Table(
    "console_sessions",
    metadata,
    # The SHA-256 of the cookie: whoever reads the table can't sign in with it.
    Column("id", String(64), primary_key=True),
    Column("username", Text, nullable=False),
    Column("domain_id", Text, nullable=False),
    Column("domain_name", Text, nullable=False),
    Column("credentials", Text, nullable=False),
    Column("notice", Text, nullable=False),
    Column("access_ends_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("ix_console_sessions_expiry", "expires_at"),
)
