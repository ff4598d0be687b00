"""The last fetch of each config as rows, and the content that was delivered last beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from sqlalchemy import Insert, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from bootstrap_core.model import Fetch
from bootstrap_core.store.tables import INSERTS, configs, delivered_contents, fetches

REPEAT: Final = (
    update(fetches)
    .where(
        fetches.c.config_id == bindparam("of"),
        fetches.c.digest == bindparam("same"),
        fetches.c.at <= bindparam("at"),
    )
    .values(at=bindparam("at"), outcome=bindparam("outcome"))
)


class Written(NamedTuple):
    """What became of fetches: ``stored`` ones, and those that are ``wanted`` with their content.

    The others are of configs that are gone, or older than what is stored.
    """

    stored: set[str]
    wanted: set[str]


async def find(connection: AsyncConnection, config_id: str) -> Fetch | None:
    """Return the last fetch that was written, with the content that was delivered last."""
    query = (
        select(fetches, delivered_contents.c.content)
        .outerjoin(delivered_contents, delivered_contents.c.config_id == fetches.c.config_id)
        .where(fetches.c.config_id == config_id)
    )
    row = (await connection.execute(query)).mappings().one_or_none()
    return Fetch(**row) if row is not None else None


async def put(
    connection: AsyncConnection,
    last: Mapping[str, Fetch],
    made: Mapping[str, str],
    unmade: Collection[str],
) -> Written:
    """Store last fetches by config ID, with the contents that are ``made``.

    Those of ``unmade`` have a content as well, which nobody has made yet: a fetch that can't be
    stored without it is left. Configs that are gone are passed over.

    A fetch that is older than the stored one changes nothing, and one that delivered nothing
    leaves the content that was delivered before it. The content is written only where the digest
    is another: a fleet that polls would write the same one over and over. A refusal, which has no
    digest, may come with the content of a delivery right before it.
    """
    repeated, others, contents = [], [], []
    wanted, stored = set(), set()
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
        if digest != fetch.digest or not digest:
            if config_id in unmade:
                wanted.add(config_id)
                continue
            if config_id in made:
                contents.append({"config_id": config_id, "content": made[config_id]})
        stored.add(config_id)
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
    return Written(stored, wanted)


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
