"""The tables of the embedded platform.

Lists are read newest first within a domain, by status: the indexes serve that order, the count
and, on SQLite, the look-up by name without sorting (a name may be too long for PostgreSQL's).
``name_folded`` is the name in folded case, so that a search in any case means the same on every
database.
"""

from __future__ import annotations

import re
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from bootstrap_core.model import is_uuid
from bootstrap_core.store.tables import UtcDateTime, only_on

ROUTE_FORM: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,35}")


def is_route(text: str) -> bool:
    """Tell whether ``text`` may be a route: a letter, then letters, digits, ``_`` and ``-``.

    At most 36 characters, and neither ``__`` nor ``--``, which are hard to read.
    """
    return (
        ROUTE_FORM.fullmatch(text) is not None
        and "__" not in text
        and "--" not in text
        and not is_uuid(text)
    )


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


SECRET_UNIQUE: Final = "uq_platform_clients_secret_digest"  # noqa: S105 - a constraint
ROUTE_UNIQUE: Final = "uq_platform_channels_route"

DOCUMENT: Final = JSON().with_variant(JSONB(), "postgresql")


def _of_domain() -> Column[str]:
    """Return the column of the domain that something belongs to and goes with."""
    domain = ForeignKey("platform_domains.id", ondelete="CASCADE")
    return Column("domain_id", String(36), domain, nullable=False)


def _named() -> tuple[Column[str], ...]:
    """Return the columns of a name that is searched in any case."""
    return Column("name", Text, nullable=False), Column("name_folded", Text, nullable=False)


def _stamps() -> tuple[Column[Any], ...]:
    """Return the columns that say who made and changed something, and when."""
    return (
        Column("created_by", String(36), nullable=False),
        Column("created_at", UtcDateTime, nullable=False),
        Column("updated_at", UtcDateTime),
        Column("updated_by", String(36)),
    )


users: Final = Table(
    "platform_users",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("username", Text, nullable=False, unique=True),
    Column("email", Text, nullable=False, unique=True),
    Column("first_name", Text, nullable=False),
    Column("last_name", Text, nullable=False),
    Column("password", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("metadata", DOCUMENT, nullable=False),
    Column("tags", DOCUMENT, nullable=False),
    # Tokens name the version under which they were issued; raising it revokes them all.
    Column("token_version", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime),
    Column("updated_by", String(36)),
    Index("ix_platform_users_created", "created_at"),
)

token_families: Final = Table(
    "platform_token_families",
    metadata,
    Column("id", String(64), primary_key=True),
    # The number of the refresh token that is the next to be used; below zero: none is any more.
    Column("turn", Integer, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("ix_platform_token_families_end", "expires_at"),
)

domains: Final = Table(
    "platform_domains",
    metadata,
    Column("id", String(36), primary_key=True),
    *_named(),
    Column("route", Text, nullable=False, unique=True),
    Column("status", String(16), nullable=False),
    Column("metadata", DOCUMENT, nullable=False),
    Column("tags", DOCUMENT, nullable=False),
    *_stamps(),
    Index("ix_platform_domains_created", "created_at"),
)

roles: Final = Table(
    "platform_roles",
    metadata,
    Column("id", String(64), primary_key=True),
    _of_domain(),
    Column("name", Text, nullable=False),
    Column("actions", DOCUMENT, nullable=False),
    *_stamps(),
    UniqueConstraint("domain_id", "name", name="uq_platform_roles_name"),
)

members: Final = Table(
    "platform_members",
    metadata,
    Column(
        "role_id", String(64), ForeignKey("platform_roles.id", ondelete="CASCADE"), nullable=False
    ),
    Column(
        "user_id", String(36), ForeignKey("platform_users.id", ondelete="CASCADE"), nullable=False
    ),
    _of_domain(),
    PrimaryKeyConstraint("role_id", "user_id", name="pk_platform_members"),
    Index("ix_platform_members_user", "user_id", "domain_id"),
    Index("ix_platform_members_domain", "domain_id"),
)

clients: Final = Table(
    "platform_clients",
    metadata,
    Column("id", String(36), primary_key=True),
    _of_domain(),
    *_named(),
    Column("identity", Text, nullable=False),
    # The secret itself is sealed; its keyed digest is what makes it unique and findable.
    Column("secret", Text, nullable=False),
    Column("secret_digest", String(64), nullable=False),
    Column("metadata", DOCUMENT, nullable=False),
    Column("private_metadata", DOCUMENT, nullable=False),
    Column("tags", DOCUMENT, nullable=False),
    Column("status", String(16), nullable=False),
    *_stamps(),
    UniqueConstraint("domain_id", "secret_digest", name=SECRET_UNIQUE),
    Index("ix_platform_clients_status", "domain_id", "status", "created_at", "id"),
    Index("ix_platform_clients_created", "domain_id", "created_at", "id"),
    only_on("sqlite", Index("ix_platform_clients_name", "domain_id", "name_folded")),
)

channels: Final = Table(
    "platform_channels",
    metadata,
    # Magistrala takes any text as a channel's ID.
    Column("id", Text, primary_key=True),
    _of_domain(),
    *_named(),
    Column("route", Text),
    Column("metadata", DOCUMENT, nullable=False),
    Column("tags", DOCUMENT, nullable=False),
    Column("status", String(16), nullable=False),
    *_stamps(),
    UniqueConstraint("domain_id", "route", name=ROUTE_UNIQUE),
    Index("ix_platform_channels_status", "domain_id", "status", "created_at", "id"),
    Index("ix_platform_channels_created", "domain_id", "created_at", "id"),
    only_on("sqlite", Index("ix_platform_channels_name", "domain_id", "name_folded")),
)

connections: Final = Table(
    "platform_connections",
    metadata,
    Column(
        "channel_id", Text, ForeignKey("platform_channels.id", ondelete="CASCADE"), nullable=False
    ),
    Column(
        "client_id",
        String(36),
        ForeignKey("platform_clients.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("type", String(16), nullable=False),
    Column("domain_id", String(36), nullable=False),
    PrimaryKeyConstraint("channel_id", "client_id", "type", name="pk_platform_connections"),
    Index("ix_platform_connections_client", "client_id", "channel_id"),
)
