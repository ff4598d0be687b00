"""Mainflux's routes: things and channels that belong to a user.

Mainflux knows no domains: what a user makes lives in the user's own domain (the only one that the
user is a member of, else the configured one), and each user sees what that user made there. Source:
"System provisioning" of Mainflux's documentation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeVar

from attrs import evolve, field, frozen
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bootstrap_core.http.openapi import ExactRoute
from bootstrap_core.model import ConnectionType
from bootstrap_core.secrets import Secret
from provision.embedded.bodies import OFFSET_MOST, PAGE_DEFAULT, PAGE_MOST, Name, Sent
from provision.embedded.errors import (
    ConnectionExists,
    Hidden,
    Malformed,
    Missing,
    SignInRefused,
    WrongPassword,
)
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.records import (
    ChannelRecord,
    ClientRecord,
    DraftClient,
    ListQuery,
)
from provision.embedded.wire import (
    Handler,
    Query,
    bearer,
    empty,
    path_text,
    present,
    read,
)
from provision.platform.types import Connections, NewChannel, Page, StatusFilter

NO_DOMAIN: Final = (
    "you have no domain, or several: use the routes that name one, /{domain_id}/clients"
)

T = TypeVar("T", ClientRecord, ChannelRecord)


@frozen
class SignInBody(Sent):
    """With what a user signs in."""

    email: str = ""
    password: Secret = Secret("")


@frozen
class ThingBody(Sent):
    """A thing or channel to be created; a channel has no key."""

    name: Name = ""
    key: Secret = Secret("")
    metadata: Mapping[str, Any] = field(factory=dict)


@frozen
class Owner:
    """Who is calling, and where that user's things are."""

    token: Secret
    user_id: str
    domain_id: str

    def owns(self, entity: ClientRecord | ChannelRecord) -> bool:
        """Tell whether the caller made ``entity``."""
        return entity.created_by == self.user_id


