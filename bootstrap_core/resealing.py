"""Sealing the stored secrets again with the first of the sealer's keys, after keys were changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import Column, and_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.binding_rows import binding_place, client_key_place
from bootstrap_core.sealing import Sealer
from bootstrap_core.tables import bindings, configs

BATCH: Final = 200


async def reseal(engine: AsyncEngine, sealer: Sealer) -> int:
    """Seal private keys and bindings' secrets with the first key; return how many changed.

    It works in small transactions and may be broken off and repeated at any time. What devices
    get stays the same, and so do the revisions. Raises ``SealedValueUnreadable``: one is sealed
    with a key that is not configured.
    """
    keys = await _reseal(
        engine, sealer, (configs.c.id,), configs.c.sealed_client_key, client_key_place
    )
    slots = (bindings.c.config_id, bindings.c.slot)
    return keys + await _reseal(engine, sealer, slots, bindings.c.sealed_secret, binding_place)


async def _reseal(
    engine: AsyncEngine,
    sealer: Sealer,
    key: Sequence[Column[str]],
    sealed: Column[str],
    place: Callable[..., str],
) -> int:
    changed = 0
    last: Sequence[str] = ("",) * len(key)
    while True:
        query = select(*key, sealed).where(sealed != "", tuple_(*key) > tuple_(*last))
        async with engine.begin() as connection:
            rows = (await connection.execute(query.order_by(*key).limit(BATCH))).all()
            if not rows:
                return changed
            for *values, old in rows:
                fresh = sealer.reseal(old, place(*values))
                if fresh == old:
                    continue
                same: list[Any] = [
                    column == value for column, value in zip(key, values, strict=True)
                ]
                # What somebody has written in the meantime is sealed with the first key already.
                row = and_(*same, sealed == old)
                await connection.execute(update(sealed.table).where(row).values({sealed: fresh}))
                changed += 1
        last = rows[-1][:-1]
