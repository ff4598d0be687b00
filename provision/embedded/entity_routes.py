"""The routes that clients and channels have alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic
from urllib.parse import quote

from attrs import evolve
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bootstrap_core.http.openapi import ExactRoute
from bootstrap_core.model import EntityKind, Status
from bootstrap_core.secrets import Secret
from provision.embedded.access import AccessControl, Membership
from provision.embedded.bodies import (
    NO_TYPE_FILTER,
    OFFSET_MOST,
    PAGE_DEFAULT,
    PAGE_MOST,
    ChannelBody,
    ChannelChangeBody,
    ClientBody,
    ClientChangeBody,
    ConnectionsBody,
    Credentials,
    TagsBody,
    access_json,
    channel_json,
    client_json,
    client_json_without_secret,
    entity_members_json,
    list_query_of,
    listed_channel_json,
    listed_client_json,
    page_json,
    require_uuids,
)
from provision.embedded.entities import D, EntityRegistry, R
from provision.embedded.errors import Malformed, Unprocessable
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.records import ChannelRecord, ClientRecord
from provision.embedded.wire import (
    Handler,
    Query,
    bearer,
    empty,
    path_text,
    read,
    read_all,
)
from provision.platform.types import Connections, NewChannel, NewClient


async def enter(access: AccessControl, request: Request) -> tuple[Secret, str]:
    """Return the caller's token, which is valid, and the domain's ID as the path has it.

    Called first, so that a bad token is told before a bad body. Raises ``InvalidToken``.
    """
    token = bearer(request)
    await access.caller(token)
    domain_id = path_text(request, "domain_id")
    await access.tell_entry(token, domain_id)
    return token, domain_id


class EntityRoutes(ABC, Generic[D, R]):
    """Decodes requests about one kind of entity, calls its registry, encodes what it answers.

    ``kind`` and ``other`` are ``client`` and ``channel``, or the reverse; ``new`` and ``changed``
    are the bodies that create and change one.
    """

    kind: ClassVar[EntityKind]
    other: ClassVar[str]
    new: ClassVar[type[Any]]
    changed: ClassVar[type[ChannelChangeBody]]

    def __init__(self, access: AccessControl, registry: EntityRegistry[D, R]) -> None:
        """Serve ``registry`` to whom ``access`` lets in."""
        self._access = access
        self._registry: EntityRegistry[D, R] = registry

    def routes(self) -> list[Route]:
        """Return the routes, each with one segment for the entity's ID."""
        every = f"/{{domain_id}}/{self.kind}s"
        one = f"{every}/{{{self.kind}_id}}"
        routes: list[tuple[str, str, Handler]] = [
            (every, "POST", self.create),
            (every, "GET", self.page),
            (f"{every}/bulk", "POST", self.create_all),
            (one, "GET", self.view),
            (one, "PATCH", self.change),
            (one, "DELETE", self.delete),
            (f"{one}/tags", "PATCH", self.change_tags),
            (f"{one}/roles/members", "GET", self.members),
            (f"{one}/enable", "POST", self.enable),
            (f"{one}/disable", "POST", self.disable),
        ]
        return [ExactRoute(path, handler, methods=[method]) for path, method, handler in routes]

    async def create(self, request: Request) -> Response:
        """Create one."""
        token, domain_id = await enter(self._access, request)
        draft: D = (await read(request, self.new)).draft()
        made = (await self._registry.create(token, domain_id, [draft]))[0]
        # A channel's ID may be any text.
        location = f"/{self.kind}s/{quote(made.id, safe='')}"
        return JSONResponse(self._show(made), 201, {"Location": location})

    async def create_all(self, request: Request) -> Response:
        """Create several or none."""
        token, domain_id = await enter(self._access, request)
        drafts: list[D] = [sent.draft() for sent in await read_all(request, self.new)]
        made = await self._registry.create(token, domain_id, drafts)
        shown = [self._show(one) for one in made]
        return JSONResponse({"total": len(made), f"{self.kind}s": shown})

    async def page(self, request: Request) -> Response:
        """List what the caller may read, each with what the caller may do with it."""
        token, domain_id = await enter(self._access, request)
        parameters = Query(request)
        query = list_query_of(parameters, self.other)
        if parameters.text("connection_type"):
            raise Unprocessable(NO_TYPE_FILTER)
        if user_id := parameters.text("user"):
            # What another user has is for the platform's administrator to ask.
            (await self._access.membership(token, domain_id)).caller.require_administrator()
            query = evolve(query, created_by=user_id)
        page = await self._registry.page(token, domain_id, query)
        if not page.items:
            return JSONResponse(page_json(f"{self.kind}s", page, query, self._show))
        membership = await self._access.membership(token, domain_id)
        return JSONResponse(
            page_json(f"{self.kind}s", page, query, lambda one: self._show_listed(one, membership))
        )

    async def view(self, request: Request) -> Response:
        """Return one; ``?roles=true`` adds what the caller may do with it."""
        token, domain_id = await enter(self._access, request)
        found = await self._registry.view(token, domain_id, self._key(request))
        shown = self._show(found)
        if Query(request).flag("roles"):
            membership = await self._access.membership(token, domain_id)
            shown["roles"] = [access_json(self.kind, found, membership)]
        return JSONResponse(shown)

    async def members(self, request: Request) -> Response:
        """List who has a role on one."""
        token, domain_id = await enter(self._access, request)
        found = await self._registry.view(token, domain_id, self._key(request))
        query = Query(request)
        offset = query.number("offset", 0, 0, OFFSET_MOST)
        limit = query.number("limit", PAGE_DEFAULT, 1, PAGE_MOST)
        shown = entity_members_json(self.kind, found)
        members = shown["members"][offset : offset + limit]
        return JSONResponse({**shown, "offset": offset, "limit": limit, "members": members})

    async def change(self, request: Request) -> Response:
        """Replace the name or a JSON object."""
        token, domain_id = await enter(self._access, request)
        values = (await read(request, self.changed)).values()
        key = self._key(request)
        return JSONResponse(self._show(await self._registry.change(token, domain_id, key, values)))

    async def change_tags(self, request: Request) -> Response:
        """Replace the tags."""
        token, domain_id = await enter(self._access, request)
        values = {"tags": (await read(request, TagsBody)).tags}
        changed = await self._registry.change(token, domain_id, self._key(request), values)
        return JSONResponse(self._show_changed(changed))

    async def enable(self, request: Request) -> Response:
        """Enable one."""
        return await self._change_status(request, Status.ENABLED)

    async def disable(self, request: Request) -> Response:
        """Disable one."""
        return await self._change_status(request, Status.DISABLED)

    async def delete(self, request: Request) -> Response:
        """Delete one."""
        token, domain_id = await enter(self._access, request)
        await self._registry.delete(token, domain_id, self._key(request))
        return empty(204)

    def _key(self, request: Request) -> str:
        return path_text(request, f"{self.kind}_id")

    async def _change_status(self, request: Request, status: Status) -> Response:
        token, domain_id = await enter(self._access, request)
        key = self._key(request)
        changed = await self._registry.change_status(token, domain_id, key, status)
        return JSONResponse(self._show_changed(changed))

    @abstractmethod
    def _show(self, found: R) -> dict[str, Any]:
        """Return one as it is shown by itself."""

    @abstractmethod
    def _show_changed(self, changed: R) -> dict[str, Any]:
        """Return one as the answers to changes of tags and status show it."""

    @abstractmethod
    def _show_listed(self, found: R, membership: Membership) -> dict[str, Any]:
        """Return one as lists show it."""


