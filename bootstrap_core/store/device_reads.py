"""What delivery reads of the store: one query for each request.

A device that asks again costs one small indexed read, which tells whether what it got last time
still holds (``profile_revision``); everything about a device is read only where that is not so
(``rows``).

On SQLite the read happens right in the event loop, on a read-only connection of its own: handing
it to a thread costs many times the read itself, and readers never wait in WAL mode. On PostgreSQL
it goes through asyncpg, which keeps the statements prepared. Anything else goes the common way.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import Row, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

NAMED: Final = re.compile(r":\w+")
MAPPED_BYTES: Final = 256 * 1024 * 1024
ANSWER_SECONDS: Final = 8.0
RELEASE_SECONDS: Final = 2.0
HEAD: Final = """
SELECT p.revision
FROM configs c
LEFT JOIN profiles p ON p.id = c.profile_id
WHERE c.external_id = :external_id AND c.revision = :revision
"""
ROWS: Final = """
SELECT c.id, c.domain_id, c.status, c.external_key_hash, c.revision, p.revision,
       c.content, c.render_context, c.sealed_context, c.client_cert, c.sealed_client_key, c.ca_cert,
       p.name, p.content_format, p.content_template, p.defaults, p.binding_slots,
       b.slot, b.type, b.resource_id, b.snapshot, b.sealed_secret,
       k.digest, k.settled
FROM configs c
LEFT JOIN profiles p ON p.id = c.profile_id
LEFT JOIN bindings b ON b.config_id = c.id
LEFT JOIN device_pairs k ON k.config_id = c.id AND k.key_id = :key_id
WHERE c.external_id = :external_id AND (:domain_id = '' OR c.domain_id = :domain_id)
ORDER BY c.created_at, c.id
"""


class DeviceRow(NamedTuple):
    """A config with one of its bindings.

    What follows from ``profile_name`` on is None where there is no profile, and from ``slot`` on
    where there is no binding. JSON columns may be text (``json_column``). ``pair`` is the digest of
    the pair that opens it, None where it is not known yet (``bootstrap_core.store.pair_rows``).
    """

    config_id: str
    domain_id: str
    status: str
    external_key_hash: str
    revision: str
    profile_revision: str | None
    content: str
    render_context: Any
    sealed_context: str | None
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
    pair: str | None = None
    pair_is_settled: Any = False


class DeviceReads(Protocol):
    """Reads the configs of a device."""

    async def profile_revision(self, external_id: str, revision: str) -> str | None:
        """Return the revision of the profile of the config that has a revision, which is its own.

        The empty text: it has no profile. None: the device has no config of this revision.
        """
        ...

    async def rows(self, external_id: str, domain_id: str) -> Sequence[DeviceRow]:
        """Return all of them, oldest first: one row for each binding, at least one for each.

        ``domain_id`` empty means any domain.
        """
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...


class SqliteReads:
    """Reads a SQLite file in the event loop."""

    def __init__(self, path: Path, key_id: str = "") -> None:
        """Read the database at ``path``, in WAL mode; it is opened at the first read."""
        self._key_id = key_id
        self._uri = f"{path.absolute().as_uri()}?mode=ro"
        self._connection: sqlite3.Connection | None = None
        # Values are bound from a tuple in order, which is faster than by name from a mapping.
        self._head, self._rows = _in_order(HEAD), _in_order(ROWS)

    async def profile_revision(self, external_id: str, revision: str) -> str | None:
        """Read without leaving the event loop."""
        values = (external_id, revision)
        found = (self._connection or self._open()).execute(self._head, values).fetchall()
        return _revision(found)

    async def rows(self, external_id: str, domain_id: str) -> Sequence[DeviceRow]:
        """Read without leaving the event loop."""
        values = (self._key_id, external_id, domain_id, domain_id)
        found = (self._connection or self._open()).execute(self._rows, values)
        return list(map(DeviceRow._make, found))

    async def close(self) -> None:
        """Close the file; a later read opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._uri, uri=True, isolation_level=None)
        # Every commit of a writer empties the connection's own cache; mapped pages stay.
        connection.execute(f"PRAGMA mmap_size = {MAPPED_BYTES}")
        self._connection = connection
        return connection


