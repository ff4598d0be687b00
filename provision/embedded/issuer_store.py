"""The installation's own root and issuer: made at the first start, kept with their keys sealed."""

from __future__ import annotations

import contextlib
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.resealing import reseal_column
from bootstrap_core.sealing import Sealer
from provision.embedded.certificate_tables import authorities
from provision.embedded.sealing import Seal
from provision.pki.issuer import Issuer, make_hierarchy, read_issuer

OWN: Final = "own"


async def open_issuer(engine: AsyncEngine, seal: Seal, organization: str, now: datetime) -> Issuer:
    """Return the installation's own issuer; at the first start it is made, with its root.

    ``organization`` names a new one. Raises ``IssuerUnusable`` when what is stored has expired.
    """
    query = select(authorities).where(authorities.c.id == OWN)
    async with engine.connect() as connection:
        row = (await connection.execute(query)).mappings().first()
    if row is None:
        with contextlib.suppress(IntegrityError):  # another process was faster: its issuer counts
            await _make_issuer(engine, seal, organization, now)
        async with engine.connect() as connection:
            row = (await connection.execute(query)).mappings().one()
    key = seal.open(row["issuer_key"], _binding("issuer_key"))
    return read_issuer(row["chain"].encode(), key, now)


async def reseal_issuer(engine: AsyncEngine, sealer: Sealer) -> int:
    """Seal the authority's keys with the newest key; return how many values changed.

    Raises ``SealedValueUnreadable``: one is sealed with a key that is not configured.
    """
    changed = 0
    for column in (authorities.c.issuer_key, authorities.c.root_key):
        place = partial(_binding, column.name)
        changed += await reseal_column(engine, sealer, (authorities.c.id,), column, place)
    return changed


async def _make_issuer(engine: AsyncEngine, seal: Seal, organization: str, now: datetime) -> None:
    made = make_hierarchy(organization, now)
    keys = {"issuer_key": made.intermediate.key, "root_key": made.root.key}
    sealed = {name: seal.seal(key.pem().encode(), _binding(name)) for name, key in keys.items()}
    async with engine.begin() as connection:
        await connection.execute(
            insert(authorities).values(
                id=OWN, chain=made.intermediate.chain_pem(), created_at=now, **sealed
            )
        )


def _binding(column: str, authority: str = OWN) -> str:
    return f"platform_authorities/{authority}/{column}"
