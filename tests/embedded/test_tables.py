"""The tables can be made on both databases, and lists do not sort them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Select, Table, create_mock_engine, select, text
from sqlalchemy.dialects import postgresql, sqlite

from provision.embedded.queries import connected, ordering, search
from provision.embedded.records import ListQuery
from provision.embedded.tables import channels, clients, connections, metadata
from provision.platform.types import StatusFilter
from tests.embedded.service import Installation


def test_postgresql_takes_the_tables() -> None:
    statements: list[str] = []
    engine = create_mock_engine(
        "postgresql+asyncpg://",
        lambda sql, *_, **__: statements.append(str(sql.compile(dialect=engine.dialect))),
    )

    metadata.create_all(engine, checkfirst=False)

    made = [one.split()[2] for one in statements if one.strip().startswith("CREATE TABLE")]
    assert sorted(made) == sorted(metadata.tables)
    assert all("JSONB" in one for one in statements if "CREATE TABLE platform_clients" in one)


def test_what_was_never_changed_has_one_place_on_every_database() -> None:
    for descending, place in ((True, "DESC NULLS LAST"), (False, "ASC NULLS FIRST")):
        order = ordering(clients, ListQuery(order="updated_at", descending=descending))
        for dialect in (postgresql.dialect(), sqlite.dialect()):
            text = str(select(clients.c.id).order_by(*order).compile(dialect=dialect))
            assert f"updated_at {place}" in text


async def _plan(installed: Installation, statement: Select[Any]) -> list[str]:
    explained = str(
        statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    )
    async with installed.engine.connect() as connection:
        rows = await connection.execute(text(f"EXPLAIN QUERY PLAN {explained}"))
        return [row.detail for row in rows]


@pytest.mark.sqlite("reads SQLite's query plan")
async def test_what_is_connected_is_found_from_the_connections(installed: Installation) -> None:
    for table, other in (
        (clients, connections.c.channel_id),
        (channels, connections.c.client_id),
    ):
        query = ListQuery(connected_to="x")
        conditions = [connected(table, "d", other, "x"), *search(query, table, "sqlite")]

        plan = await _plan(installed, select(table).where(*conditions))

        assert any(f"autoindex_{table.name}_1 (id=?)" in step for step in plan), plan
        assert any("platform_connections" in step and "INDEX" in step for step in plan), plan


@pytest.mark.sqlite("reads SQLite's query plan")
@pytest.mark.parametrize("table", [clients, channels], ids=lambda table: table.name)
@pytest.mark.parametrize("status", [StatusFilter.ENABLED, StatusFilter.ALL])
async def test_a_page_is_read_in_the_order_of_an_index(
    installed: Installation, table: Table, status: StatusFilter
) -> None:
    query = ListQuery(status=status)
    conditions = [table.c.domain_id == "d", *search(query, table, "sqlite")]
    statement = select(table).where(*conditions).order_by(*ordering(table, query)).limit(10)
    plan = await _plan(installed, statement)

    assert all("TEMP B-TREE" not in step for step in plan)
    assert any("USING INDEX" in step for step in plan)
