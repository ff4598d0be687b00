"""How the service asks a certificate authority on its own behalf, without a caller."""

from __future__ import annotations

from attrs import frozen
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.model import Status
from bootstrap_core.secrets import Secret
from provision.embedded.authority import Members
from provision.embedded.tables import clients
from provision.platform.errors import InvalidToken, NotFound


class NobodyAsks:
    """Lets the service itself do what it wants with its own authority (``Members``)."""

    async def check_member(self, token: Secret, domain_id: str) -> None:
        """Do nothing: there is no caller to check."""

    async def check_change(self, token: Secret, domain_id: str) -> None:
        """Do nothing: there is no caller to check."""

    async def check_holder(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Do nothing: the journal says whose the client is."""


class OwnClients:
    """Lets the service ask for the clients that the embedded platform has, and no others."""

    def __init__(self, engine: AsyncEngine) -> None:
        """Look into the platform's tables in ``engine``."""
        self._engine = engine

    async def check_member(self, token: Secret, domain_id: str) -> None:
        """Do nothing: there is no caller to check."""

    async def check_change(self, token: Secret, domain_id: str) -> None:
        """Do nothing: there is no caller to check."""

    async def check_holder(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Raise ``NotFound`` unless the client is there and enabled."""
        query = select(clients.c.id).where(
            clients.c.id == client_id,
            clients.c.domain_id == domain_id,
            clients.c.status == Status.ENABLED.value,
        )
        async with self._engine.connect() as connection:
            if (await connection.execute(query)).first() is None:
                raise NotFound("the client was removed or disabled", service="embedded")


@frozen
class HoldersMade:
    """Asks ``members`` about callers, and about clients nobody: onboarding has just made them."""

    members: Members

    async def check_member(self, token: Secret, domain_id: str) -> None:
        """Raise the platform's error unless the caller is a member of the domain."""
        await self.members.check_member(token, domain_id)

    async def check_change(self, token: Secret, domain_id: str) -> None:
        """Raise the platform's error unless the caller is a member of the domain.

        The right to change the gateway was asked for where the request came in
        (``provision.rights``); it may be one on the gateway's own clients alone.
        """
        await self.members.check_member(token, domain_id)

    async def check_holder(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Do nothing: the caller's token has made the client, or found it there."""


class NoTokenNeeded:
    """The credentials for an authority that asks for none."""

    async def token(self) -> Secret:
        """Return an empty token."""
        return Secret("")


class NoCredentials:
    """The credentials of a service that was given none."""

    async def token(self) -> Secret:
        """Raise ``InvalidToken``, saying what to set."""
        raise InvalidToken(
            "certificates are renewed with the service's own credentials, and it has none: set "
            "MG_PROVISION_API_KEY, or MG_PROVISION_USERNAME and MG_PROVISION_PASS"
        )
