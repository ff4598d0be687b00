"""Statements that clients, channels and domains have in common: find, list, change."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Row,
    Table,
    UnaryExpression,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core.model import Status
from bootstrap_core.store.tables import BRIEF
from provision.embedded.access import Membership
from provision.embedded.errors import EntityDisabled, Hidden, StatusAssigned
from provision.embedded.records import ListQuery, Stamps
from provision.embedded.tables import connections
from provision.platform.types import StatusFilter

_KINDS = {str: ("text",), int: ("integer", "real"), float: ("integer", "real")}


def contains(
    column: ColumnElement[Any], wanted: dict[str, Any] | list[Any], dialect: str
) -> ColumnElement[bool]:
    """Return the condition that ``column``, of objects or of arrays, contains ``wanted``.

    ``dialect`` is the database's name, as SQLAlchemy's dialects have it.
    """
    if dialect == "sqlite":
        return and_(true(), *_parts(column, wanted, itertools.count()))
    condition: ColumnElement[bool] = type_coerce(column, JSONB).contains(literal(wanted, JSONB))
    return condition


def _parts(
    document: ColumnElement[Any], wanted: dict[str, Any] | list[Any], names: Iterator[int]
) -> Iterator[ColumnElement[bool]]:
    for key, value in wanted.items() if isinstance(wanted, dict) else ((None, v) for v in wanted):
        element = func.json_each(document).table_valued(
            "key", "value", "type", "atom", name=f"element_{next(names)}"
        )
        conditions = list(_equal(element.c, value, names))
        if key is not None:
            conditions.append(element.c.key == key)
        yield exists().select_from(element).where(*conditions)


def _equal(element: Any, value: Any, names: Iterator[int]) -> Iterator[ColumnElement[bool]]:  # noqa: ANN401 - columns of json_each, any JSON value
    if isinstance(value, dict | list):
        yield element.type == ("object" if isinstance(value, dict) else "array")
        yield from _parts(element.value, value, names)
    elif value is None or isinstance(value, bool):
        yield element.type == {None: "null", True: "true", False: "false"}[value]
    else:
        yield element.type.in_(_KINDS[type(value)])
        yield element.atom == value


AnyRow = Row[Any]
ORDERS: Mapping[str, Sequence[str]] = {
    "name": ("name_folded", "id"),
    "created_at": ("created_at", "id"),
    "updated_at": ("updated_at", "created_at", "id"),
}


def stamps_of(row: AnyRow) -> Stamps:
    """Read who made and changed a row."""
    return Stamps(row.created_by, row.created_at, row.updated_by or "", row.updated_at)


def search(query: ListQuery, table: Table, dialect: str) -> list[ColumnElement[bool]]:
    """Return the conditions of ``query`` that hold for any entity, for a database's dialect."""
    conditions: list[ColumnElement[bool]] = []
    if query.status is not StatusFilter.ALL:
        conditions.append(table.c.status == query.status.value)
    if query.id:
        conditions.append(table.c.id == query.id)
    if query.name:
        conditions.append(table.c.name_folded.contains(query.name.casefold(), autoescape=True))
    if query.created_by:
        conditions.append(table.c.created_by == query.created_by)
    if query.any_tags:
        conditions.append(or_(*(contains(table.c.tags, [tag], dialect) for tag in query.any_tags)))
    if query.metadata:
        conditions.append(contains(table.c.metadata, dict(query.metadata), dialect))
    return conditions


def ordering(table: Table, query: ListQuery) -> list[UnaryExpression[Any]]:
    """Return the order of a list; what was never changed counts as changed before all else."""
    ordered: list[UnaryExpression[Any]] = []
    for column in (table.c[name] for name in ORDERS[query.order]):
        one = column.desc() if query.descending else column.asc()
        # Where there may be nothing, each database has its own idea of where that belongs.
        if column.nullable:
            one = one.nulls_last() if query.descending else one.nulls_first()
        ordered.append(one)
    return ordered


