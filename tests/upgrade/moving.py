"""A SQLite file of an earlier version, moved to PostgreSQL as that version would have left it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import (
    Boolean,
    Connection,
    DateTime,
    Integer,
    MetaData,
    Table,
    create_engine,
    func,
    insert,
    select,
)

from provision import migrations
from provision.store.database import open_engine
from tests.database import elsewhere, url_of

REVISION = "alembic_version"


def to_postgresql(file: Path) -> None:
    """Make the database that stands for ``file``, with its schema and its rows; remove the file."""
    with closing(sqlite3.connect(file)) as database:
        ((revision,),) = database.execute("SELECT version_num FROM alembic_version")
    elsewhere(_move(file, revision))
    file.unlink()


async def _move(file: Path, revision: str) -> None:
    engine = open_engine(url_of(file))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_make_schema, revision)
            await connection.run_sync(_copy_rows, file)
    finally:
        await engine.dispose()


def _make_schema(connection: Connection, revision: str) -> None:
    """Run the migrations up to the version of then."""
    config = Config()
    config.set_main_option("script_location", str(Path(str(migrations.__file__)).parent))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def _copy_rows(connection: Connection, file: Path) -> None:
    source = create_engine(f"sqlite:///{file}")
    there, here = MetaData(), MetaData()
    here.reflect(connection)
    with source.connect() as reading:
        there.reflect(reading)
        assert there.tables.keys() == here.tables.keys()
        for table in here.sorted_tables:
            if table.name == REVISION:
                continue
            columns = there.tables[table.name].c
            assert columns.keys() == table.c.keys()
            rows = [
                {name: _value(table, name, value) for name, value in row.items()}
                for row in reading.execute(select(columns)).mappings()
            ]
            if rows:
                connection.execute(insert(table), rows)
            if "id" in table.c and isinstance(table.c.id.type, Integer):
                # The next row that is made here gets the number after the last of these.
                sequence = func.pg_get_serial_sequence(table.name, "id")
                last = select(func.max(table.c.id)).scalar_subquery()
                connection.execute(select(func.setval(sequence, func.coalesce(last, 1))))
    source.dispose()


def _value(table: Table, name: str, value: Any) -> Any:
    """Return a value as PostgreSQL's type of the column takes it."""
    kind = table.c[name].type
    if isinstance(kind, DateTime) and isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    if isinstance(kind, Boolean) and value is not None:
        return bool(value)
    return value
