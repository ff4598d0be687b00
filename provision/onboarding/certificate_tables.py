"""Tables of the certificates in use: which gateway has which, and what became of earlier ones."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, String, Table, Text

from bootstrap_core.columns import UtcDateTime

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