async def page_of(
    connection: AsyncConnection,
    table: Table,
    conditions: Sequence[ColumnElement[bool]],
    query: ListQuery,
) -> tuple[Sequence[AnyRow], int]:
    """Return the rows of one page, and how many rows there are in all."""
    where = and_(true(), *conditions)
    total = await connection.scalar(select(func.count()).select_from(table).where(where)) or 0
    if query.only_total or query.offset >= total:
        return [], total
    statement = select(table).where(where).order_by(*ordering(table, query))
    page = statement.offset(query.offset).limit(query.limit)
    return (await connection.execute(page)).all(), total


async def fetch(connection: AsyncConnection, table: Table, domain_id: str, key: str) -> AnyRow:
    """Return a domain's entity (``Hidden`` when it has none of this ID)."""
    query = select(table).where(_one(table, domain_id, key)).execution_options(**BRIEF)
    row = (await connection.execute(query)).first()
    if row is None:
        raise Hidden
    return row


async def change(
    connection: AsyncConnection, table: Table, domain_id: str, key: str, values: dict[str, Any]
) -> AnyRow:
    """Change an enabled entity; raises ``Hidden`` or ``EntityDisabled``."""
    row = await _returning(
        connection, table, and_(_one(table, domain_id, key), _is(table, Status.ENABLED)), values
    )
    if row is None:
        await fetch(connection, table, domain_id, key)
        raise EntityDisabled
    return row


async def change_status(
    connection: AsyncConnection,
    table: Table,
    domain_id: str,
    key: str,
    status: Status,
    stamp: dict[str, Any],
) -> AnyRow:
    """Enable or disable an entity; raises ``Hidden`` or ``StatusAssigned``."""
    row = await _returning(
        connection,
        table,
        and_(_one(table, domain_id, key), table.c.status != status.value),
        {**stamp, "status": status.value},
    )
    if row is None:
        await fetch(connection, table, domain_id, key)
        raise StatusAssigned(f"it is {status.value} already")
    return row


def violates(error: IntegrityError, column: Column[Any], constraint: str) -> bool:
    """Tell whether it is the unique ``constraint`` on ``column`` that an insert or update broke.

    PostgreSQL names the constraint, SQLite the column.
    """
    text = str(error.orig)
    return constraint in text or f"{column.table.name}.{column.name}" in text


def stamp(user_id: str, now: datetime) -> dict[str, Any]:
    """Return the columns that say who changes a row, and when."""
    return {"updated_by": user_id, "updated_at": now}


def _one(table: Table, domain_id: str, key: str) -> ColumnElement[bool]:
    return and_(table.c.id == key, table.c.domain_id == domain_id)


def _is(table: Table, status: Status) -> ColumnElement[bool]:
    return table.c.status == status.value


async def _returning(
    connection: AsyncConnection, table: Table, where: ColumnElement[bool], values: dict[str, Any]
) -> AnyRow | None:
    statement = update(table).where(where).values(**values).returning(*table.c)
    return (await connection.execute(statement)).first()


async def made_all(
    engine: AsyncEngine, table: Table, membership: Membership, keys: Collection[str]
) -> bool:
    """Tell whether a member made all of these: makers may do everything with what they made."""
    if not membership.is_member or not keys:
        return False
    mine = (
        select(func.count())
        .select_from(table)
        .where(
            table.c.id.in_(set(keys)),
            table.c.domain_id == membership.domain_id,
            table.c.created_by == membership.caller.id,
        )
    )
    async with engine.connect() as connection:
        return await connection.scalar(mine) == len(set(keys))


def within(table: Table, domain_id: str) -> ColumnElement[bool]:
    """Return the condition that an entity is one of a domain."""
    return table.c.domain_id == domain_id


def connected(
    table: Table, domain_id: str, other: Column[Any], other_id: str
) -> ColumnElement[bool]:
    """Return the condition that a domain's entity is connected to the other one.

    ``other`` is the column of the connections that has ``other_id``. The connections alone say
    which domain it is, so that the planner starts from them and not from all of the domain.
    """
    mine = (
        connections.c.client_id if other is connections.c.channel_id else connections.c.channel_id
    )
    return table.c.id.in_(
        select(mine).where(other == other_id, connections.c.domain_id == domain_id)
    )
