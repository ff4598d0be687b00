"""Keys that the service makes for itself once and needs again after a restart, kept sealed."""

from __future__ import annotations

import contextlib
import os

from sqlalchemy import Column, MetaData, String, Table, Text, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.secrets import Sealer
from bootstrap_core.store.reseal import reseal_column

KEY_BYTES = 32

metadata = MetaData()

service_keys = Table(
    "service_keys",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("sealed", Text, nullable=False),
)


class KeyStore:
    """Named random keys of 32 bytes."""

    def __init__(self, engine: AsyncEngine, sealer: Sealer) -> None:
        """Keep keys in the store of ``engine``."""
        self._engine = engine
        self._sealer = sealer

    async def key(self, name: str) -> bytes:
        """Return the key of this name; it is made when it is asked for the first time."""
        query = select(service_keys.c.sealed).where(service_keys.c.name == name)
        async with self._engine.connect() as connection:
            sealed = await connection.scalar(query)
        if sealed is None:
            fresh = self._sealer.seal(os.urandom(KEY_BYTES), _binding(name))
            with contextlib.suppress(IntegrityError):  # another replica was first: its key counts
                async with self._engine.begin() as connection:
                    await connection.execute(insert(service_keys).values(name=name, sealed=fresh))
            async with self._engine.connect() as connection:
                sealed = (await connection.execute(query)).scalar_one()
        return self._sealer.open(sealed, _binding(name))

    async def reseal(self) -> int:
        """Seal every key with the newest sealing key; return how many changed.

        Raises ``SealedValueUnreadable``: one is sealed with a key that is not configured.
        """
        return await reseal_column(
            self._engine, self._sealer, (service_keys.c.name,), service_keys.c.sealed, _binding
        )


def _binding(name: str) -> str:
    return f"service_keys/{name}"
