"""The store: migrations give exactly the tables that the code speaks to."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from provision.database import migrate, open_engine
from provision.errors import StartError
from provision.schema import metadata


def url(directory: Path) -> str:
    return f"sqlite+aiosqlite:///{directory / 'provision.db'}"


async def test_the_migrations_make_the_tables_of_the_code(tmp_path: Path) -> None:
    engine = open_engine(url(tmp_path))
    await migrate(engine)
    await migrate(engine)

    def differences(connection: Connection) -> list[Any]:
        return list(compare_metadata(MigrationContext.configure(connection), metadata))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_a_database_of_a_newer_version_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    engine = open_engine(url(tmp_path))
    await migrate(engine)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StartError, match=r"schema 9999.*newer version"):
        await migrate(engine)
    async with engine.connect() as connection:
        found = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    assert found == "9999"
    await engine.dispose()


async def test_writers_at_once_wait_for_their_turn(tmp_path: Path) -> None:
    engines = [open_engine(url(tmp_path)) for _ in range(2)]
    async with engines[0].begin() as connection:
        await connection.execute(text("CREATE TABLE counted (n INTEGER)"))
        await connection.execute(text("INSERT INTO counted VALUES (0)"))

    async def count(number: int) -> None:
        async with engines[number % 2].begin() as connection:
            value = await connection.scalar(text("SELECT n FROM counted"))
            await asyncio.sleep(0)
            await connection.execute(text("UPDATE counted SET n = :n"), {"n": value + 1})

    await asyncio.gather(*(count(number) for number in range(60)))
    async with engines[0].connect() as connection:
        assert await connection.scalar(text("SELECT n FROM counted")) == 60
    for engine in engines:
        await engine.dispose()


async def test_a_failed_write_leaves_nothing_and_shows_no_value(tmp_path: Path) -> None:
    engine = open_engine(url(tmp_path))
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE named (name TEXT UNIQUE)"))

    async def insert_twice() -> None:
        async with engine.begin() as connection:
            for _ in range(2):
                await connection.execute(
                    text("INSERT INTO named VALUES (:name)"), {"name": "a-secret"}
                )

    with pytest.raises(IntegrityError) as caught:
        await insert_twice()
    assert "a-secret" not in str(caught.value)
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT count(*) FROM named")) == 0
    await engine.dispose()


async def test_a_commit_survives_a_power_cut(tmp_path: Path) -> None:
    engine = open_engine(url(tmp_path))
    async with engine.connect() as connection:
        assert await connection.scalar(text("PRAGMA synchronous")) == 2
        assert await connection.scalar(text("PRAGMA journal_mode")) == "wal"
    await engine.dispose()
    raw = sqlite3.connect(tmp_path / "provision.db")
    assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()
