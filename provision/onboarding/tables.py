"""Tables of the journal: onboardings, stored answers, audit trail, ledger of certificates."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from bootstrap_core.store.tables import UtcDateTime

metadata: Final = MetaData()

certificates_in_use: Final = Table(
    "certificates_in_use",
    metadata,
    Column("client_id", String(64), primary_key=True),
    Column("domain_id", String(36), nullable=False),
    Column("external_id", String(1024), nullable=False),
    # The config that delivers the certificate; empty where none does.
    Column("config_id", String(36), nullable=False),
    Column("serial", String(128), nullable=False),
    Column("renews", Boolean, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),
    # A private key is held here that the device has not fetched yet, and is to be dropped then.
    Column("key_waits", Boolean, nullable=False),
    # From when on a fetch of the config surely delivered this certificate.
    Column("delivered_from", UtcDateTime, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", UtcDateTime, nullable=False),
    Column("error", Text, nullable=False),
    Index("ix_certificates_in_use_due", "renews", "next_attempt_at"),
    Index("ix_certificates_in_use_keys", "key_waits"),
    # With the end of each, so that a list finds a gateway's first end without walking all ends.
    Index("ix_certificates_in_use_gateway", "domain_id", "external_id", "expires_at"),
    Index("ix_certificates_in_use_expiry", "domain_id", "expires_at"),
)

superseded_certificates: Final = Table(
    "superseded_certificates",
    metadata,
    Column("domain_id", String(36), primary_key=True),
    Column("serial", String(128), primary_key=True),
    Column("client_id", String(64), nullable=False),
    Column("config_id", String(36), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    # From when on a fetch of the config surely delivered the certificate that came after.
    Column("delivered_from", UtcDateTime, nullable=False),
    # When it is revoked, known once its successor was delivered.
    Column("revoke_at", UtcDateTime),
    Index("ix_superseded_certificates_expires", "expires_at"),
    Index("ix_superseded_certificates_revoke", "revoke_at"),
)

certificate_requests: Final = Table(
    "certificate_requests",
    metadata,
    Column("domain_id", String(36), primary_key=True),
    Column("client_id", String(255), primary_key=True),
    # SHA-256 of the public key that the request is for.
    Column("public_key", String(64), primary_key=True),
    # PEM, as the device sent it.
    Column("csr", Text, nullable=False),
    Column("kept_until", UtcDateTime, nullable=False),
    Index("ix_certificate_requests_end", "kept_until"),
)


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
    # Null where nothing is left, as nearly always.
    Column("leftovers", JSON(none_as_null=True)),
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
    Index(
        "onboardings_with_leftovers",
        "domain_id",
        "created_at",
        sqlite_where=text("leftovers IS NOT NULL"),
        postgresql_where=text("leftovers IS NOT NULL"),
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
    # Of the request that has the key; null in rows of earlier releases.
    Column("claim", String(36)),
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
