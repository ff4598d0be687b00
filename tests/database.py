"""The store that the tests run on, decided here alone: a SQLite file, or a PostgreSQL database.

``PROVISION_TEST_DATABASE`` names it: ``sqlite`` (the default), ``postgresql`` (a server is started
for the run), or the URL of a PostgreSQL server whose user may make databases.

A test names its store by the file that it is on SQLite, wherever it runs. On PostgreSQL each file
stands for a database, which is made when it is first asked for and dropped with its test.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg
import pytest
from sqlalchemy import make_url, text

from provision.maintenance.schema import tables_of
from provision.store.database import migrate, open_engine
from tests.postgresql import ServerNotUsable, server

VARIABLE: Final = "PROVISION_TEST_DATABASE"
SERVER: Final = "PROVISION_TEST_DATABASE_SERVER"
FILE: Final = "provision.db"
CHOSEN: Final = os.environ.get(VARIABLE) or "sqlite"
ON_POSTGRESQL: Final = CHOSEN != "sqlite"
Result = TypeVar("Result")


def start_server(stack: ExitStack) -> None:
    """Provide the server for this run and its workers, until the stack is closed."""
    if SERVER in os.environ:
        return
    if CHOSEN == "postgresql":
        try:
            os.environ[SERVER] = stack.enter_context(server())
        except ServerNotUsable as error:
            pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
    elif CHOSEN.startswith("postgresql://"):
        os.environ[SERVER] = CHOSEN
    elif ON_POSTGRESQL:
        pytest.exit(
            f"{VARIABLE} is {CHOSEN!r}: it may be sqlite, postgresql or a postgresql:// URL",
            returncode=pytest.ExitCode.USAGE_ERROR,
        )


def url_of(file: Path) -> str:
    """Return the URL of a store; one that is not there yet is empty."""
    if not ON_POSTGRESQL:
        return f"sqlite+aiosqlite:///{file}"
    return _databases().url_of(file)


def environment(data: Path) -> dict[str, str]:
    """Return the variables that tell a service with this data directory where its store is."""
    return {"MG_PROVISION_DATABASE_URL": url_of(data / FILE)} if ON_POSTGRESQL else {}


def with_schema(file: Path) -> None:
    """Make a store with empty tables where there is none: quicker than a first start makes it."""
    if ON_POSTGRESQL:
        _databases().url_of(file, migrated=True)
    elif not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_bytes(_migrated_file(file.parent))


def copy(source: Path, target: Path) -> Path:
    """Make a store that is like another, which nobody uses just now."""
    if ON_POSTGRESQL:
        _databases().copy(source, target)
    else:
        target.write_bytes(source.read_bytes())
    return target


def execute(file: Path, statement: str, **values: Any) -> Sequence[tuple[Any, ...]]:
    """Run a statement on a store and return its rows, if it has any."""

    async def run() -> Sequence[tuple[Any, ...]]:
        engine = open_engine(url_of(file))
        try:
            async with engine.begin() as connection:
                result = await connection.execute(text(statement), values)
                return [tuple(row) for row in result] if result.returns_rows else ()
        finally:
            await engine.dispose()

    return elsewhere(run())


def contents(file: Path) -> bytes:
    """Return all that a store holds, to look for what it must not hold."""
    if not ON_POSTGRESQL:
        return b"".join(part.read_bytes() for part in file.parent.glob(f"{file.name}*"))
    rows = (
        str(row[0])
        for name in tables_of("postgresql").tables
        for row in execute(file, f"SELECT whole::text FROM {name} AS whole")  # noqa: S608
    )
    return "\n".join(rows).encode()


def forget(directory: Path) -> None:
    """Drop the databases of the stores in a directory that is no longer of use."""
    if ON_POSTGRESQL:
        _databases().forget(directory)


def clear() -> None:
    """Drop what this process has made on a server that goes on after it."""
    if ON_POSTGRESQL and os.environ.get(SERVER) == CHOSEN:
        _databases().clear()


def elsewhere(work: Coroutine[Any, Any, Result]) -> Result:
    """Run something on an event loop of its own, whether or not one runs here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


_template: list[bytes] = []


def _migrated_file(directory: Path) -> bytes:
    """Return a database file with all tables; it is made once, in ``directory``."""
    if not _template:
        file = directory / "template.db"
        elsewhere(_migrate(f"sqlite+aiosqlite:///{file}"))
        _template.append(file.read_bytes())
        file.unlink()
    return _template[0]


async def _migrate(url: str) -> None:
    engine = open_engine(url)
    await migrate(engine)
    if engine.dialect.name == "sqlite":
        async with engine.connect() as connection:
            await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    await engine.dispose()


class _Databases:
    """The databases of this process on the PostgreSQL server, by the files that they stand for."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._names: dict[Path, str] = {}
        self._numbers = itertools.count(1)
        self._run_id = secrets.token_hex(6)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self._connection: Any = None
        self._template = ""

    def url_of(self, file: Path, *, migrated: bool = False) -> str:
        """Return a database's URL for SQLAlchemy; it is made where it is not there."""
        file = file.absolute()
        if file not in self._names:
            self._names[file] = self._make(self._migrated() if migrated else "template0")
        return self._sqlalchemy(self._names[file])

    def copy(self, source: Path, target: Path) -> None:
        self._names[target.absolute()] = self._make(self._names[source.absolute()])

    def forget(self, directory: Path) -> None:
        for file in [file for file in self._names if file.is_relative_to(directory.absolute())]:
            self._run(f'DROP DATABASE "{self._names.pop(file)}" WITH (FORCE)')

    def clear(self) -> None:
        self.forget(Path("/"))
        if self._template:
            self._run(f'DROP DATABASE "{self._template}" WITH (FORCE)')

    def _migrated(self) -> str:
        if not self._template:
            self._template = self._make("template0")
            elsewhere(_migrate(self._sqlalchemy(self._template)))
        return self._template

    def _make(self, template: str) -> str:
        name = f"test_{self._run_id}_{next(self._numbers)}"
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
        return name

    def _sqlalchemy(self, name: str) -> str:
        url = self._url.set(drivername="postgresql+asyncpg", database=name)
        return url.render_as_string(hide_password=False)

    def _run(self, statement: str) -> None:
        asyncio.run_coroutine_threadsafe(self._execute(statement), self._loop).result()

    async def _execute(self, statement: str) -> None:
        if self._connection is None:
            self._connection = await asyncpg.connect(
                self._url.render_as_string(hide_password=False)
            )
        await self._connection.execute(statement)


@cache
def _databases() -> _Databases:
    return _Databases(os.environ[SERVER])
