"""Magistrala's routes for channels and for the connections on them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from provision.embedded.decoding import (
    NO_TYPE_FILTER,
    changes_of,
    channel_of,
    connections_of,
    list_query_of,
    require_uuids,
)
from provision.embedded.encoding import access_json, channel_json, listed_channel_json, page_json
from provision.embedded.entrance import enter
from provision.embedded.errors import Unprocessable
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.wire import Query, empty, path_text, read_object, read_objects
from provision.platform.types import Connections, Status


class ChannelRoutes:
    """Decodes requests about channels, calls the registries, encodes what they answer."""

    def __init__(self, platform: EmbeddedPlatform) -> None:
        """Serve the channels and connections of ``platform``."""
        self._access = platform.access
        self._channels = platform.channels
        self._connections = platform.connections

    def routes(self) -> list[Route]:
        """Return the routes, each with one segment for the channel's ID."""
        every, one = "/{domain_id}/channels", "/{domain_id}/channels/{channel_id}"
        return [
            Route(every, self.create, methods=["POST"]),
            Route(every, self.page, methods=["GET"]),
            Route(f"{every}/bulk", self.create_all, methods=["POST"]),
            Route(f"{every}/connect", self.connect, methods=["POST"]),
            Route(f"{every}/disconnect", self.disconnect, methods=["POST"]),
            Route(one, self.view, methods=["GET"]),
            Route(one, self.change, methods=["PATCH"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/tags", self.change_tags, methods=["PATCH"]),
            Route(f"{one}/enable", self.enable, methods=["POST"]),
            Route(f"{one}/disable", self.disable, methods=["POST"]),
            Route(f"{one}/connect", self.connect_to_one, methods=["POST"]),
            Route(f"{one}/disconnect", self.disconnect_from_one, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        """Create one channel."""
        token, domain_id = await enter(self._access, request)
        draft = channel_of(await read_object(request))
        made = (await self._channels.create(token, domain_id, [draft]))[0]
        return JSONResponse(channel_json(made), 201, {"Location": f"/channels/{made.id}"})

    async def create_all(self, request: Request) -> Response:
        """Create several channels or none."""
        token, domain_id = await enter(self._access, request)
        drafts = [channel_of(fields) for fields in await read_objects(request)]
        made = await self._channels.create(token, domain_id, drafts)
        return JSONResponse({"total": len(made), "channels": [channel_json(one) for one in made]})

    async def page(self, request: Request) -> Response:
        """List channels."""
        token, domain_id = await enter(self._access, request)
        parameters = Query(request)
        query = list_query_of(parameters, "client")
        if parameters.text("connection_type"):
            raise Unprocessable(NO_TYPE_FILTER)
        page = await self._channels.page(token, domain_id, query)
        if not page.items:
            return JSONResponse(page_json("channels", page, query, channel_json))
        membership = await self._access.membership(token, domain_id)
        return JSONResponse(
            page_json("channels", page, query, lambda one: listed_channel_json(one, membership))
        )

    async def view(self, request: Request) -> Response:
        """Return one channel; ``?roles=true`` adds what the caller may do with it."""
        token, domain_id = await enter(self._access, request)
        channel = await self._channels.view(token, domain_id, path_text(request, "channel_id"))
        shown = channel_json(channel)
        if Query(request).flag("roles"):
            membership = await self._access.membership(token, domain_id)
            shown["roles"] = [access_json("channel", channel, membership)]
        return JSONResponse(shown)

    async def change(self, request: Request) -> Response:
        """Replace a channel's name or metadata."""
        token, domain_id = await enter(self._access, request)
        values = changes_of(await read_object(request), ("metadata",))
        channel_id = path_text(request, "channel_id")
        return JSONResponse(
            channel_json(await self._channels.change(token, domain_id, channel_id, values))
        )

    async def change_tags(self, request: Request) -> Response:
        """Replace a channel's tags."""
        token, domain_id = await enter(self._access, request)
        values = {"tags": (await read_object(request)).texts("tags")}
        channel_id = path_text(request, "channel_id")
        return JSONResponse(
            channel_json(await self._channels.change(token, domain_id, channel_id, values))
        )

    async def enable(self, request: Request) -> Response:
        """Enable a channel."""
        return await self._change_status(request, Status.ENABLED)

    async def disable(self, request: Request) -> Response:
        """Disable a channel."""
        return await self._change_status(request, Status.DISABLED)

    async def delete(self, request: Request) -> Response:
        """Delete a channel."""
        token, domain_id = await enter(self._access, request)
        await self._channels.delete(token, domain_id, path_text(request, "channel_id"))
        return empty(204)

    async def connect(self, request: Request) -> Response:
        """Connect clients to channels."""
        token, domain_id = await enter(self._access, request)
        fields = await read_object(request)
        await self._connections.connect(
            token, domain_id, connections_of(fields, fields.texts("channel_ids"))
        )
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

    async def _change_status(self, request: Request, status: Status) -> Response:
        token, domain_id = await enter(self._access, request)
        channel_id = path_text(request, "channel_id")
        changed = await self._channels.change_status(token, domain_id, channel_id, status)
        return JSONResponse(channel_json(changed))


async def _on_one_channel(request: Request) -> Connections:
    named = connections_of(await read_object(request), [path_text(request, "channel_id")])
    require_uuids(named.client_ids)
    return named
