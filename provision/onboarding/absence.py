"""Whether something is there: one way to prove that it is gone from the platform.

The platform says the same of an entity that is gone and of one that the asker may not see, and its
lists show only what the asker may see. So that a list does not show an entity proves its absence
only to an asker who would see it: one who may read all of the kind in the domain, or who made it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

from attrs import define, field, frozen

from bootstrap_core.model import ConnectionType, EntityKind, Status
from bootstrap_core.secrets import Secret
from bootstrap_core.work import may_fail_unheard
from provision.platform.errors import (
    Moved,
    NotFound,
    NotPermitted,
    PlatformError,
    Rejected,
    lacks,
)
from provision.platform.port import Entity, Platform, entities_of, find
from provision.platform.types import EntityQuery, Membership, StatusFilter

PAGE: Final = 100
CONFLICT: Final = 409
Types: TypeAlias = frozenset[ConnectionType]
EVERY: Final[Types] = frozenset(ConnectionType)


@frozen
class Asker:
    """Whose token asks in a domain, and whether the things in question were made by that user."""

    token: Secret
    domain_id: str
    made_it: bool = False


@define
class Visibility:
    """What one asker can tell of what is there; made for one piece of work, since rights change."""

    platform: Platform
    asker: Asker
    _membership: asyncio.Future[Membership] | None = field(default=None, init=False)

    async def missing(self, kind: EntityKind, identifiers: Collection[str]) -> set[str]:
        """Return which of these are surely not there.

        Raises ``NotPermitted`` where the asker could not see some of them if they were, and the
        platform's own failures.
        """
        unseen = await self.unseen(kind, identifiers)
        if unseen:
            await self._prove(kind, min(unseen))
        return unseen

    async def unseen(self, kind: EntityKind, identifiers: Collection[str]) -> set[str]:
        """Return which of these the platform does not show the asker, there or not."""
        found = await asyncio.gather(*(self.find(kind, identifier) for identifier in identifiers))
        return {
            identifier
            for identifier, entity in zip(identifiers, found, strict=True)
            if entity is None
        }

    async def is_gone(self, kind: EntityKind, identifier: str) -> bool:
        """Tell whether one entity is surely not there; raises as ``missing`` does."""
        return bool(await self.missing(kind, (identifier,)))

    async def find(self, kind: EntityKind, identifier: str) -> Entity | None:
        """Return one entity, whatever its status, where the lists show it to the asker."""
        entities = entities_of(self.platform, kind)
        return await find(entities, self.asker.token, self.asker.domain_id, identifier)

    async def view(self, kind: EntityKind, identifier: str) -> Entity | None:
        """Return one entity with all that the asker may read of it; None where it is surely gone.

        Raises what ``refusal`` returns where the asker may not read it, and ``Moved``.
        """
        entities = entities_of(self.platform, kind)
        try:
            return await entities.view(self.asker.token, self.asker.domain_id, identifier)
        except NotFound as error:
            refusal = await self.refusal(kind, identifier, f"{kind}_read")
            if not isinstance(refusal, NotFound):
                raise refusal from error
            if isinstance(error, Moved):
                raise
            return None

    async def refusal(self, kind: EntityKind, identifier: str, action: str) -> PlatformError:
        """Return what it means that the platform did not let the asker do ``action`` on an entity.

        That is ``NotPermitted`` where it is there, or where the asker can't see that; ``Rejected``
        where it is disabled; ``NotFound`` where it is gone.
        """
        entity = await self.find(kind, identifier)
        if entity is None:
            try:
                await self._prove(kind, identifier)
            except NotPermitted as error:
                return error
            return NotFound(f"{kind} {identifier} is not there any more")
        if entity.status is Status.DISABLED:
            return Rejected(
                f"{kind} {identifier} is disabled: enable it on the platform first",
                operation=action,
                answered=CONFLICT,
            )
        return NotPermitted(lacks(action, f"{kind} {identifier}"), operation=action)

    async def _prove(self, kind: EntityKind, identifier: str) -> None:
        """Return where it means absence that a list does not show an entity of this kind."""
        if self._membership is None:
            asking = self.platform.view_membership(self.asker.token, self.asker.domain_id)
            # Whoever is cancelled meanwhile never looks at its error.
            self._membership = may_fail_unheard(asyncio.ensure_future(asking))
        actions = (await asyncio.shield(self._membership)).actions
        # Magistrala's administrator holds no role, and sees everything.
        if actions is None or f"{kind}_read" in actions or self.asker.made_it:
            return
        raise NotPermitted(
            f"the platform shows you no {kind} {identifier}, which does not say that it is gone: "
            + lacks(f"{kind}_read", "the domain"),
            operation=f"look for {kind} {identifier}",
        )


async def connected_clients(
    platform: Platform, token: Secret, domain_id: str, channel_id: str, *, among: Sequence[str]
) -> Mapping[str, Types]:
    """Return the types of each connected client that the caller may see, by its ID.

    Of those that are ``among`` these it tells all, and of others perhaps some.
    A platform that does not tell the types is taken to have connected for every one.
    """
    found: dict[str, Types] = {}
    while True:
        query = EntityQuery(
            connected_to=channel_id,
            among=among,
            offset=len(found),
            limit=PAGE,
            status=StatusFilter.ALL,
        )
        page = await platform.clients.list(token, domain_id, query)
        for client in page.items:
            found[client.id] = EVERY if client.connection_types is None else client.connection_types
        if not page.items or len(found) >= page.total:
            return found


async def connection_types(
    platform: Platform, token: Secret, domain_id: str, client_id: str, channel_id: str
) -> Types:
    """Return how one client is connected to a channel, as far as the caller may see that."""
    query = EntityQuery(id=client_id, connected_to=channel_id, status=StatusFilter.ALL)
    for client in (await platform.clients.list(token, domain_id, query)).items:
        if client.id == client_id:
            return EVERY if client.connection_types is None else client.connection_types
    return frozenset()
