"""Client secrets under the newest key, after a key was added."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from provision.embedded.issuer_store import Resealer
from provision.embedded.sealing import binding_of
from provision.embedded.tables import clients

BATCH: Final = 500


async def reseal_client_secrets(engine: AsyncEngine, resealer: Resealer) -> int:
    """Seal the secrets of all clients with the newest key; return how many changed.

    Each batch is a transaction of its own, so that a large table holds nobody up, and the work can
    be taken up again where it was interrupted.
    """
    last, changed = "", 0
    while True:
        async with engine.begin() as connection:
            batch = select(clients.c.id, clients.c.secret).where(clients.c.id > last)
            rows = (await connection.execute(batch.order_by(clients.c.id).limit(BATCH))).all()
            if not rows:
                return changed
            fresh = [
                {"key": key, "sealed": sealed}
                for key, old in rows
                if (sealed := resealer.reseal(old, binding_of(key))) != old
            ]
            if fresh:
                statement = update(clients).where(clients.c.id == bindparam("key"))
                await connection.execute(statement.values(secret=bindparam("sealed")), fresh)
        last, changed = rows[-1].id, changed + len(fresh)
