"""The tables can be made on both databases, and lists do not sort them."""

from __future__ import annotations

import pytest
from sqlalchemy import Table, create_mock_engine, select, text
from sqlalchemy.dialects import sqlite

from provision.embedded.queries import ORDERS, search
from provision.embedded.records import ListQuery
from provision.embedded.tables import channels, clients, metadata
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


@pytest.mark.parametrize("table", [clients, channels], ids=lambda table: table.name)
@pytest.mark.parametrize("status", [StatusFilter.ENABLED, StatusFilter.ALL])
async def test_a_page_is_read_in_the_order_of_an_index(
    installed: Installation, table: Table, status: StatusFilter
) -> None:
    query = ListQuery(status=status)
    conditions = [table.c.domain_id == "d", *search(query, table, "sqlite")]
    statement = (
        select(table)
        .where(*conditions)
        .order_by(*(table.c[name].desc() for name in ORDERS[query.order]))
        .limit(10)
    )
    explained = str(
        statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    )
    async with installed.engine.connect() as connection:
        plan = (await connection.execute(text(f"EXPLAIN QUERY PLAN {explained}"))).all()

    assert all("TEMP B-TREE" not in row.detail for row in plan)
    assert any("USING INDEX" in row.detail for row in plan)
