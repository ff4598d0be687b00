"""The store: an async SQLAlchemy engine, and the migrations that are run at start.

SQLite (WAL) by default, PostgreSQL for several replicas. On both a transaction opened with
``engine.begin()`` takes the write lock of the store at once, so that what it reads stays true until
its commit, and writers of this process queue for it in turn. ``engine.connect()`` reads without
waiting for anyone. Neither waits without end: ``store_faults`` knows the errors of a store that is
out of reach.

On SQLite a write transaction runs its short statements on the event loop's own thread: handing
each one to another thread and back costs many times what SQLite needs for it; so does a read that
is marked as ``BRIEF``. What may take long (waiting for another process's lock, the commit's fsync,
and every other read) stays on the other thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from weakref import WeakSet

import aiosqlite
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import URL, PoolProxiedConnection, event, make_url, text
from sqlalchemy import Connection as SyncConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import TimeoutError as NoTurn
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from provision.build_info import release
from provision.errors import StartError
from provision.store.faults import PRIMARY_CODE, cause_of, is_unavailable
from provision.store.postgresql import Connection, make_engine, make_patient_engine, unreachable
from provision.store.private_files import make_private

BUSY_MILLISECONDS = 15_000
PAUSE_SECONDS = 0.02
ENDING_SECONDS = 5.0
WRITING_LOCK = 7_318_429_105_532
WRITES = "writes"
TURN_SECONDS = 15.0
BEGIN_WRITING = "BEGIN IMMEDIATE"
SLOW = frozenset({"commit", "rollback", "close"})
# Values that a statement was given are kept out of error messages, and so out of the log.
HIDING: Mapping[str, Any] = {"hide_parameters": True}
_TAKE_TURN = text(f"SELECT pg_advisory_xact_lock({WRITING_LOCK})")
_WRITE_NOTHING = text("UPDATE alembic_version SET version_num = version_num")
_MIGRATIONS = Path(__file__).parent.parent / "migrations"
DRIVERS: Mapping[str, str] = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}


class _Connection(aiosqlite.Connection):
    """A connection that can be told to run statements where it is asked to."""

    inline = False
    brief = False
    abandoned = False

    @property
    def is_ending(self) -> bool:
        """Whether nobody uses it any more, and its thread still runs."""
        return (self.abandoned or not self._running) and self._thread.is_alive()

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
            if not _is_busy(error):
                raise
            return False
        finally:
            self._conn.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        return True


class StoreEngine(AsyncEngine):
    """An engine whose write transactions run one after another.

    What a write transaction reads stays true until its commit: a rule that is checked and then
    written by holds. ``trouble`` says why the last write transaction could not be committed; it is
    empty where that was not the store's fault.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        """Take over the connections of ``engine``."""
        super().__init__(engine.sync_engine)
        self.trouble = ""
        self._turn = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """Open a write transaction; it is committed at the end, or rolled back on an error."""
        try:
            # Whoever waits for the turn has no connection yet: readers find one.
            async with self._its_turn(), self._transaction() as connection:
                yield connection
        except Exception as error:
            if is_unavailable(error):
                self.trouble = cause_of(error)
            raise
        self.trouble = ""

    async def check(self) -> None:
        """Raise what a request would: the store can't be read, or writes fail since a while."""
        async with self.connect() as connection:
            await connection.execute(text("SELECT 1"))
        if self.trouble:
            async with self.begin() as connection:
                await connection.execute(_WRITE_NOTHING)

    @contextlib.asynccontextmanager
    async def _its_turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(TURN_SECONDS):
                await self._turn.acquire()
        except TimeoutError as error:
            raise NoTurn("other changes kept the store busy for too long") from error
        try:
            yield
        finally:
            self._turn.release()

    def _transaction(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        raise NotImplementedError


class SqliteEngine(StoreEngine):
    """A SQLite file, whose write transactions start as such."""

    def __init__(self, url: URL) -> None:
        """Open the database file of ``url`` (created when it is not there), its owner's alone."""
        make_database_private(url)
        self._opened: WeakSet[_Connection] = WeakSet()
        engine = create_async_engine(
            url, **HIDING, pool_size=8, max_overflow=8, async_creator=_creator(url, self._opened)
        )
        super().__init__(engine)
        self._writing = engine.execution_options(**{WRITES: True})
        event.listen(self.sync_engine, "connect", _prepare_connection)
        event.listen(self.sync_engine, "begin", _begin)
        event.listen(self.sync_engine, "before_cursor_execute", _tell_if_brief)
        event.listen(self.sync_engine, "checkin", _end_writing)

    def _transaction(self) -> contextlib.AbstractAsyncContextManager[AsyncConnection]:
        return self._writing.begin()

    async def dispose(self, close: bool = True) -> None:  # noqa: FBT001, FBT002 - SQLAlchemy's own
        """Close the connections, and wait for what a cancelled caller left to their threads."""
        await super().dispose(close)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDING_SECONDS):
                # A thread tells no loop of its end.
                while any(connection.is_ending for connection in self._opened):  # noqa: ASYNC110
                    await asyncio.sleep(PAUSE_SECONDS)


