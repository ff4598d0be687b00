"""Channels on Atom: its resources of the kind channel."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from bootstrap_core.model import Status, is_uuid
from bootstrap_core.secrets import Secret
from provision.platform.atom.calls import Graph
from provision.platform.atom.decoding import (
    channel_attributes,
    to_channel,
)
from provision.platform.atom.entities import CHANNEL, SLUG, AtomEntities, deleted
from provision.platform.atom.grants import grants_of
from provision.platform.atom.operations import (
    CREATE_RESOURCE,
    DELETE_RESOURCE,
    ask,
)
from provision.platform.types import Channel, EntityChange, EntityQuery, NewChannel, Page


@frozen
class AtomChannels:
    """Atom's resources of the kind channel."""

    graph: Graph

    @property
    def _channels(self) -> AtomEntities[Channel]:
        return AtomEntities(self.graph, CHANNEL)

    async def create(
        self, token: Secret, domain_id: str, drafts: Sequence[NewChannel]
    ) -> Sequence[Channel]:
        """Create channels; raises as clients do, and ``RouteTaken``.

        A route is unique only where it is a slug, which is then the channel's alias as well.
        """
        if not drafts:
            return ()
        parts = []
        for place, channel in enumerate(drafts):
            made = {
                "id": channel.id,
                "kind": CHANNEL.kind,
                "name": channel.name,
                "tenantId": domain_id,
                "attributes": channel_attributes(channel),
            }
            if SLUG.fullmatch(channel.route) and not is_uuid(channel.route):
                made["alias"] = channel.route
            parts.append(ask(f"c{place}", CREATE_RESOURCE, input=made))
        reply = await self.graph.ask(token, "create channels", parts)
        if reply.errors:
            named = [(f"c{place}", draft.id, draft.route) for place, draft in enumerate(drafts)]
            await self._channels.refused(token, domain_id, reply, named)
        return [to_channel(reply[part.alias]) for part in parts]

    async def view(self, token: Secret, domain_id: str, channel_id: str) -> Channel:
        return to_channel(await self._channels.view(token, domain_id, channel_id, "view"))

    async def update(
        self, token: Secret, domain_id: str, channel_id: str, change: EntityChange
    ) -> Channel:
        return await self._channels.update(token, domain_id, channel_id, change)

    async def list(self, token: Secret, domain_id: str, query: EntityQuery) -> Page[Channel]:
        if not query.connected_to:
            return await self._channels.page(token, domain_id, query, None)
        grants = await grants_of(self.graph, token, domain_id, [query.connected_to])
        connected = tuple(grant.channel_id for grant in grants if grant.types)
        return await self._channels.page(token, domain_id, query, connected)

    async def set_status(
        self, token: Secret, domain_id: str, channel_id: str, status: Status
    ) -> None:
        """Mark a channel so, as Magistrala does; Atom lets its messages through all the same."""
        marked = {"status": status.value}
        await self._channels.update(token, domain_id, channel_id, EntityChange(), marked)

    async def delete(self, token: Secret, domain_id: str, channel_id: str) -> None:
        """Delete a channel; policies on it grant nothing any more."""
        await self._channels.view(token, domain_id, channel_id, "delete")
        parts = [ask("one", DELETE_RESOURCE, id=channel_id)]
        deleted(await self.graph.ask(token, "delete a channel", parts))
