"""Magistrala's routes for channels and for the connections on them."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from provision.embedded.access import Membership
from provision.embedded.decoding import channel_of, connections_of, require_uuids
from provision.embedded.encoding import channel_json, listed_channel_json
from provision.embedded.entity_routes import EntityRoutes
from provision.embedded.entrance import enter
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.records import ChannelRecord, DraftChannel
from provision.embedded.wire import Fields, empty, path_text, read_object
from provision.platform.types import Connections


class ChannelRoutes(EntityRoutes[DraftChannel, ChannelRecord]):
    """The routes for channels: those of any entity, and those that connect and disconnect."""

    kind = "channel"
    other = "client"
    documents = ("metadata",)

    def __init__(self, platform: EmbeddedPlatform) -> None:
        """Serve the channels and connections of ``platform``."""
        super().__init__(platform.access, platform.channels)
        self._connections = platform.connections

    def routes(self) -> list[Route]:
        """Return the routes."""
        every, one = "/{domain_id}/channels", "/{domain_id}/channels/{channel_id}"
        return [
            Route(f"{every}/connect", self.connect, methods=["POST"]),
            Route(f"{every}/disconnect", self.disconnect, methods=["POST"]),
            Route(f"{one}/connect", self.connect_to_one, methods=["POST"]),
            Route(f"{one}/disconnect", self.disconnect_from_one, methods=["POST"]),
            *super().routes(),
        ]

    async def connect(self, request: Request) -> Response:
        """Connect clients to channels."""
        token, domain_id = await enter(self._access, request)
        fields = await read_object(request)
        wanted = connections_of(fields, fields.texts("channel_ids"))
        await self._connections.connect(token, domain_id, wanted)
        return empty(201)

    async def disconnect(self, request: Request) -> Response:
        """Disconnect clients from channels."""
        token, domain_id = await enter(self._access, request)
        fields = await read_object(request)
        unwanted = connections_of(fields, fields.texts("channel_ids"))
        require_uuids([*unwanted.channel_ids, *unwanted.client_ids])
        await self._connections.disconnect(token, domain_id, unwanted)
        return empty(204)

    async def connect_to_one(self, request: Request) -> Response:
        """Connect clients to the channel of the path."""
        token, domain_id = await enter(self._access, request)
        await self._connections.connect(token, domain_id, await _on_one_channel(request))
        return empty(201)

    async def disconnect_from_one(self, request: Request) -> Response:
        """Disconnect clients from the channel of the path."""
        token, domain_id = await enter(self._access, request)
        unwanted = await _on_one_channel(request)
        require_uuids(unwanted.channel_ids)
        await self._connections.disconnect(token, domain_id, unwanted)
        return empty(204)

    def _read(self, fields: Fields) -> DraftChannel:
        return channel_of(fields)

    def _show(self, found: ChannelRecord) -> dict[str, Any]:
        return channel_json(found)

    def _show_changed(self, changed: ChannelRecord) -> dict[str, Any]:
        return channel_json(changed)

    def _show_listed(self, found: ChannelRecord, membership: Membership) -> dict[str, Any]:
        return listed_channel_json(found, membership)


async def _on_one_channel(request: Request) -> Connections:
    named = connections_of(await read_object(request), [path_text(request, "channel_id")])
    require_uuids(named.client_ids)
    return named