class LegacyRoutes:
    """Speaks Mainflux to clients of old, in terms of the registries of today."""

    def __init__(self, platform: EmbeddedPlatform, default_domain: str = "") -> None:
        """Serve ``platform``; ``default_domain`` is for users who have none or several."""
        self._platform = platform
        self._default_domain = default_domain

    def routes(self) -> list[Route]:
        """Return the routes."""
        connection = "/channels/{channel_id}/things/{thing_id}"
        routes: list[tuple[str, str, Handler]] = [
            ("/tokens", "POST", self.sign_in),
            ("/things", "POST", self.create_thing),
            ("/things", "GET", self.things),
            ("/things/{thing_id}", "GET", self.thing),
            ("/things/{thing_id}", "DELETE", self.delete_thing),
            ("/things/{thing_id}/channels", "GET", self.channels_of_thing),
            ("/channels", "POST", self.create_channel),
            ("/channels", "GET", self.channels),
            ("/channels/{channel_id}", "GET", self.channel),
            ("/channels/{channel_id}", "DELETE", self.delete_channel),
            ("/channels/{channel_id}/things", "GET", self.things_of_channel),
            (connection, "PUT", self.connect),
            (connection, "DELETE", self.disconnect),
        ]
        return [ExactRoute(path, handler, methods=[method]) for path, method, handler in routes]

    async def sign_in(self, request: Request) -> Response:
        """Give an access token for an e-mail address and a password."""
        sent = await read(request, SignInBody)
        if not (sent.email and sent.password):
            raise Malformed("email and password are needed")
        try:
            tokens = await self._platform.users.sign_in(sent.email, sent.password)
        except (Missing, WrongPassword) as error:
            raise SignInRefused from error
        return JSONResponse({"token": tokens.access.reveal()}, 201, {"Cache-Control": "no-store"})

    async def create_thing(self, request: Request) -> Response:
        """Create a thing, which Magistrala calls a client."""
        owner = await self._owner(request)
        sent = await read(request, ThingBody)
        draft = DraftClient("", sent.name, sent.metadata, secret=sent.key)
        registry = self._platform.client_registry
        (made,) = await registry.create(owner.token, owner.domain_id, [draft])
        return _created(f"/things/{made.id}")

    async def create_channel(self, request: Request) -> Response:
        """Create a channel."""
        owner = await self._owner(request)
        sent = await read(request, ThingBody)
        draft = NewChannel("", sent.name, sent.metadata)
        registry = self._platform.channel_registry
        (made,) = await registry.create(owner.token, owner.domain_id, [draft])
        return _created(f"/channels/{made.id}")

    async def things(self, request: Request) -> Response:
        """List the caller's things."""
        return await self._things(request, await self._owner(request), "")

    async def channels(self, request: Request) -> Response:
        """List the caller's channels."""
        return await self._channels(request, await self._owner(request), "")

    async def things_of_channel(self, request: Request) -> Response:
        """List the things that are connected to one of the caller's channels."""
        owner = await self._owner(request)
        return await self._things(request, owner, (await self._channel(request, owner)).id)

    async def channels_of_thing(self, request: Request) -> Response:
        """List the channels that one of the caller's things is connected to."""
        owner = await self._owner(request)
        return await self._channels(request, owner, (await self._thing(request, owner)).id)

    async def thing(self, request: Request) -> Response:
        """Return one of the caller's things."""
        return JSONResponse(_thing_json(await self._thing(request, await self._owner(request))))

    async def channel(self, request: Request) -> Response:
        """Return one of the caller's channels."""
        return JSONResponse(_channel_json(await self._channel(request, await self._owner(request))))

    async def delete_thing(self, request: Request) -> Response:
        """Delete one of the caller's things; what is not there is no error."""
        owner = await self._owner(request)
        with suppress(Missing, Hidden):
            thing = await self._thing(request, owner)
            await self._platform.client_registry.delete(owner.token, owner.domain_id, thing.id)
        return empty(204)

    async def delete_channel(self, request: Request) -> Response:
        """Delete one of the caller's channels; what is not there is no error."""
        owner = await self._owner(request)
        with suppress(Missing, Hidden):
            channel = await self._channel(request, owner)
            await self._platform.channel_registry.delete(owner.token, owner.domain_id, channel.id)
        return empty(204)

    async def connect(self, request: Request) -> Response:
        """Let a thing send and receive on a channel; once it may, that is no error."""
        owner = await self._owner(request)
        wanted = await self._connection(request, owner)
        for kind in wanted.types:
            with suppress(ConnectionExists):
                await self._platform.connections.connect(
                    owner.token, owner.domain_id, evolve(wanted, types=[kind])
                )
        return empty(200)

    async def disconnect(self, request: Request) -> Response:
        """Cut a thing off from a channel."""
        owner = await self._owner(request)
        unwanted = await self._connection(request, owner)
        await self._platform.connections.disconnect(owner.token, owner.domain_id, unwanted)
        return empty(204)

    async def _owner(self, request: Request) -> Owner:
        token = bearer(request)
        caller = await self._platform.access.caller(token)
        mine = await self._platform.domains.page(token, ListQuery(limit=2))
        if mine.total == 1:
            domain_id = mine.items[0].id
        else:
            domain_id = self._default_domain or await self._platform.domains.home(token)
        if not domain_id:
            raise Malformed(NO_DOMAIN)
        await self._platform.access.tell_entry(token, domain_id)
        return Owner(token, caller.id, domain_id)

    async def _thing(self, request: Request, owner: Owner) -> ClientRecord:
        find, key = self._platform.client_registry.view, path_text(request, "thing_id")
        return await _own(owner, find, key)

    async def _channel(self, request: Request, owner: Owner) -> ChannelRecord:
        find, key = self._platform.channel_registry.view, path_text(request, "channel_id")
        return await _own(owner, find, key)

    async def _connection(self, request: Request, owner: Owner) -> Connections:
        thing, channel = await self._thing(request, owner), await self._channel(request, owner)
        return Connections([thing.id], [channel.id], list(ConnectionType))

    async def _things(self, request: Request, owner: Owner, channel_id: str) -> Response:
        query = _list_query(request, owner, channel_id)
        page = await self._platform.client_registry.page(owner.token, owner.domain_id, query)
        return _page("things", page, [_thing_json(thing) for thing in page.items])

    async def _channels(self, request: Request, owner: Owner, thing_id: str) -> Response:
        query = _list_query(request, owner, thing_id)
        page = await self._platform.channel_registry.page(owner.token, owner.domain_id, query)
        return _page("channels", page, [_channel_json(channel) for channel in page.items])


async def _own(owner: Owner, find: Callable[[Secret, str, str], Awaitable[T]], key: str) -> T:
    try:
        found = await find(owner.token, owner.domain_id, key)
    except Hidden as error:
        raise Missing("you have no such thing or channel") from error
    if not owner.owns(found):
        raise Missing("you have no such thing or channel")
    return found


def _list_query(request: Request, owner: Owner, connected_to: str) -> ListQuery:
    query = Query(request)
    return ListQuery(
        offset=query.number("offset", 0, 0, OFFSET_MOST),
        limit=query.number("limit", PAGE_DEFAULT, 1, PAGE_MOST),
        status=StatusFilter.ALL,
        connected_to=connected_to,
        created_by=owner.user_id,
        descending=False,
    )


def _page(name: str, page: Page[Any], elements: list[dict[str, Any]]) -> Response:
    head = {"total": page.total, "offset": page.offset, "limit": page.limit}
    return JSONResponse({**head, name: elements})


def _created(location: str) -> Response:
    answer = empty(201)
    answer.headers["Location"] = location
    return answer


def _thing_json(thing: ClientRecord) -> dict[str, Any]:
    shown = {"id": thing.id, "name": thing.name, "metadata": thing.metadata}
    return {**present(shown), "key": thing.secret.reveal()}


def _channel_json(channel: ChannelRecord) -> dict[str, Any]:
    return present({"id": channel.id, "name": channel.name, "metadata": channel.metadata})
