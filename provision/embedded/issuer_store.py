"""The installation's own root and issuer: made at the first start, kept with their keys sealed."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from provision.embedded.certificate_tables import authorities
from provision.embedded.sealing import Seal
from provision.pki.issuer import Issuer, make_hierarchy, read_issuer

OWN: Final = "own"


class Resealer(Protocol):
    """Brings sealed values under the newest key (``bootstrap_core.sealing.Sealer`` is one)."""

    def reseal(self, sealed: str, binding: str) -> str:
        """Return the value sealed with the newest key."""
        ...


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


async def reseal_issuer(engine: AsyncEngine, resealer: Resealer) -> int:
    """Seal the authority's keys with the newest key; return how many values changed."""
    query = select(authorities).where(authorities.c.id == OWN)
    async with engine.begin() as connection:
        row = (await connection.execute(query)).mappings().first()
        if row is None:
            return 0
        fresh = {
            name: resealer.reseal(row[name], _binding(name)) for name in ("issuer_key", "root_key")
        }
        await connection.execute(update(authorities).where(authorities.c.id == OWN).values(**fresh))
    return sum(row[name] != sealed for name, sealed in fresh.items())


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


def _binding(column: str) -> str:
    return f"platform_authorities/{OWN}/{column}"
