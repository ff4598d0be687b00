"""Whom Magistrala's certificates service issues certificates for."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.secrets import Secret
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.tables import clients
from provision.platform.errors import NotFound


class AnyHolder:
    """Allows a certificate for any ID, as Magistrala does, but for another domain's client.

    The certificate names the domain besides the ID, so that it never passes for somebody else's.
    """

    def __init__(self, platform: EmbeddedPlatform, engine: AsyncEngine) -> None:
        """Ask ``platform`` for memberships and the engine's database for clients."""
        self._platform = platform
        self._engine = engine

    async def check_member(self, token: Secret, domain_id: str) -> None:
        """Raise the platform's error unless the caller is a member of the domain."""
        await self._platform.check_member(token, domain_id)

    async def check_change(self, token: Secret, domain_id: str) -> None:
        """Raise the platform's error unless the caller may change clients of the domain."""
        await self._platform.check_change(token, domain_id)

    async def check_holder(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Raise ``NotFound`` when the client is one of another domain."""
        await self.check_change(token, domain_id)
        home = select(clients.c.domain_id).where(clients.c.id == client_id)
        async with self._engine.connect() as connection:
            if await connection.scalar(home) not in (None, domain_id):
                raise NotFound("the domain has no such client", service="embedded")
