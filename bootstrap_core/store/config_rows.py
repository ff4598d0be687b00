"""Configs in their table: reading, writing and listing, on a connection that the caller gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import frozen
from sqlalchemy import (
    ColumnElement,
    RowMapping,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from bootstrap_core.model import Config, Page, Status
from bootstrap_core.store import pair_rows
from bootstrap_core.store.tables import (
    BRIEF,
    INSERTS,
    bindings,
    configs,
    delivered_contents,
    fetches,
)

# What every enrollment runs is built once: building a statement costs more than running it.
_IN_DOMAIN: Final = configs.c.domain_id == bindparam("domain")
_BY_ID: Final = (
    select(configs)
    .where(configs.c.id == bindparam("wanted"), _IN_DOMAIN)
    .execution_options(**BRIEF)
)
_BY_ID_FOR_UPDATE: Final = _BY_ID.with_for_update()
_BY_EXTERNAL_ID: Final = (
    select(configs)
    .where(configs.c.external_id == bindparam("wanted"), _IN_DOMAIN)
    .execution_options(**BRIEF)
)
_OTHER_OF_NAME: Final = select(configs.c.id).where(
    _IN_DOMAIN, configs.c.name == bindparam("wanted"), configs.c.id != bindparam("own")
)
_ADD: Final = insert(configs)
_ADD_IF_FREE: Final = {
    name: insert_into(configs).on_conflict_do_nothing() for name, insert_into in INSERTS.items()
}


@frozen
class ConfigQuery:
    """Which configs to list; empty fields do not filter, ``status`` None means all.

    ``name`` matches a part in any case; ``%`` and ``_`` in it match any text and any character.
    ``external_id``, ``id`` and ``profile_id`` match exactly.
    """

    domain_id: str
    offset: int = 0
    limit: int = 10
    status: Status | None = Status.ENABLED
    name: str = ""
    external_id: str = ""
    id: str = ""
    profile_id: str = ""
    connected: bool | None = None


async def find(connection: AsyncConnection, domain_id: str, config_id: str) -> Config | None:
    """Return the config with this ID in this domain."""
    return await _one(connection, _BY_ID, domain_id, config_id)


async def find_for_update(
    connection: AsyncConnection, domain_id: str, config_id: str
) -> Config | None:
    """Return the config and keep others from changing it until the transaction ends."""
    return await _one(connection, _BY_ID_FOR_UPDATE, domain_id, config_id)


async def find_by_external_id(
    connection: AsyncConnection, domain_id: str, external_id: str
) -> Config | None:
    """Return the config of a device in this domain."""
    return await _one(connection, _BY_EXTERNAL_ID, domain_id, external_id)


async def name_is_taken(
    connection: AsyncConnection, domain_id: str, name: str, by_other_than: str
) -> bool:
    """Tell whether a config other than the one with the given ID has this name."""
    named = {"domain": domain_id, "wanted": name, "own": by_other_than}
    return (await connection.execute(_OTHER_OF_NAME, named)).first() is not None


async def add(connection: AsyncConnection, config: Config) -> None:
    """Insert a config."""
    await connection.execute(_ADD, to_row(config))


async def add_if_free(connection: AsyncConnection, config: Config) -> bool:
    """Insert a config unless its ID, external ID or name is taken; tell whether it was."""
    statement = _ADD_IF_FREE[connection.dialect.name]
    return (await connection.execute(statement, to_row(config))).rowcount > 0


async def replace(connection: AsyncConnection, config: Config) -> None:
    """Write all columns of a config that exists."""
    row = to_row(config)
    await connection.execute(update(configs).where(configs.c.id == config.id).values(row))


async def touch(connection: AsyncConnection, config_id: str, revision: str) -> bool:
    """Give a config a new revision; tell whether it is there."""
    statement = update(configs).where(configs.c.id == config_id).values(revision=revision)
    return (await connection.execute(statement)).rowcount > 0


async def remove(
    connection: AsyncConnection, domain_id: str, config_id: str, *, replaced: bool = False
) -> bool:
    """Delete a config with its bindings and its last fetch; tell whether there was one.

    Where it is ``replaced`` by another one, its device stays the domain's.
    """
    gone = await connection.execute(
        select(configs.c.id).where(configs.c.id == config_id, configs.c.domain_id == domain_id)
    )
    if gone.first() is None:
        return False
    await pair_rows.release(connection, config_id, replaced=replaced)
    await connection.execute(delete(bindings).where(bindings.c.config_id == config_id))
    for table in (delivered_contents, fetches):
        await connection.execute(delete(table).where(table.c.config_id == config_id))
    await connection.execute(delete(configs).where(configs.c.id == config_id))
    return True


async def made_with(
    connection: AsyncConnection, domain_id: str, profile_id: str
) -> Sequence[tuple[str, str]]:
    """Return ID and external ID of the configs that have this profile."""
    query = (
        select(configs.c.id, configs.c.external_id)
        .where(configs.c.domain_id == domain_id, configs.c.profile_id == profile_id)
        .order_by(configs.c.created_at, configs.c.id)
    )
    return [(row.id, row.external_id) for row in await connection.execute(query)]


async def page(connection: AsyncConnection, query: ConfigQuery) -> Page[Config]:
    """List configs, newest first."""
    where = and_(*_conditions(query))
    total = await connection.scalar(select(func.count()).select_from(configs).where(where)) or 0
    if query.offset >= total or query.limit == 0:
        return Page((), total, query.offset, query.limit)
    # The inner query needs the index alone; only the page's own rows are read whole.
    wanted = (
        select(configs.c.id)
        .where(where)
        .order_by(configs.c.created_at.desc(), configs.c.id.desc())
        .limit(query.limit)
        .offset(query.offset)
    )
    rows = await connection.execute(
        select(configs)
        .where(configs.c.id.in_(wanted.scalar_subquery()))
        .order_by(configs.c.created_at.desc(), configs.c.id.desc())
    )
    items = [from_row(row) for row in rows.mappings()]
    return Page(items, total, query.offset, query.limit)


def from_row(row: RowMapping) -> Config:
    """Read a config from its row."""
    values = {key: value for key, value in row.items() if key != "name_folded"}
    values["name"] = values["name"] or ""
    values["profile_id"] = values["profile_id"] or ""
    values["sealed_context"] = values["sealed_context"] or ""
    values["status"] = Status(values["status"])
    return Config(**values)


def to_row(config: Config) -> Mapping[str, Any]:
    """Write a config as its row."""
    return {
        "id": config.id,
        "domain_id": config.domain_id,
        "external_id": config.external_id,
        "external_key_hash": config.external_key_hash,
        "name": config.name or None,
        "name_folded": config.name.casefold(),
        "status": config.status.value,
        "profile_id": config.profile_id or None,
        "content": config.content,
        "render_context": dict(config.render_context),
        "sealed_context": config.sealed_context or None,
        "client_cert": config.client_cert,
        "sealed_client_key": config.sealed_client_key,
        "ca_cert": config.ca_cert,
        "connected": config.connected,
        "revision": config.revision,
        "created_at": config.created_at,
        "updated_at": config.updated_at,
    }


def name_matches(column: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """Compare a column of folded names with a part of a name, as ``ConfigQuery`` says."""
    # A backslash escapes on PostgreSQL but not on SQLite, unless both are told so.
    pattern = part.casefold().replace("\\", "\\\\")
    return column.like(f"%{pattern}%", escape="\\")


async def _one(
    connection: AsyncConnection, query: Select[Any], domain_id: str, wanted: str
) -> Config | None:
    named = {"domain": domain_id, "wanted": wanted}
    row = (await connection.execute(query, named)).mappings().one_or_none()
    return from_row(row) if row is not None else None


def _conditions(query: ConfigQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [configs.c.domain_id == query.domain_id]
    if query.status is not None:
        conditions.append(configs.c.status == query.status.value)
    if query.name:
        conditions.append(name_matches(configs.c.name_folded, query.name))
    if query.external_id:
        conditions.append(configs.c.external_id == query.external_id)
    if query.id:
        conditions.append(configs.c.id == query.id)
    if query.profile_id:
        conditions.append(configs.c.profile_id == query.profile_id)
    if query.connected is not None:
        conditions.append(configs.c.connected == query.connected)
    return conditions
