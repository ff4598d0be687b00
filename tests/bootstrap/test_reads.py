"""The ways of reading the store for delivery give the same; the fetch log writes behind."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, make_url, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from bootstrap_core.delivery.answers import Place, Rendered, RenderedContent
from bootstrap_core.delivery.fetch_log import FetchLog
from bootstrap_core.model import Fetch
from bootstrap_core.store import fetch_rows
from bootstrap_core.store.device_reads import (
    AsyncpgReads,
    DeviceReads,
    DeviceRow,
    EngineReads,
    SqliteReads,
    json_column,
    open_reads,
)
from bootstrap_core.store.tables import fetches
from tests.bootstrap.world import BOB, World, given
from tests.database import ON_POSTGRESQL, url_of


class SqlitePool:
    """What asyncpg's pool promises, over a SQLite file: ``$1`` and ``$2`` are its parameters."""

    def __init__(self, reads: SqliteReads) -> None:
        self._connection = reads._open()

    async def fetch(self, query: str, *values: str) -> list[Any]:
        named = {f"value{number}": value for number, value in enumerate(values, 1)}
        return self._connection.execute(query.replace("$", ":value"), named).fetchall()

    async def acquire(self) -> SqlitePool:
        return self

    async def release(self, connection: SqlitePool, timeout: float) -> None:  # noqa: ASYNC109
        assert connection is self
        assert timeout

    async def close(self) -> None:
        self._connection.close()


async def all_readers(world: World) -> list[DeviceReads]:
    if ON_POSTGRESQL:
        return [AsyncpgReads(world.engine.url), EngineReads(world.engine)]
    asyncpg = AsyncpgReads(make_url("postgresql+asyncpg://nobody@localhost/none"))
    asyncpg._pool = SqlitePool(SqliteReads(world.path))
    return [SqliteReads(world.path), EngineReads(world.engine), asyncpg]


def whole(row: DeviceRow) -> DeviceRow:
    """Read the columns that a driver may give as text."""
    columns = ("render_context", "defaults", "binding_slots", "snapshot")
    return row._replace(**{name: json_column(getattr(row, name)) for name in columns})


async def test_all_ways_of_reading_give_the_same(world: World) -> None:
    client = world.platform.add_client(world.domain)
    profile = await world.make("bootstrap/profiles", name="p", defaults={"a": 1})
    config = await world.make(
        "configs", external_id="gw", external_key="k", profile_id=profile["id"]
    )
    bound = [{"slot": slot, "type": "client", "resource_id": client} for slot in "ab"]
    path = f"/{{d}}/clients/bootstrap/enrollments/{config['id']}/bindings"
    await world.call("PUT", path, json={"bindings": bound})
    new = {"external_id": "gw", "external_key": "k2", "content": "own"}
    await world.call("POST", f"/{world.other_domain}/clients/configs", BOB, json=new)
    readers = await all_readers(world)
    for domain_id, rows in (("", 3), (world.domain, 2), ("nowhere", 0)):
        found = [
            sorted(map(whole, await reader.rows("gw", domain_id)), key=str) for reader in readers
        ]
        assert all(rows_read == found[0] for rows_read in found)
        assert len(found[0]) == rows
    for row in await readers[0].rows("gw", ""):
        here = row.profile_revision or ""
        for revision, profile_revision in ((row.revision, here), ("another", None)):
            for reader in readers:
                seen = await reader.profile_revision("gw", revision)
                assert seen == profile_revision
                assert await reader.profile_revision("other", revision) is None
    for reader in readers:
        await reader.close()


async def test_the_store_decides_how_it_is_read(world: World) -> None:
    here = AsyncpgReads if ON_POSTGRESQL else SqliteReads
    assert isinstance(open_reads(world.engine), here)
    memory = create_async_engine("sqlite+aiosqlite://")
    assert isinstance(open_reads(memory), EngineReads)
    await memory.dispose()
    postgresql = create_async_engine("postgresql+asyncpg://user:pass@host/name")
    assert isinstance(open_reads(postgresql), AsyncpgReads)
    await postgresql.dispose()


@pytest.mark.sqlite("the read-only connection to the file is SQLite's")
async def test_reading_cannot_write(world: World) -> None:
    reads = SqliteReads(world.path)
    with pytest.raises(Exception, match="readonly"):
        reads._open().execute("DELETE FROM configs")
    await reads.close()