class AsyncpgReads:
    """Reads PostgreSQL through a small pool of asyncpg connections of its own."""

    def __init__(self, url: URL, key_id: str = "", size: int = 4) -> None:
        """Take SQLAlchemy's URL of the store; connections are opened at the first read."""
        # As SQLAlchemy itself would connect.
        _, self._arguments = url.get_dialect()().create_connect_args(url)
        self._key_id = key_id
        self._size = size
        self._head, self._rows = _numbered(HEAD), _numbered(ROWS)
        self._pool: Any = None
        self._opening = asyncio.Lock()

    async def profile_revision(self, external_id: str, revision: str) -> str | None:
        """Read with a prepared statement."""
        return _revision(await self._fetch(self._head, external_id, revision))

    async def rows(self, external_id: str, domain_id: str) -> Sequence[DeviceRow]:
        """Read with a prepared statement."""
        found = await self._fetch(self._rows, self._key_id, external_id, domain_id)
        return list(map(DeviceRow._make, found))

    async def close(self) -> None:
        """Close the pool; a later read opens it again."""
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                async with asyncio.timeout(RELEASE_SECONDS):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    async def _fetch(self, query: str, *values: str) -> Sequence[Any]:
        """Read in bounded time. Raises ``OperationalError``: the server does not answer in it."""
        # Where the store is SQLite, nobody waits for this import.
        asyncpg = importlib.import_module("asyncpg")
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                pool = self._pool or await self._open(asyncpg)
                connection = await pool.acquire()
                try:
                    found: Sequence[Any] = await connection.fetch(query, *values)
                finally:
                    await pool.release(connection, timeout=RELEASE_SECONDS)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise OperationalError(query, None, error, hide_parameters=True) from error
        return found

    async def _open(self, asyncpg: Any) -> Any:  # noqa: ANN401 - asyncpg has no types
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    min_size=1, max_size=self._size, **self._arguments
                )
        return self._pool


class EngineReads:
    """Reads any store the common way."""

    def __init__(self, engine: AsyncEngine, key_id: str = "") -> None:
        """Take the store's engine."""
        self._engine = engine
        self._key_id = key_id

    async def profile_revision(self, external_id: str, revision: str) -> str | None:
        """Read on a connection of the engine."""
        found = await self._read(HEAD, external_id=external_id, revision=revision)
        return _revision(found)

    async def rows(self, external_id: str, domain_id: str) -> Sequence[DeviceRow]:
        """Read on a connection of the engine."""
        found = await self._read(
            ROWS, key_id=self._key_id, external_id=external_id, domain_id=domain_id
        )
        return [DeviceRow._make(row) for row in found]

    async def close(self) -> None:
        """Do nothing: the engine belongs to the caller."""

    async def _read(self, query: str, **values: str) -> Sequence[Row[Any]]:
        async with self._engine.connect() as connection:
            return (await connection.execute(text(query), values)).all()


def open_reads(engine: AsyncEngine, key_id: str = "") -> DeviceReads:
    """Return the fastest way to read the store of ``engine``.

    ``key_id`` names the key of the pairs' digests; digests under another key are not read.
    """
    url = engine.url
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return SqliteReads(Path(url.database), key_id)
    if url.drivername == "postgresql+asyncpg":
        return AsyncpgReads(url, key_id)
    return EngineReads(engine, key_id)


def json_column(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Read a JSON column, which drivers give as text or read already."""
    return json.loads(value) if isinstance(value, str) else value


def _revision(found: Sequence[Any]) -> str | None:
    return (found[0][0] or "") if found else None


def _in_order(query: str) -> str:
    """Have each value bound where it stands: a domain, which stands twice, is given twice."""
    return NAMED.sub("?", query)


def _numbered(query: str) -> str:
    numbers: dict[str, int] = {}
    return NAMED.sub(lambda each: f"${numbers.setdefault(each[0], len(numbers) + 1)}", query)