class PostgresqlEngine(StoreEngine):
    """A PostgreSQL database, whose write transactions wait for those of other replicas as well.

    Otherwise two transactions could each find what the other one removes.
    """

    _connection_cls = Connection

    def __init__(self, url: URL) -> None:
        """Use the database of ``url``; connections are opened when they are needed."""
        super().__init__(make_engine(url, **HIDING))

    @contextlib.asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        async with self.connect() as connection, connection.begin():
            await connection.execute(_TAKE_TURN)
            yield connection


def make_database_private(url: URL) -> None:
    """Let only the owner read the database file of ``url`` and what SQLite keeps beside it.

    SQLite gives its log and shared memory the rights that the database file has when it makes them.
    """
    path = url.database
    if not path or path == ":memory:":
        return
    for suffix in ("", "-wal", "-shm"):
        file = Path(path + suffix)
        if not suffix or file.exists():
            with contextlib.suppress(OSError):
                make_private(file)


def _is_busy(error: sqlite3.Error) -> bool:
    return error.sqlite_errorcode & PRIMARY_CODE == sqlite3.SQLITE_BUSY


def _open_file(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, check_same_thread=False)
    ends = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error as error:
            # Two that change the mode of a new file hold each other up, and SQLite refuses one at
            # once instead of letting it wait.
            if not _is_busy(error) or time.monotonic() > ends:
                connection.close()
                raise
            time.sleep(PAUSE_SECONDS)
        else:
            return connection


def _creator(url: URL, opened: WeakSet[_Connection]) -> Callable[[], Awaitable[_Connection]]:
    path = url.database or ":memory:"

    async def connect() -> _Connection:
        connection = _Connection(functools.partial(_open_file, path), iter_chunk_size=64)
        opened.add(connection)
        connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy's own creator does
        opening = asyncio.ensure_future(_opened(connection))
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            # Its thread opens the file all the same: nobody else would close it.
            connection.abandoned = True
            opening.add_done_callback(lambda _: connection.stop())
            raise
        return connection

    return connect


async def _opened(connection: _Connection) -> None:
    await connection


def open_engine(address: str) -> StoreEngine:
    """Return an engine for a URL: ``postgresql+asyncpg://``, ``sqlite+aiosqlite://``.

    The driver may be left out. Raises ``StartError``: it is no such URL.
    """
    try:
        url = make_url(address)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        backend = ""
    # The URL is not repeated: there may be a password in it.
    if backend not in DRIVERS or url.drivername not in (backend, DRIVERS[backend]):
        raise StartError(
            "MG_PROVISION_DATABASE_URL can't be used: write it as "
            "postgresql+asyncpg://user:password@host:5432/database, with what is special in the "
            "password percent-encoded"
        )
    url = url.set(drivername=DRIVERS[backend])
    return SqliteEngine(url) if backend == "sqlite" else PostgresqlEngine(url)


async def migrate(engine: StoreEngine) -> None:
    """Bring the schema up to date; of several processes that start at once, one does it.

    Raises ``StartError``: a newer version has made the database.
    """
    if engine.dialect.name == "sqlite":
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade)
        return
    patient = make_patient_engine(engine.url, **HIDING)
    try:
        async with patient.begin() as connection:
            await connection.execute(_TAKE_TURN)
            await connection.run_sync(_upgrade)
    except (OSError, TimeoutError) as error:
        raise unreachable(error) from error
    finally:
        await patient.dispose()


def _upgrade(connection: SyncConnection) -> None:
    present = MigrationContext.configure(connection).get_current_revision()
    # A file is named after its revision, so that none is loaded where there is nothing to do.
    known = {file.name[:4] for file in _MIGRATIONS.glob("versions/[0-9]*.py")}
    if present == max(known):
        return
    if present and present not in known:
        raise StartError(
            f"the database has schema {present}, which this version ({release()}) does not know: a "
            "newer version made it; start that one, or restore a backup of before the upgrade"
        )
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _prepare_connection(connection: Any, _: object) -> None:  # noqa: ANN401 - the driver's own
    # The driver's own transaction handling is switched off: it starts transactions too late.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        # The intent must survive a power cut, or clients would stay behind on the platform.
        "synchronous = FULL",
        "foreign_keys = ON",
        f"busy_timeout = {BUSY_MILLISECONDS}",
        "temp_store = MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _tell_if_brief(connection: SyncConnection, *about: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
    _, _, _, context, _ = about
    brief = bool(context and context.execution_options.get("brief"))
    _driver(connection.connection).brief = brief


def _begin(connection: SyncConnection) -> None:
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
