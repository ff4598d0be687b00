"""Sealing the stored secrets again with the first of the sealer's keys, after keys were changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Column, bindparam, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.secrets import Sealer
from bootstrap_core.store.binding_rows import binding_place, client_key_place, context_place
from bootstrap_core.store.tables import bindings, configs

BATCH: Final = 200


async def reseal(engine: AsyncEngine, sealer: Sealer) -> int:
    """Seal keys, secret variables and bindings' secrets with the first key; return how many.

    What devices get stays the same, and so do the revisions. Raises as ``reseal_column``.
    """
    keys = await reseal_column(
        engine, sealer, (configs.c.id,), configs.c.sealed_client_key, client_key_place
    )
    keys += await reseal_column(
        engine, sealer, (configs.c.id,), configs.c.sealed_context, context_place
    )
    slots = (bindings.c.config_id, bindings.c.slot)
    return keys + await reseal_column(
        engine, sealer, slots, bindings.c.sealed_secret, binding_place
    )


async def reseal_column(
    engine: AsyncEngine,
    sealer: Sealer,
    key: Sequence[Column[str]],
    sealed: Column[str],
    place: Callable[..., str],
) -> int:
    """Seal every value of the column ``sealed`` with the first key; return how many changed.

    ``key`` is its table's primary key, of which ``place`` makes the name of a value's place. An
    empty value is none. It works in small transactions and may be broken off and repeated at any
    time. Raises ``SealedValueUnreadable``: one is sealed with a key that is not configured.
    """
    same = (column == bindparam(f"key_{index}") for index, column in enumerate(key))
    # What somebody has written in the meantime is sealed with the first key already.
    change = update(sealed.table).where(*same, sealed == bindparam("old"))
    change = change.values({sealed: bindparam("fresh")})
    changed = 0
    last: Sequence[str] = ("",) * len(key)
    while True:
        query = select(*key, sealed).where(sealed != "", tuple_(*key) > tuple_(*last))
        async with engine.begin() as connection:
            rows = (await connection.execute(query.order_by(*key).limit(BATCH))).all()
            if not rows:
                return changed
            moved: list[dict[str, Any]] = []
            for *values, old in rows:
                fresh = sealer.reseal(old, place(*values))
                if fresh != old:
                    row = {f"key_{index}": value for index, value in enumerate(values)}
                    moved.append({**row, "old": old, "fresh": fresh})
            if moved:
                await connection.execute(change, moved)
        changed += len(moved)
        last = rows[-1][:-1]
