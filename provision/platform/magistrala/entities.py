"""Magistrala's clients and channels services: the same routes and habits, said once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs

from bootstrap_core.secrets import Secret
from provision.platform.errors import (
    AlreadyExists,
    BadAnswer,
    HalfDeleted,
    NotReady,
    Rejected,
    RouteTaken,
)
from provision.platform.magistrala.calls import IN_DOMAIN, OF_ENTITY, Call, Meaning, domain_path
from provision.platform.magistrala.decoding import Shape, parse
from provision.platform.magistrala.transport import Transport
from provision.platform.types import (
    Channel,
    ChannelChange,
    ChannelQuery,
    Client,
    ClientChange,
    ClientQuery,
    Connections,
    NewChannel,
    NewClient,
    Page,
    StatusFilter,
)

DELETED: Final = "deleted"
REFUSED: Final = 400
STATUS_IS_SO: Final = ((422, "status already assigned"),)


class Entity(Protocol):
    """What is made with an ID of the caller's choice."""

    @property
    def id(self) -> str:
        """The ID."""
        ...


E = TypeVar("E", bound=Entity)


class Entities(Generic[E]):
    """The clients or the channels, as ``service`` has them."""

    def __init__(
        self,
        transport: Transport,
        service: str,
        decode: Callable[[Shape], E],
        taken: Meaning,
    ) -> None:
        """Speak to ``service``; ``taken`` has the refusals of what exists already."""
        self._transport = transport
        self._service = service
        self._decode = decode
        self._taken = taken

    async def create(
        self,
        token: Secret,
        domain_id: str,
        drafts: Sequence[Mapping[str, Any]],
        confidential: Sequence[Secret] = (),
    ) -> Sequence[E]:
        """Create all or none in one call; return them in the order of ``drafts``.

        Raises ``BadAnswer`` when the answer does not have exactly what was asked for.
        """
        if not drafts:
            return ()
        call = Call(
            self._service,
            f"create {self._service}",
            "POST",
            domain_path(domain_id, self._service, "bulk"),
            token,
            body=drafts,
            meaning={**IN_DOMAIN, **self._taken},
            needs=f"{self._service.removesuffix('s')}_create",
            confidential=confidential,
        )
        shape = parse(await self._transport.send(call))
        made = {each.id: each for each in map(self._decode, shape.items(self._service))}
        if made.keys() != {draft["id"] for draft in drafts}:
            raise BadAnswer(
                f"the {self._service} service's answer to {call.operation} can't be used: "
                f"{self._service} does not list the {len(drafts)} that were asked for",
                service=call.service,
                operation=call.operation,
            )
        return [made[draft["id"]] for draft in drafts]

    async def view(self, token: Secret, domain_id: str, entity_id: str) -> E:
        """Return one; raises ``HalfDeleted`` where it is marked as deleted."""
        call = self._call("view", "GET", token, domain_id, entity_id)
        shape = parse(await self._transport.send(call))
        if shape.optional_text("status") == DELETED:
            raise HalfDeleted(
                f"{HalfDeleted.__doc__} The {self._service} service shows {entity_id} so",
                service=call.service,
                operation=call.operation,
            )
        return self._decode(shape)

    async def page(
        self,
        token: Secret,
        domain_id: str,
        query: ClientQuery | ChannelQuery,
        connected: Mapping[str, str],
    ) -> Page[E]:
        """Return one page of the list; ``connected`` filters by what is connected."""
        call = Call(
            self._service,
            f"list {self._service}",
            "GET",
            domain_path(domain_id, self._service),
            token,
            query={**_filters(query), **connected},
            meaning=IN_DOMAIN,
            needs=f"{self._service.removesuffix('s')}_read",
            repeatable=True,
        )
        shape = parse(await self._transport.send(call))
        return Page(
            items=[self._decode(each) for each in shape.items(self._service)],
            total=shape.number("total"),
            offset=shape.number("offset", 0),
            limit=shape.number("limit", query.limit),
        )

    async def update(
        self, token: Secret, domain_id: str, entity_id: str, change: ClientChange | ChannelChange
    ) -> E:
        """Replace the named fields; tags have a route of their own, so they go first."""
        body = {
            name: value
            for name, value in (("name", change.name), ("metadata", change.metadata))
            if value is not None
        }
        if change.tags is None:
            return await self.patch(token, domain_id, (entity_id,), body)
        tagged = await self.patch(
            token, domain_id, (entity_id, "tags"), {"tags": list(change.tags)}
        )
        return await self.patch(token, domain_id, (entity_id,), body) if body else tagged

    async def patch(
        self,
        token: Secret,
        domain_id: str,
        path: Sequence[str],
        body: Mapping[str, Any],
        confidential: Sequence[Secret] = (),
    ) -> E:
        """Replace what ``body`` names of the entity at ``path``."""
        call = Call(
            self._service,
            f"update {self._service}",
            "PATCH",
            domain_path(domain_id, self._service, *path),
            token,
            body=body,
            meaning={**OF_ENTITY, **self._taken},
            repeatable=True,
            confidential=confidential,
        )
        return self._decode(parse(await self._transport.send(call)))

    async def set_status(self, verb: str, token: Secret, domain_id: str, entity_id: str) -> None:
        """Enable or disable (``verb``); what is so already stays so."""
        call = Call(
            self._service,
            f"{verb} {self._service}",
            "POST",
            domain_path(domain_id, self._service, entity_id, verb),
            token,
            meaning=OF_ENTITY,
            already=STATUS_IS_SO,
            repeatable=True,
        )
        await self._transport.send(call)

    async def delete(self, token: Secret, domain_id: str, entity_id: str) -> None:
        """Delete one; raises ``NotFound`` when it is not there.

        What has no roles yet, since its creation was cut short, is marked as deleted by that, and
        each deletion is refused with 400: ``HalfDeleted``.
        """
        try:
            await self._transport.send(self._call("delete", "DELETE", token, domain_id, entity_id))
        except Rejected as error:
            if error.answered == REFUSED:
                await self.view(token, domain_id, entity_id)
            raise

    def _call(self, verb: str, method: str, token: Secret, domain_id: str, entity_id: str) -> Call:
        return Call(
            self._service,
            f"{verb} {self._service}",
            method,
            domain_path(domain_id, self._service, entity_id),
            token,
            meaning=OF_ENTITY,
            repeatable=method == "GET",
        )


