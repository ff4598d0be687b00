"""The last fetch of each config as rows, and the content that was delivered last beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Insert, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bootstrap_core.columns import INSERTS
from bootstrap_core.model import Fetch
from bootstrap_core.tables import configs, delivered_contents, fetches

REPEAT: Final = (
    update(fetches)
    .where(
        fetches.c.config_id == bindparam("of"),
        fetches.c.digest == bindparam("same"),
        fetches.c.at <= bindparam("at"),
    )
    .values(at=bindparam("at"), outcome=bindparam("outcome"))
)


async def find(connection: AsyncConnection, config_id: str) -> Fetch | None:
    """Return the last fetch that was written, with the content that was delivered last."""
    query = (
        select(fetches, delivered_contents.c.content)
        .outerjoin(delivered_contents, delivered_contents.c.config_id == fetches.c.config_id)
        .where(fetches.c.config_id == config_id)
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return Fetch(**row) if row is not None else None


async def put(connection: AsyncConnection, last: Mapping[str, Fetch]) -> None:
    """Store last fetches by config ID; configs that are gone are passed over.

    A fetch that is older than the stored one changes nothing, and one that delivered nothing
    leaves the content that was delivered before it. The content is written only where the digest
    is another: a fleet that polls would write the same one over and over. A refusal, which has no
    digest, may come with the content of a delivery right before it.
    """
    repeated, others, contents = [], [], []
    # In one order in every process, so that no two wait for each other's rows.
    query = (
        select(configs.c.id, fetches.c.digest, fetches.c.at)
        .outerjoin(fetches, fetches.c.config_id == configs.c.id)
        .where(configs.c.id.in_(last))
        .order_by(configs.c.id)
    )
    for config_id, digest, at in await connection.execute(query):
        fetch = last[config_id]
        if at and at > fetch.at:
            continue
        seen = {"at": fetch.at, "outcome": fetch.outcome}
        if fetch.content is not None and (digest != fetch.digest or not digest):
            contents.append({"config_id": config_id, "content": fetch.content})
        if digest == fetch.digest:
            repeated.append({"of": config_id, "same": digest} | seen)
        else:
            others.append({"config_id": config_id, "digest": fetch.digest} | seen)
    if repeated:
        await connection.execute(REPEAT, repeated)
    if others:
        await connection.execute(_put_fetches(connection), others)
    if contents:
        await connection.execute(_put_contents(connection), contents)


def _put_fetches(connection: AsyncConnection) -> Insert:
    statement = INSERTS[connection.dialect.name](fetches)
    # Another process may have written in between.
    upsert: Insert = statement.on_conflict_do_update(
        index_elements=[fetches.c.config_id],
        set_={name: statement.excluded[name] for name in ("at", "outcome", "digest")},
        where=statement.excluded.at >= fetches.c.at,
    )
    return upsert


def _put_contents(connection: AsyncConnection) -> Insert:
    statement = INSERTS[connection.dialect.name](delivered_contents)
    upsert: Insert = statement.on_conflict_do_update(
        index_elements=[delivered_contents.c.config_id],
        set_={"content": statement.excluded.content},
    )
    return upsert
