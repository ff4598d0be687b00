"""What the bootstrap core needs of the platform around it.

Delivery to devices uses neither: it lives from the core's own tables alone. Implementations raise
the errors of ``bootstrap_core.errors`` where they are named here; other failures of the platform
(it is down, it takes too long) may be of any class with a ``status``, ``code`` and ``message``.
"""

from __future__ import annotations

from typing import Protocol

from bootstrap_core.model import Caller, Resource, ResourceType
from bootstrap_core.secret import Secret


class Identity(Protocol):
    """Knows who is behind a token."""

    async def identify(self, token: Secret, domain_id: str | None) -> Caller:
        """Return the caller, who is a member of the domain ``domain_id`` (its ID, not its route).

        With None the domain is the one that the service is set to, else the caller's only one.

        Raises ``Unauthenticated``: the token is not valid; ``Forbidden``: not a member;
        ``NotFound``: there is no such domain; ``Malformed``: a domain must be named.
        """
        ...


class Resources(Protocol):
    """Reads and connects the platform's resources, always with the caller's own token.

    ``NotFound`` is raised for what does not exist and for what the caller may not see.
    """

    async def resolve(self, caller: Caller, kind: ResourceType, resource_id: str) -> Resource:
        """Return the resource as it is now (``model.client_resource`` and the like make it)."""
        ...

    async def connect(self, caller: Caller, client_id: str, channel_id: str) -> None:
        """Let the client publish and subscribe on the channel; already connected is no error.

        Raises ``NotFound``: no client has this ID.
        """
        ...

    async def disconnect(self, caller: Caller, client_id: str, channel_id: str) -> None:
        """Take the client off the channel; not connected is no error."""
        ...

    async def create_client(self, caller: Caller, client_id: str, name: str) -> Resource:
        """Create a client with a new secret under the chosen ID.

        Raises ``Conflict``: the ID is taken.
        """
        ...

    async def create_channel(self, caller: Caller, channel_id: str, name: str) -> Resource:
        """Create a channel under the chosen ID.

        Raises ``Conflict``: the ID is taken.
        """
        ...

    async def delete_client(self, caller: Caller, client_id: str) -> None:
        """Delete a client that was created a moment ago; not there is no error."""
        ...
