"""One way to prove that something is gone from the platform.

The platform says the same of a thing that is gone and of one that the asker may not see, and its
lists show only what the asker may see. So that a list does not show a thing proves its absence only
to an asker who would see it: one who may read all of the kind in the domain, or who made it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Final, Protocol, TypeAlias

from attrs import frozen

from bootstrap_core.secrets import Secret
from provision.onboarding.errors import Kind
from provision.platform.errors import NotFound, NotPermitted, PlatformError, Rejected, lacks
from provision.platform.port import Holdings, Memberships
from provision.platform.types import (
    Channel,
    ChannelQuery,
    Client,
    ClientQuery,
    ConnectionType,
    Membership,
    Page,
    Status,
    StatusFilter,
)

PAGE: Final = 100
Types: TypeAlias = frozenset[ConnectionType]
EVERY: Final[Types] = frozenset(ConnectionType)


class ClientLists(Protocol):
    """What is asked of the platform."""

    async def list_clients(self, token: Secret, domain_id: str, query: ClientQuery) -> Page[Client]:
        """List clients, newest first."""
        ...


async def connected_clients(
    platform: ClientLists, token: Secret, domain_id: str, channel_id: str
) -> Mapping[str, Types]:
    """Return the types of each connected client that the caller may see, by its ID.

    A platform that does not tell the types is taken to have connected for every one.
    """
    found: dict[str, Types] = {}
    while True:
        query = ClientQuery(
            channel_id=channel_id, offset=len(found), limit=PAGE, status=StatusFilter.ALL
        )
        page = await platform.list_clients(token, domain_id, query)
        for each in page.items:
            found[each.id] = EVERY if each.connection_types is None else each.connection_types
        if not page.items or len(found) >= page.total:
            return found


async def connection_types(
    platform: ClientLists, token: Secret, domain_id: str, client_id: str, channel_id: str
) -> Types:
    """Return how one client is connected to a channel, as far as the caller may see that."""
    query = ClientQuery(id=client_id, channel_id=channel_id, status=StatusFilter.ALL)
    for client in (await platform.list_clients(token, domain_id, query)).items:
        if client.id == client_id:
            return EVERY if client.connection_types is None else client.connection_types
    return frozenset()


CONFLICT: Final = 409


class Lists(Memberships, Holdings, Protocol):
    """What is asked of the platform to prove an absence."""


@frozen
class Asker:
    """Whose token asks in a domain, and whether the things in question were made by that user."""

    token: Secret
    domain_id: str
    made_it: bool = False


class Sight:
    """What one asker sees of a domain; made for one piece of work, since rights change."""

    def __init__(self, platform: Lists, asker: Asker) -> None:
        """Ask ``platform`` in the name of ``asker``."""
        self._platform = platform
        self._asker = asker
        self._membership: asyncio.Future[Membership] | None = None

    async def missing(self, kind: Kind, identifiers: Collection[str]) -> set[str]:
        """Return which of these are surely not there.

        Raises ``NotPermitted`` where the asker could not see some of them if they were, and the
        platform's own failures.
        """
        unseen = await self.unseen(kind, identifiers)
        if unseen:
            await self._prove(kind, min(unseen))
        return unseen

    async def unseen(self, kind: Kind, identifiers: Collection[str]) -> set[str]:
        """Return which of these the platform does not show the asker, there or not."""
        found = await asyncio.gather(*(self._find(kind, identifier) for identifier in identifiers))
        return {
            identifier
            for identifier, thing in zip(identifiers, found, strict=True)
            if thing is None
        }

    async def is_gone(self, kind: Kind, identifier: str) -> bool:
        """Tell whether one thing is surely not there; raises as ``missing`` does."""
        return bool(await self.missing(kind, (identifier,)))

    async def refusal(self, kind: Kind, identifier: str, action: str) -> PlatformError:
        """Return what it means that the platform did not let the asker do ``action`` on a thing.

        That is ``NotPermitted`` where it is there, or where the asker can't see that; ``Rejected``
        where it is disabled; ``NotFound`` where it is gone.
        """
        thing = await self._find(kind, identifier)
        if thing is None:
            try:
                await self._prove(kind, identifier)
            except NotPermitted as error:
                return error
            return NotFound(f"{kind} {identifier} is not there any more")
        if thing.status is Status.DISABLED:
            return Rejected(
                f"{kind} {identifier} is disabled: enable it on the platform first",
                operation=action,
                answered=CONFLICT,
            )
        return NotPermitted(lacks(action, f"{kind} {identifier}"), operation=action)

    async def _prove(self, kind: Kind, identifier: str) -> None:
        """Return where it means absence that a list does not show a thing of this kind."""
        if self._membership is None:
            asking = self._platform.view_membership(self._asker.token, self._asker.domain_id)
            self._membership = asyncio.ensure_future(asking)
            # Whoever is cancelled meanwhile never looks at its error.
            self._membership.add_done_callback(lambda done: done.cancelled() or done.exception())
        actions = (await asyncio.shield(self._membership)).actions
        # Magistrala's administrator holds no role, and sees everything.
        if actions is None or f"{kind}_read" in actions or self._asker.made_it:
            return
        raise NotPermitted(
            f"the platform shows you no {kind} {identifier}, which does not say that it is gone: "
            + lacks(f"{kind}_read", "the domain"),
            operation=f"look for {kind} {identifier}",
        )

    async def _find(self, kind: Kind, identifier: str) -> Client | Channel | None:
        return await listed(
            self._platform, self._asker.token, self._asker.domain_id, kind, identifier
        )


async def listed(
    platform: Holdings, token: Secret, domain_id: str, kind: Kind, identifier: str
) -> Client | Channel | None:
    """Return one thing, whatever its status, where the platform's lists show it to the token."""
    if kind == "client":
        clients = await platform.list_clients(
            token, domain_id, ClientQuery(id=identifier, limit=1, status=StatusFilter.ALL)
        )
        return next(iter(clients.items), None)
    channels = await platform.list_channels(
        token, domain_id, ChannelQuery(id=identifier, limit=1, status=StatusFilter.ALL)
    )
    return next(iter(channels.items), None)
