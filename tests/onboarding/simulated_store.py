"""The real journal on an in-memory database that runs in the event loop's own thread.

A transaction takes no virtual time once it has begun, so that transactions come one after another,
in an order that the seed decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import StaticPool

from provision.maintenance.schema import tables_of
from tests.onboarding.virtual import VirtualClock

METADATA = tables_of("sqlite")


def open_database() -> Engine:
    """Return a new database with all tables."""
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    event.listen(engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    METADATA.create_all(engine)
    return engine


def clear(engine: Engine) -> None:
    """Remove all rows."""
    with engine.begin() as connection:
        for table in reversed(METADATA.sorted_tables):
            connection.execute(table.delete())


class SimulatedConnection:
    """What the product uses of an ``AsyncConnection``."""

    def __init__(self, inner: Connection) -> None:
        self._inner = inner
        self.dialect = inner.dialect

    async def execute(self, statement: Any, values: Any = None) -> Any:
        return self._inner.execute(statement, values)

    async def scalar(self, statement: Any) -> Any:
        return self._inner.scalar(statement)

    @contextlib.asynccontextmanager
    async def begin_nested(self) -> AsyncIterator[None]:
        with self._inner.begin_nested():
            yield


class SimulatedEngine:
    """One replica's way to the shared database; it can be slow, fail, and die with its process.

    ``opened`` counts what a transaction costs: a way there, and one back where it writes.
    """

    def __init__(self, engine: Engine, clock: VirtualClock, rng: random.Random) -> None:
        self._engine = engine
        self._clock = clock
        self._rng = rng
        self.dialect = engine.dialect
        self.failure_rate = 0.0
        self.dead = False
        self.opened = 0

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[SimulatedConnection]:
        await self._gate()
        with self._engine.connect() as connection, connection.begin():
            yield SimulatedConnection(connection)
            if self._rng.random() < self.failure_rate:
                raise OperationalError("COMMIT", {}, Exception("database or disk is full"))
        # A process may die between the commit and the moment it learns of it.
        await self._gate()

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[SimulatedConnection]:
        await self._gate()
        with self._engine.connect() as connection, connection.begin():
            yield SimulatedConnection(connection)

    async def _gate(self) -> None:
        self.opened += 1
        await asyncio.sleep(self._rng.uniform(0.0005, 0.01))
        await self._clock.thaw()
        if self.dead:
            raise asyncio.CancelledError
        if self._rng.random() < self.failure_rate:
            raise OperationalError("BEGIN", {}, Exception("database is locked"))


def rows(engine: Engine, query: str) -> list[dict[str, Any]]:
    """Return rows as they are kept."""
    with engine.connect() as connection:
        return [dict(row) for row in connection.execute(text(query)).mappings()]
