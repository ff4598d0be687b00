"""The tables of the bootstrap core, the same on SQLite and PostgreSQL.

Lists are read newest first within a domain and status; the two indexes for that hold the folded
name as well, so that a search by part of a name reads nothing else. A device is found by its
external ID alone.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from bootstrap_core.columns import UtcDateTime

metadata: Final = MetaData()

profiles: Final = Table(
    "profiles",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("domain_id", String(36), nullable=False),
    Column("name", Text, nullable=False),
    Column("name_folded", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("content_format", String(16), nullable=False),
    Column("content_template", Text, nullable=False),
    Column("defaults", JSON, nullable=False),
    Column("binding_slots", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    Column("revision", String(32), nullable=False),
    # The layout that an inline profile comes from, and the digest of what was last taken over.
    Column("origin", Text),
    Column("origin_digest", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("domain_id", "name", name="uq_profiles_name"),
    UniqueConstraint("domain_id", "origin", name="uq_profiles_origin"),
    Index("ix_profiles_by_time", "domain_id", "created_at", "id", "name_folded"),
)

# What a profile was before each of its updates; the present version is in its own row.
profile_versions: Final = Table(
    "profile_versions",
    metadata,
    Column(
        "profile_id", String(36), ForeignKey("profiles.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("version", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("content_format", String(16), nullable=False),
    Column("content_template", Text, nullable=False),
    Column("defaults", JSON, nullable=False),
    Column("binding_slots", JSON, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

configs: Final = Table(
    "configs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("domain_id", String(36), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("external_key_hash", Text, nullable=False),
    # Null when there is none: names are unique where they are given.
    Column("name", Text),
    Column("name_folded", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("profile_id", String(36), ForeignKey("profiles.id")),
    Column("content", Text, nullable=False),
    Column("render_context", JSON, nullable=False),
    Column("client_cert", Text, nullable=False),
    Column("sealed_client_key", Text, nullable=False),
    Column("ca_cert", Text, nullable=False),
    Column("connected", Boolean, nullable=False),
    Column("revision", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("domain_id", "external_id", name="uq_configs_external_id"),
    UniqueConstraint("domain_id", "name", name="uq_configs_name"),
    # Has all that a device's poll looks at: the row itself, which is long, need not be read.
    Index(
        "ix_configs_external_id",
        *("external_id", "created_at", "id"),
        *("domain_id", "status", "revision", "profile_id"),
    ),
    Index("ix_configs_profile_id", "profile_id"),
    Index("ix_configs_by_time", "domain_id", "created_at", "id", "name_folded"),
    Index("ix_configs_by_status", "domain_id", "status", "created_at", "id", "name_folded"),
)

bindings: Final = Table(
    "bindings",
    metadata,
    Column("config_id", String(36), ForeignKey("configs.id", ondelete="CASCADE"), primary_key=True),
    Column("slot", String(256), primary_key=True),
    Column("type", String(16), nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("snapshot", JSON, nullable=False),
    Column("sealed_secret", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)

fetches: Final = Table(
    "fetches",
    metadata,
    Column("config_id", String(36), ForeignKey("configs.id", ondelete="CASCADE"), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("outcome", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
)

# Apart from the fetches, whose rows are written at every poll and have to be small for that.
delivered_contents: Final = Table(
    "delivered_contents",
    metadata,
    Column("config_id", String(36), ForeignKey("configs.id", ondelete="CASCADE"), primary_key=True),
    Column("content", Text, nullable=False),
)