class ClientRoutes(EntityRoutes[NewClient, ClientRecord]):
    """The routes for clients: those of any entity, and one for the secret."""

    kind = "client"
    other = "channel"
    new = ClientBody
    changed = ClientChangeBody

    def __init__(self, platform: EmbeddedPlatform) -> None:
        """Serve the clients of ``platform``."""
        super().__init__(platform.access, platform.client_registry)
        self._clients = platform.client_registry

    def routes(self) -> list[Route]:
        """Return the routes."""
        secret = "/{domain_id}/clients/{client_id}/secret"  # noqa: S105 - a path
        return [*super().routes(), ExactRoute(secret, self.change_secret, methods=["PATCH"])]

    async def change_secret(self, request: Request) -> Response:
        """Replace a client's secret."""
        token, domain_id = await enter(self._access, request)
        secret = (await read(request, Credentials)).secret
        if not secret:
            raise Malformed("the new secret is missing")
        client_id = self._key(request)
        changed = await self._clients.change_secret(token, domain_id, client_id, secret)
        return JSONResponse(client_json_without_secret(changed))

    def _show(self, found: ClientRecord) -> dict[str, Any]:
        return client_json(found)

    def _show_changed(self, changed: ClientRecord) -> dict[str, Any]:
        return client_json_without_secret(changed)

    def _show_listed(self, found: ClientRecord, membership: Membership) -> dict[str, Any]:
        return listed_client_json(found, membership)


class ChannelRoutes(EntityRoutes[NewChannel, ChannelRecord]):
    """The routes for channels: those of any entity, and those that connect and disconnect."""

    kind = "channel"
    other = "client"
    new = ChannelBody
    changed = ChannelChangeBody

    def __init__(self, platform: EmbeddedPlatform) -> None:
        """Serve the channels and connections of ``platform``."""
        super().__init__(platform.access, platform.channel_registry)
        self._connections = platform.connections

    def routes(self) -> list[Route]:
        """Return the routes."""
        every, one = "/{domain_id}/channels", "/{domain_id}/channels/{channel_id}"
        return [
            ExactRoute(f"{every}/connect", self.connect, methods=["POST"]),
            ExactRoute(f"{every}/disconnect", self.disconnect, methods=["POST"]),
            ExactRoute(f"{one}/connect", self.connect_to_one, methods=["POST"]),
            ExactRoute(f"{one}/disconnect", self.disconnect_from_one, methods=["POST"]),
            *super().routes(),
        ]

    async def connect(self, request: Request) -> Response:
        """Connect clients to channels."""
        token, domain_id = await enter(self._access, request)
        wanted = (await read(request, ConnectionsBody)).connections()
        await self._connections.connect(token, domain_id, wanted)
        return empty(201)

    async def disconnect(self, request: Request) -> Response:
        """Disconnect clients from channels."""
        token, domain_id = await enter(self._access, request)
        unwanted = (await read(request, ConnectionsBody)).connections()
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

    def _show(self, found: ChannelRecord) -> dict[str, Any]:
        return channel_json(found)

    def _show_changed(self, changed: ChannelRecord) -> dict[str, Any]:
        return channel_json(changed)

    def _show_listed(self, found: ChannelRecord, membership: Membership) -> dict[str, Any]:
        return listed_channel_json(found, membership)


async def _on_one_channel(request: Request) -> Connections:
    sent = await read(request, ConnectionsBody)
    named = sent.connections(path_text(request, "channel_id"))
    require_uuids(named.client_ids)
    return named
