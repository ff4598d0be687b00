"""The store: an async SQLAlchemy engine, and the migrations that are run at start.

SQLite (WAL) by default, PostgreSQL for several replicas. On SQLite a transaction opened with
``engine.begin()`` takes the write lock at once, and writers of this process queue for it instead
of polling, so that no request ever sees "database is locked"; ``engine.connect()`` reads without
waiting for anyone.

A write transaction runs its short statements on the event loop's own thread: handing each one to
another thread and back costs many times what SQLite needs for it; so does a read that is marked as
``BRIEF``. What may take long (waiting for another process's lock, the commit's fsync, and every
other read) stays on the other thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiosqlite
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, PoolProxiedConnection, event, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from provision.build_info import release
from provision.errors import StartError

BUSY_MILLISECONDS = 15_000
MIGRATION_LOCK = 7_318_429_105_532
WRITES = "writes"
BEGIN_WRITING = "BEGIN IMMEDIATE"
# SQLite's extended codes have the primary one in their lowest byte.
PRIMARY_CODE = 0xFF
SLOW = frozenset({"commit", "rollback", "close"})
# Values that a statement was given are kept out of error messages, and so out of the log.
HIDING: Mapping[str, Any] = {"hide_parameters": True}


class _Connection(aiosqlite.Connection):
    """A connection that can be told to run statements where it is asked to."""

    inline = False
    brief = False

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        name, owner = fn.__name__, getattr(fn, "__self__", None)
        at_once = name == "cursor" or (name == "close" and isinstance(owner, sqlite3.Cursor))
        if at_once or ((self.inline or self.brief) and name not in SLOW):
            return fn(*args, **kwargs)
        if BEGIN_WRITING in args and self._takes_lock(fn, *args):
            return owner
        if name == "rollback" and self._connection and not self._connection.in_transaction:
            return None
        elsewhere: Any = super()._execute
        return await elsewhere(fn, *args, **kwargs)

    def _takes_lock(self, begin: Callable[..., Any], *args: Any) -> bool:  # noqa: ANN401
        """Begin a write transaction if nobody else has the lock; tell whether it was begun."""
        self._conn.execute("PRAGMA busy_timeout = 0")
        try:
            begin(*args)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & PRIMARY_CODE != sqlite3.SQLITE_BUSY:
                raise
            return False
        finally:
            self._conn.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        return True


class SqliteEngine(AsyncEngine):
    """An engine whose write transactions start as such, one after another."""

    def __init__(self, url: str) -> None:
        """Open the database file of ``url`` (created when it is not there)."""
        engine = create_async_engine(
            url, **HIDING, pool_size=8, max_overflow=8, async_creator=_creator(url)
        )
        super().__init__(engine.sync_engine)
        self._turn = asyncio.Lock()
        self._writing = engine.execution_options(**{WRITES: True})
        event.listen(self.sync_engine, "connect", _prepare_connection)
        event.listen(self.sync_engine, "begin", _begin)
        event.listen(self.sync_engine, "before_cursor_execute", _tell_if_brief)
        event.listen(self.sync_engine, "checkin", _end_writing)

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction; it is committed at the end, or rolled back on an error."""
        async with self._turn, self._writing.begin() as connection:
            yield connection


def _creator(url: str) -> Callable[[], Awaitable[_Connection]]:
    path = make_url(url).database or ":memory:"

    async def connect() -> _Connection:
        connection = _Connection(
            lambda: sqlite3.connect(path, check_same_thread=False), iter_chunk_size=64
        )
        connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy's own creator does
        opening = asyncio.ensure_future(_opened(connection))
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            # Its thread opens the file all the same: nobody else would close it.
            opening.add_done_callback(lambda _: connection.stop())
            raise
        return connection

    return connect


async def _opened(connection: _Connection) -> None:
    await connection


def open_engine(url: str) -> AsyncEngine:
    """Return an engine for ``url`` (``sqlite+aiosqlite://`` or ``postgresql+asyncpg://``)."""
    if make_url(url).get_backend_name() == "sqlite":
        return SqliteEngine(url)
    return create_async_engine(url, **HIDING, pool_size=10, max_overflow=20, pool_pre_ping=True)


async def migrate(engine: AsyncEngine) -> None:
    """Bring the schema up to date; of several processes that start at once, one does it.

    Raises ``StartError``: a newer version has made the database.
    """
    async with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    present = MigrationContext.configure(connection).get_current_revision()
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    if present and present not in known:
        raise StartError(
            f"the database has schema {present}, which this version ({release()}) does not know: a "
            "newer version made it; start that one, or restore a backup of before the upgrade"
        )
    command.upgrade(config, "head")


def _prepare_connection(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's own
    # The driver's own transaction handling is switched off: it starts transactions too late.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode = WAL",
        # The intent must survive a power cut, or clients would stay behind on the platform.
        "synchronous = FULL",
        "foreign_keys = ON",
        f"busy_timeout = {BUSY_MILLISECONDS}",
        "temp_store = MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _tell_if_brief(connection: Connection, *about: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
    _, _, _, context, _ = about
    brief = bool(context and context.execution_options.get("brief"))
    _driver(connection.connection).brief = brief


def _begin(connection: Connection) -> None:
    # Reads are single statements, each a snapshot by itself: they need no transaction around them.
    if connection.get_execution_options().get(WRITES):
        connection.exec_driver_sql(BEGIN_WRITING)
        _driver(connection.connection).inline = True


def _end_writing(connection: PoolProxiedConnection | None, _: object) -> None:
    if connection is not None:
        _driver(connection).inline = False


def _driver(connection: PoolProxiedConnection) -> _Connection:
    driver = connection.driver_connection
    assert isinstance(driver, _Connection)  # noqa: S101 - made by _creator
    return driver
