"""The one place where the store's refusals become errors that name what stands in the way."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.types import TypeDecorator

from bootstrap_core.errors import Conflict, Unprocessable

BRIEF: Final[Mapping[str, Any]] = {"brief": True}
"""Execution options of a query that reads a row or two by an index: an engine may run it where it
is asked, since handing it to another thread would cost more than the read."""

INSERTS: Final[Mapping[str, Callable[[Table], Any]]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
"""The inserts that know ON CONFLICT, by the name of their dialect."""


Part = TypeVar("Part", Index, UniqueConstraint)
DIALECT: Final = "dialect"


def only_on(dialect: str, part: Part) -> Part:
    """Have a part of a table made on one kind of database alone; its ``info`` says on which."""
    part.info[DIALECT] = dialect
    part.ddl_if(dialect=dialect)
    return part


def unique_name(table: str) -> tuple[UniqueConstraint | Index, ...]:
    """Return what keeps the names of a table unique within their domain.

    A name of any length fits: PostgreSQL's indexes, which take 2,704 bytes, hold its digest.
    """
    name = f"uq_{table}_name"
    return (
        only_on("sqlite", UniqueConstraint("domain_id", "name", name=name)),
        only_on("postgresql", Index(name, "domain_id", text("md5(name)"), unique=True)),
    )


def name_index(name: str, *columns: str) -> tuple[Index, ...]:
    """Return an index that has the name at its end, to be searched without reading the rows.

    On PostgreSQL, where a name may be too long for an index, it has the other columns alone.
    """
    return (
        only_on("sqlite", Index(name, *columns, "name_folded")),
        only_on("postgresql", Index(name, *columns)),
    )


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; SQLite, which keeps no zone, gives it back aware as well."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store in UTC; a naive time is a mistake of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times are stored aware, in UTC")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Read as UTC."""
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


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
    *unique_name("profiles"),
    UniqueConstraint("domain_id", "origin", name="uq_profiles_origin"),
    *name_index("ix_profiles_by_time", "domain_id", "created_at", "id"),
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
    # Null where no variable is secret.
    Column("sealed_context", Text),
    Column("client_cert", Text, nullable=False),
    Column("sealed_client_key", Text, nullable=False),
    Column("ca_cert", Text, nullable=False),
    Column("connected", Boolean, nullable=False),
    Column("revision", String(32), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("domain_id", "external_id", name="uq_configs_external_id"),
    *unique_name("configs"),
    # Has all that a device's poll looks at: the row itself, which is long, need not be read.
    Index(
        "ix_configs_external_id",
        *("external_id", "created_at", "id"),
        *("domain_id", "status", "revision", "profile_id"),
    ),
    Index("ix_configs_profile_id", "profile_id"),
    *name_index("ix_configs_by_time", "domain_id", "created_at", "id"),
    *name_index("ix_configs_by_status", "domain_id", "status", "created_at", "id"),
)

# Whose device each pair of external ID and key is, by a keyed digest. No foreign key: a row
# outlives its config where the pair is to stay its domain's.
device_pairs: Final = Table(
    "device_pairs",
    metadata,
    Column("digest", String(64), primary_key=True),
    # The key of the digest, named.
    Column("key_id", String(12), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("domain_id", String(36), nullable=False),
    Column("config_id", String(36)),
    # Whether it is known that no older config, whose key has no digest, has the same key.
    Column("settled", Boolean, nullable=False),
    Column("taken_at", UtcDateTime, nullable=False),
    # The hash of the key of a config that is gone and never had a digest, made at ``taken_at``.
    Column("former_hash", Text),
    Index("ix_device_pairs_config_id", "config_id"),
    Index("ix_device_pairs_external_id", "external_id"),
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


@contextlib.contextmanager
def conflicts_named(*, name: str, external_id: str = "") -> Iterator[None]:
    """Translate a violated constraint within the block, which writes these values.

    Raises ``Conflict`` for a name or external ID that is taken, ``Unprocessable`` for a reference
    to a profile that has gone in the meantime.
    """
    try:
        yield
    except IntegrityError as error:
        # PostgreSQL goes on to quote the values, which may hold any word.
        reason = str(error.orig).partition("\n")[0]
        if "external_id" in reason:
            raise Conflict(
                f"external_id: {external_id!r} has a config in this domain already; update or "
                "remove that one",
                details={"field": "external_id", "value": external_id},
            ) from error
        if "name" in reason:
            raise Conflict(
                f"name: {name!r} is taken in this domain; choose another one",
                details={"field": "name", "value": name},
            ) from error
        if "FOREIGN" in reason.upper():
            raise Unprocessable("the profile was removed in the meantime") from error
        raise Conflict("the ID is taken") from error
