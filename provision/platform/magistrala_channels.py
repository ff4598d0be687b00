"""Magistrala's channels service: channels, and which clients are connected to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from bootstrap_core.secret import Secret
from provision.platform.errors import AlreadyExists
from provision.platform.magistrala_call import OF_ENTITY, Call, Meaning, domain_path
from provision.platform.magistrala_entities import Entities
from provision.platform.magistrala_transport import Transport
from provision.platform.types import (
    Channel,
    ChannelChange,
    ChannelQuery,
    Connections,
    NewChannel,
    Page,
)

SERVICE: Final = "channels"
TAKEN: Final[Meaning] = {
    (400, "channel id already exists"): AlreadyExists,
    (400, "route not available"): AlreadyExists,
}
CONNECTED: Final[Meaning] = {**OF_ENTITY, (400, "entity already exists"): AlreadyExists}


class MagistralaChannels:
    """The port ``Channels`` over HTTP."""

    _channels: Entities[Channel]

    async def create_channels(
        self, token: Secret, domain_id: str, channels: Sequence[NewChannel]
    ) -> Sequence[Channel]:
        """Create all of ``channels`` or none (``AlreadyExists`` when an ID or route is taken)."""
        return await self._channels.create(token, domain_id, [*map(_draft, channels)])

    async def view_channel(self, token: Secret, domain_id: str, channel_id: str) -> Channel:
        """Return one channel."""
        return await self._channels.view(token, domain_id, channel_id)

    async def list_channels(
        self, token: Secret, domain_id: str, query: ChannelQuery
    ) -> Page[Channel]:
        """List channels, newest first; a caller who is no member gets an empty list."""
        connected = {"client": query.client_id} if query.client_id else {}
        return await self._channels.page(token, domain_id, query, connected)

    async def update_channel(
        self, token: Secret, domain_id: str, channel_id: str, change: ChannelChange
    ) -> Channel:
        """Replace the named fields of a channel."""
        return await self._channels.update(token, domain_id, channel_id, change)

    async def enable_channel(self, token: Secret, domain_id: str, channel_id: str) -> None:
        """Enable a channel; one that is enabled already stays so."""
        await self._channels.set_status("enable", token, domain_id, channel_id)

    async def disable_channel(self, token: Secret, domain_id: str, channel_id: str) -> None:
        """Disable a channel; one that is disabled already stays so."""
        await self._channels.set_status("disable", token, domain_id, channel_id)

    async def delete_channel(self, token: Secret, domain_id: str, channel_id: str) -> None:
        """Delete a channel and its connections (``NotFound`` when it is not there)."""
        await self._channels.delete(token, domain_id, channel_id)


class MagistralaConnections:
    """The port ``ConnectionLists`` over HTTP."""

    _transport: Transport

    async def connect(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Connect the whole product or nothing (``AlreadyExists`` when any part exists).

        Raises ``NotFound`` (a client or channel is not there) and ``Rejected`` (one is disabled).
        """
        call = Call(
            SERVICE,
            "connect clients to channels",
            "POST",
            domain_path(domain_id, SERVICE, "connect"),
            token,
            body=_product(connections),
            meaning=CONNECTED,
        )
        if _is_something(connections):
            await self._transport.send(call)

    async def disconnect(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Disconnect the whole product; what is not connected is no error."""
        call = Call(
            SERVICE,
            "disconnect clients from channels",
            "POST",
            domain_path(domain_id, SERVICE, "disconnect"),
            token,
            body=_product(connections),
            meaning=OF_ENTITY,
            repeatable=True,
        )
        if _is_something(connections):
            await self._transport.send(call)


def _draft(channel: NewChannel) -> dict[str, Any]:
    draft: dict[str, Any] = {
        "id": channel.id,
        "name": channel.name,
        "metadata": dict(channel.metadata),
        "tags": list(channel.tags),
        "status": channel.status.value,
    }
    return draft | {"route": channel.route} if channel.route else draft


def _product(connections: Connections) -> dict[str, list[str]]:
    return {
        "client_ids": list(connections.client_ids),
        "channel_ids": list(connections.channel_ids),
        "types": [each.value for each in connections.types],
    }


def _is_something(connections: Connections) -> bool:
    return bool(connections.client_ids and connections.channel_ids and connections.types)
