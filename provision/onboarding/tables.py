"""Tables of the journal: onboardings, stored answers and the audit trail."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from bootstrap_core.columns import UtcDateTime

metadata = MetaData()

onboardings = Table(
    "onboardings",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("domain_id", String(36), nullable=False),
    Column("external_id", String(1024), nullable=False),
    # Unique while the row is in charge of its gateway; else null.
    Column("place", String(1100), unique=True),
    Column("state", String(16), nullable=False),
    Column("heading", String(16), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("layout", String(255), nullable=False),
    Column("layout_digest", String(64), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("intent", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("replaces", String(36)),
    Column("lease_owner", String(36)),
    Column("lease_until", UtcDateTime),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt_at", UtcDateTime),
    Column("error_code", String(64), nullable=False, default=""),
    Column("error_message", Text, nullable=False, default=""),
    Column("steps", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    Index("onboardings_by_gateway", "domain_id", "external_id", "created_at"),
    Index("onboardings_by_state", "state", "next_attempt_at"),
    Index("onboardings_by_time", "domain_id", "created_at"),
    Index("onboardings_by_progress", "domain_id", "state", "created_at", "error_code"),
    # The few rows that somebody works on, for the start, which lets go of them.
    Index(
        "onboardings_leased",
        "lease_until",
        sqlite_where=text("lease_until IS NOT NULL"),
        postgresql_where=text("lease_until IS NOT NULL"),
    ),
    # Everything that a list of gateways filters by, so that it reads its page's rows only.
    Index("onboardings_in_charge", "domain_id", "external_id", "state", "layout", "place", "id"),
)

stored_answers = Table(
    "stored_answers",
    metadata,
    Column("domain_id", String(36), primary_key=True),
    Column("idempotency_key", String(255), primary_key=True),
    Column("status", Integer, nullable=False),
    Column("answer", Text, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)

audit_trail = Table(
    "audit_trail",
    metadata,
    Column(
        "id",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    Column("at", UtcDateTime, nullable=False),
    Column("domain_id", String(36), nullable=False),
    Column("external_id", String(1024), nullable=False),
    Column("onboarding_id", String(36), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("action", String(32), nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("message", Text, nullable=False),
    Index("audit_by_gateway", "domain_id", "external_id", "id"),
)
