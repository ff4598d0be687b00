"""The tables of the embedded certificate authority."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Index, Integer, MetaData, String, Table, Text, UniqueConstraint

from bootstrap_core.columns import UtcDateTime

metadata: Final = MetaData()

authorities: Final = Table(
    "platform_authorities",
    metadata,
    Column("id", String(16), primary_key=True),
    # PEM, the intermediate first, the root last.
    Column("chain", Text, nullable=False),
    # Both keys are sealed; the root's is only needed to make another intermediate.
    Column("issuer_key", Text, nullable=False),
    Column("root_key", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

certificates: Final = Table(
    "platform_certificates",
    metadata,
    Column("serial", String(64), primary_key=True),
    Column("domain_id", String(36), nullable=False),
    Column("client_id", String(64), nullable=False),
    # SHA-256 of the issuer's and of the certified public key.
    Column("issuer", String(64), nullable=False),
    Column("public_key", String(64), nullable=False),
    # Counts the certificates of one key, so that of two calls at once only one issues the next.
    Column("generation", Integer, nullable=False),
    Column("certificate", Text, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    UniqueConstraint(
        "domain_id",
        "client_id",
        "public_key",
        "issuer",
        "generation",
        name="uq_platform_certificates_generation",
    ),
    Index("ix_platform_certificates_client", "domain_id", "client_id", "created_at"),
    Index("ix_platform_certificates_revoked", "issuer", "revoked_at"),
)