class TestFetchLog:
    """Fetches are written behind the answers, the last one of each config."""

    async def count(self, world: World) -> int:
        async with world.engine.connect() as connection:
            return await connection.scalar(select(func.count()).select_from(fetches)) or 0

    async def test_it_writes_by_itself(self, world: World) -> None:
        made = await world.make("configs", external_id="gw", external_key="k")
        log = FetchLog(world.engine, seconds=0.01)
        log.start()
        log.note(made["id"], "delivered", "d" * 64)
        async with asyncio.timeout(5):
            while log.pending(made["id"]):  # noqa: ASYNC110 - the log tells nobody
                await asyncio.sleep(0.01)
        await log.stop()
        async with world.engine.connect() as connection:
            found = await fetch_rows.find(connection, made["id"])
        assert found is not None
        assert (found.outcome, found.digest) == ("delivered", "d" * 64)

    async def test_an_older_fetch_never_overwrites_a_newer_one(self, world: World) -> None:
        made = await world.make("configs", external_id="gw", external_key="k")
        for at, outcome in ((2000.0, "newer"), (1000.0, "older")):
            log = FetchLog(world.engine, clock=lambda at=at: at)
            log.note(made["id"], outcome)
            await log.flush()
        async with world.engine.connect() as connection:
            found = await fetch_rows.find(connection, made["id"])
        assert found is not None
        assert found.outcome == "newer"

    async def test_a_repeated_fetch_moves_the_time_and_keeps_the_rest(self, world: World) -> None:
        told = (
            (1000.0, "delivered", "d" * 64, "first"),
            (2000.0, "unchanged", "d" * 64, "never written again"),
            (1500.0, "delivered", "d" * 64, "first"),
        )
        found = await self.noted(world, *told)
        assert found == Fetch(found.config_id, _at(2000), "unchanged", "d" * 64, "first")

    async def test_what_was_delivered_last_stays_through_refusals(self, world: World) -> None:
        refused = (2000.0, "config_disabled", "", None)
        found = await self.noted(world, (1000.0, "delivered", "a" * 64, "first"), refused)
        assert (found.outcome, found.digest, found.content) == ("config_disabled", "", "first")

    async def test_what_was_delivered_last_gives_way_to_the_next(self, world: World) -> None:
        first, second = (
            (1000.0, "delivered", "a" * 64, "one"),
            (2000.0, "delivered", "b" * 64, "two"),
        )
        found = await self.noted(world, first, second)
        assert (found.at, found.digest, found.content) == (_at(2000), "b" * 64, "two")

    async def test_a_refusal_right_after_a_delivery_hides_nothing(self, world: World) -> None:
        made = await world.make("configs", external_id="gw", external_key="k")
        log = FetchLog(world.engine)
        for content in ("one", "two"):
            log.note(made["id"], "delivered", "d" * 64, given(content))
            log.note(made["id"], "config_disabled")
            pending = log.pending(made["id"])
            assert pending is not None
            assert pending.outcome == "config_disabled"
            assert await log.content(made["id"]) == content
            await log.flush()
            async with world.engine.connect() as connection:
                found = await fetch_rows.find(connection, made["id"])
            assert found is not None
            assert (found.outcome, found.digest, found.content) == ("config_disabled", "", content)

    async def noted(self, world: World, *told: tuple[float, str, str, str | None]) -> Fetch:
        made = await world.make("configs", external_id="gw", external_key="k")
        for at, outcome, digest, content in told:
            log = FetchLog(world.engine, clock=lambda at=at: at)
            log.note(made["id"], outcome, digest, given(content) if content else None)
            await log.flush()
        async with world.engine.connect() as connection:
            found = await fetch_rows.find(connection, made["id"])
        assert found is not None
        return found

    async def test_configs_that_are_gone_are_passed_over(self, world: World) -> None:
        log = FetchLog(world.engine)
        log.note("gone", "delivered")
        await log.flush()
        assert await self.count(world) == 0
        assert log.pending("gone") is None

    async def test_nothing_is_lost_while_the_store_fails(self, tmp_path: Path) -> None:
        engine = create_async_engine(url_of(tmp_path / "empty.db"))
        log = FetchLog(engine, seconds=0.01)
        log.start()
        log.note("config", "delivered")
        await asyncio.sleep(0.05)
        assert log.pending("config") is not None
        with pytest.raises(DBAPIError):
            await log.stop()
        await engine.dispose()


def test_what_is_kept_of_rendered_content_is_bounded() -> None:
    kept = RenderedContent(limit=50_000)
    for number in range(100):
        rendered = Rendered(f"config-{number}", "r", "", b"x" * 4000, "d" * 64, given(""))
        kept.keep(Place(f"gw-{number}"), rendered)
        kept.keep(Place(f"gw-{number}"), rendered)
    assert len(kept) == 10
    assert kept.get(Place("gw-99")) is not None
    assert kept.get(Place("gw-0")) is None


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
