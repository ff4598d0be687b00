"""The store: migrations give exactly the tables that the code speaks to."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from provision.errors import StartError
from provision.maintenance.schema import tables_of
from provision.store.database import migrate, open_engine
from tests.database import FILE, url_of

MIGRATIONS = Path(__file__).parents[2] / "provision" / "migrations"


def url(directory: Path) -> str:
    return url_of(directory / FILE)


async def test_the_migrations_make_the_tables_of_the_code(tmp_path: Path) -> None:
    engine = open_engine(url(tmp_path))
    await migrate(engine)
    await migrate(engine)

    def differences(connection: Connection) -> list[Any]:
        wanted = tables_of(connection.dialect.name)
        return list(compare_metadata(MigrationContext.configure(connection), wanted))

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


def test_each_migration_is_found_by_the_name_of_its_file() -> None:
    files = sorted((MIGRATIONS / "versions").glob("[0-9]*.py"))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    revisions = sorted(
        each.revision for each in ScriptDirectory.from_config(config).walk_revisions()
    )

    assert [file.name.split("_")[0] for file in files] == revisions


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


@pytest.mark.sqlite("a new file is a matter of SQLite")
async def test_a_new_file_is_opened_by_many_at_once(tmp_path: Path) -> None:
    async def opened(file: Path) -> None:
        engine = open_engine(url_of(file))
        try:
            async with engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        finally:
            await engine.dispose()

    for number in range(60):
        file = tmp_path / f"{number}.db"
        await asyncio.gather(*(opened(file) for _ in range(8)))


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


@pytest.mark.sqlite("each connection to a file has a thread")
@pytest.mark.parametrize("statement", ["", "SELECT 1"])
async def test_no_thread_of_a_cancelled_caller_outlives_the_store(
    tmp_path: Path, statement: str
) -> None:
    threads = threading.active_count()
    for rounds in range(0, 40, 4):
        engine = open_engine(url_of(tmp_path / FILE))

        async def use(engine: AsyncEngine = engine) -> None:
            async with engine.connect() as connection:
                while statement:
                    await connection.execute(text(statement))

        callers = [asyncio.create_task(use()) for _ in range(4)]
        for _ in range(rounds):
            await asyncio.sleep(0)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)
        await engine.dispose()
        assert threading.active_count() == threads


@pytest.mark.sqlite("asks for SQLite's own settings")
async def test_a_commit_survives_a_power_cut(tmp_path: Path) -> None:
    engine = open_engine(url(tmp_path))
    async with engine.connect() as connection:
        assert await connection.scalar(text("PRAGMA synchronous")) == 2
        assert await connection.scalar(text("PRAGMA journal_mode")) == "wal"
    await engine.dispose()
    raw = sqlite3.connect(tmp_path / "provision.db")
    assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    raw.close()
