"""What the bootstrap core needs of the platform around it.

Delivery to devices uses neither: it lives from the core's own tables alone. Implementations raise
the errors of ``bootstrap_core.errors`` where they are named here; other failures of the platform
(it is down, it takes too long) may be of any class with a ``status``, ``code`` and ``message``.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeAlias

from attrs import frozen
from sqlalchemy.ext.asyncio import AsyncConnection

from bootstrap_core.model import Asked, Caller, Resource, ResourceType
from bootstrap_core.secrets import Secret

Settle: TypeAlias = Callable[[AsyncConnection], Awaitable[None]]
"""Writes, in a transaction, that what was made on the platform is there to stay."""
Keep: TypeAlias = Callable[[Settle], Awaitable[None]]
"""Writes what belongs to it on this side, in one transaction with what ``Settle`` writes."""


@frozen
class NewParts:
    """What one config needs made on the platform, under IDs and secrets that are chosen already.

    ``client`` and ``channels`` are to be created; the client ``client_id``, which is ``client`` or
    one that is there, is to be connected to the channels ``connected_to``.
    """

    external_id: str
    client_id: str
    client: Resource | None = None
    channels: Sequence[Resource] = ()
    connected_to: Sequence[str] = ()


class Identity(Protocol):
    """Knows who is behind a token, and what they may do."""

    async def admit(self, token: Secret, domain_id: str | None, asked: Asked) -> Caller:
        """Return the caller, who may do in the domain ``domain_id`` what is ``asked``.

        ``domain_id`` is an ID, not a route. With None the domain is the one that the service is set
        to, else the caller's only one.

        Raises ``Unauthenticated``: the token is not valid; ``Forbidden``: not a member, or without
        the right; ``NotFound``: there is no such domain; ``Malformed``: a domain must be named.
        """
        ...

    async def permit(self, caller: Caller, asked: Asked) -> None:
        """Make sure that the caller may do what is asked as well. Raises ``NotPermitted``."""
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

    async def make(self, caller: Caller, parts: NewParts, keep: Keep) -> None:
        """Make what a config needs, and then ``keep`` it: all of it, or nothing.

        Whatever is refused, and whenever the process ends: what had been made is removed again.
        Raises ``NotFound`` (nothing to connect), ``Conflict`` (an ID is taken), the platform's
        failures and what ``keep`` raises.
        """
        ...


async def settle_nothing(_: AsyncConnection) -> None:
    """Write nothing: nothing was made on the platform."""
