"""What delivery reads of the store: everything about a device, in one query.

The query says what the reader knows already (the revisions of config and profile). Where both are
still in force, nothing beyond them is read, so that a device that asks again costs one small
indexed read.

On SQLite the read happens right in the event loop, on a read-only connection of its own: handing
it to a thread costs many times the read itself, and readers never wait in WAL mode. On PostgreSQL
it goes through asyncpg, which keeps the statement prepared. Anything else goes the common way.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncEngine

PARAMETERS: Final = ("external_id", "domain_id", "revision", "profile_revision")
QUERY: Final = """
SELECT c.id, c.domain_id, c.status, c.external_key_hash, c.revision, p.revision,
       k.id, k.content, k.render_context, k.client_cert, k.sealed_client_key, k.ca_cert,
       q.name, q.content_format, q.content_template, q.defaults, q.binding_slots,
       b.slot, b.type, b.resource_id, b.snapshot, b.sealed_secret
FROM configs c
LEFT JOIN profiles p ON p.id = c.profile_id
LEFT JOIN configs k ON k.id = c.id
     AND NOT (c.revision = :revision AND coalesce(p.revision, '') = :profile_revision)
LEFT JOIN profiles q ON q.id = k.profile_id
LEFT JOIN bindings b ON b.config_id = k.id
WHERE c.external_id = :external_id AND (:domain_id = '' OR c.domain_id = :domain_id)
ORDER BY c.created_at, c.id
"""


class DeviceRow(NamedTuple):
    """One row of the query: a config with one of its bindings.

    ``unknown`` is the config's ID where the reader does not know the content yet; else it and all
    that follows is None. What follows from ``profile_name`` on is None as well where there is no
    profile, and from ``slot`` on where there is no binding.
    """

    config_id: str
    domain_id: str
    status: str
    external_key_hash: str
    revision: str
    profile_revision: str | None
    unknown: str | None
    content: str
    render_context: Any
    client_cert: str
    sealed_client_key: str
    ca_cert: str
    profile_name: str | None
    content_format: str
    content_template: str
    defaults: Any
    binding_slots: Any
    slot: str | None
    type: str
    resource_id: str
    snapshot: Any
    sealed_secret: str


class DeviceReads(Protocol):
    """Reads the configs of a device."""

    async def rows(
        self, external_id: str, domain_id: str, revision: str, profile_revision: str
    ) -> Sequence[DeviceRow]:
        """Return the configs with this external ID, oldest first, binding by binding.

        ``domain_id`` empty means any domain. ``revision`` and ``profile_revision`` are those of
        the content that the caller has; empty when it has none.
        """
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...


class SqliteReads:
    """Reads a SQLite file in the event loop."""

    def __init__(self, path: Path) -> None:
        """Read the database at ``path``, in WAL mode; it is opened at the first read."""
        self._uri = f"{path.absolute().as_uri()}?mode=ro"
        self._connection: sqlite3.Connection | None = None
        # Numbered parameters are bound from a tuple, which is faster than names from a mapping.
        self._query = _numbered("?")

    async def rows(
        self, external_id: str, domain_id: str, revision: str, profile_revision: str
    ) -> Sequence[DeviceRow]:
        """Read without leaving the event loop."""
        if self._connection is None:
            self._connection = sqlite3.connect(self._uri, uri=True, isolation_level=None)
        found = self._connection.execute(
            self._query, (external_id, domain_id, revision, profile_revision)
        )
        return [DeviceRow._make(row) for row in found.fetchall()]

    async def close(self) -> None:
        """Close the file; a later read opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class AsyncpgReads:
    """Reads PostgreSQL through a small pool of asyncpg connections of its own."""

    def __init__(self, url: URL, size: int = 4) -> None:
        """Take SQLAlchemy's URL of the store; connections are opened at the first read."""
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._size = size
        self._query = _numbered("$")
        self._pool: Any = None
        self._opening = asyncio.Lock()

    async def rows(
        self, external_id: str, domain_id: str, revision: str, profile_revision: str
    ) -> Sequence[DeviceRow]:
        """Read with a prepared statement."""
        pool = self._pool or await self._open()
        found = await pool.fetch(self._query, external_id, domain_id, revision, profile_revision)
        return [DeviceRow._make(row) for row in found]

    async def close(self) -> None:
        """Close the pool."""
        if self._pool is not None:
            await self._pool.close()

    async def _open(self) -> Any:  # noqa: ANN401 - asyncpg has no types
        async with self._opening:
            if self._pool is None:
                # Installed with the extra "postgresql" only.
                asyncpg = importlib.import_module("asyncpg")
                self._pool = await asyncpg.create_pool(self._dsn, min_size=1, max_size=self._size)
        return self._pool


class EngineReads:
    """Reads any store the common way."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Take the store's engine."""
        self._engine = engine
        self._query = text(QUERY)

    async def rows(
        self, external_id: str, domain_id: str, revision: str, profile_revision: str
    ) -> Sequence[DeviceRow]:
        """Read on a connection of the engine."""
        values = (external_id, domain_id, revision, profile_revision)
        async with self._engine.connect() as connection:
            found = await connection.execute(
                self._query, dict(zip(PARAMETERS, values, strict=True))
            )
            return [DeviceRow._make(row) for row in found]

    async def close(self) -> None:
        """Do nothing: the engine belongs to the caller."""


def open_reads(engine: AsyncEngine) -> DeviceReads:
    """Return the fastest way to read the store of ``engine``."""
    url = engine.url
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return SqliteReads(Path(url.database))
    if url.drivername == "postgresql+asyncpg":
        return AsyncpgReads(url)
    return EngineReads(engine)


def json_column(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Read a JSON column, which drivers give as text or read already."""
    return json.loads(value) if isinstance(value, str) else value


def _numbered(mark: str) -> str:
    query = QUERY
    # The longer name first, so that none is replaced inside another.
    for number, name in sorted(enumerate(PARAMETERS, 1), key=lambda item: -len(item[1])):
        query = query.replace(f":{name}", f"{mark}{number}")
    return query
