"""Client secrets under the newest key, after a key was added."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.resealing import reseal_column
from bootstrap_core.sealing import Sealer
from provision.embedded.sealing import binding_of
from provision.embedded.tables import clients


async def reseal_client_secrets(engine: AsyncEngine, sealer: Sealer) -> int:
    """Seal the secrets of all clients with the newest key; return how many changed.

    Raises ``SealedValueUnreadable``: one is sealed with a key that is not configured.
    """
    return await reseal_column(engine, sealer, (clients.c.id,), clients.c.secret, binding_of)