def _filters(query: ClientQuery | ChannelQuery) -> dict[str, str]:
    filters = {"offset": str(query.offset), "limit": str(query.limit)}
    if query.id:
        filters["id"] = query.id
    if query.name:
        filters["name"] = query.name
    if query.metadata:
        filters["metadata"] = json.dumps(query.metadata)
    if query.status is not StatusFilter.ENABLED:
        filters["status"] = query.status.value
    return filters


CLIENT_TAKEN: Final[Meaning] = {
    (422, "failed to create entity"): AlreadyExists,
    (400, "client key is not available"): AlreadyExists,
}


class MagistralaClients:
    """The port ``Clients`` over HTTP."""

    _clients: Entities[Client]

    async def create_clients(
        self, token: Secret, domain_id: str, clients: Sequence[NewClient]
    ) -> Sequence[Client]:
        """Create all of ``clients`` or none (``AlreadyExists`` when an ID or secret is taken)."""
        secrets = [client.secret for client in clients]
        return await self._clients.create(token, domain_id, [*map(_client_draft, clients)], secrets)

    async def view_client(self, token: Secret, domain_id: str, client_id: str) -> Client:
        """Return one client with its secret."""
        return await self._clients.view(token, domain_id, client_id)

    async def list_clients(self, token: Secret, domain_id: str, query: ClientQuery) -> Page[Client]:
        """List clients, newest first; a caller who is no member gets an empty list."""
        connected = {"channel": query.channel_id} if query.channel_id else {}
        return await self._clients.page(token, domain_id, query, connected)

    async def update_client(
        self, token: Secret, domain_id: str, client_id: str, change: ClientChange
    ) -> Client:
        """Replace the named fields of a client; a disabled one is ``NotFound``."""
        return await self._clients.update(token, domain_id, client_id, change)

    async def update_client_secret(
        self, token: Secret, domain_id: str, client_id: str, secret: Secret
    ) -> Client:
        """Replace a client's secret (``AlreadyExists`` when it is taken)."""
        path, body = (client_id, "secret"), {"secret": secret.reveal()}
        client = await self._clients.patch(token, domain_id, path, body, (secret,))
        return attrs.evolve(client, secret=secret)

    async def enable_client(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Enable a client; one that is enabled already stays so."""
        await self._clients.set_status("enable", token, domain_id, client_id)

    async def disable_client(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Disable a client; one that is disabled already stays so."""
        await self._clients.set_status("disable", token, domain_id, client_id)

    async def delete_client(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Delete a client and its connections (``NotFound`` when it is not there)."""
        await self._clients.delete(token, domain_id, client_id)


def _client_draft(client: NewClient) -> dict[str, Any]:
    credentials = {"secret": client.secret.reveal()}
    if client.identity:
        credentials["identity"] = client.identity
    return {
        "id": client.id,
        "name": client.name,
        "credentials": credentials,
        "metadata": dict(client.metadata),
        "tags": list(client.tags),
        "status": client.status.value,
    }


SERVICE: Final = "channels"
CHANNEL_TAKEN: Final[Meaning] = {
    (400, "channel id already exists"): AlreadyExists,
    (400, "route not available"): RouteTaken,
}
CONNECTED: Final[Meaning] = {
    **OF_ENTITY,
    (400, "entity already exists"): AlreadyExists,
    # Said of a client that is disabled, and of any while the clients service does not answer.
    (422, "failed to create entity"): NotReady,
}


class MagistralaChannels:
    """The port ``Channels`` over HTTP."""

    _channels: Entities[Channel]

    async def create_channels(
        self, token: Secret, domain_id: str, channels: Sequence[NewChannel]
    ) -> Sequence[Channel]:
        """Create all of ``channels`` or none (``AlreadyExists`` when an ID or route is taken)."""
        return await self._channels.create(token, domain_id, [*map(_channel_draft, channels)])

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

        Raises ``NotFound`` (a client or channel is not there) and ``NotReady`` (one is disabled,
        or the channels service does not reach the clients service).
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


def _channel_draft(channel: NewChannel) -> dict[str, Any]:
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
