"""Magistrala's clients and channels: two services with the same routes and habits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import attrs
from attrs import frozen

from bootstrap_core.model import EntityKind, Status
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
from provision.platform.shapes import Shape, parse
from provision.platform.transport import Transport
from provision.platform.types import (
    Channel,
    Client,
    Connections,
    EntityChange,
    EntityQuery,
    NewChannel,
    NewClient,
    NewEntity,
    Page,
    StatusFilter,
)

DELETED: Final = "deleted"
REFUSED: Final = 400
STATUS_IS_SO: Final = ((422, "status already assigned"),)
VERBS: Final = {Status.ENABLED: "enable", Status.DISABLED: "disable"}

N = TypeVar("N", bound=NewEntity)
E = TypeVar("E", Client, Channel)


@frozen
class MagistralaEntities(Generic[N, E]):
    """The port ``Entities`` over HTTP.

    Lists of what is connected to one of the ``other`` kind name it so. ``taken`` has the refusals
    of what exists already.
    """

    transport: Transport
    kind: EntityKind
    other: EntityKind
    encode: Callable[[N], dict[str, Any]]
    decode: Callable[[Shape], E]
    taken: Meaning

    @property
    def service(self) -> str:
        """The service that has them."""
        return f"{self.kind}s"

    async def create(self, token: Secret, domain_id: str, drafts: Sequence[N]) -> Sequence[E]:
        if not drafts:
            return ()
        call = Call(
            self.service,
            f"create {self.service}",
            "POST",
            domain_path(domain_id, self.service, "bulk"),
            token,
            body=[self.encode(draft) for draft in drafts],
            meaning={**IN_DOMAIN, **self.taken},
            needs=f"{self.kind}_create",
            confidential=[draft.secret for draft in drafts if isinstance(draft, NewClient)],
        )
        shape = parse(await self.transport.send(call))
        made = {entity.id: entity for entity in map(self.decode, shape.items(self.service))}
        if made.keys() != {draft.id for draft in drafts}:
            raise BadAnswer(
                f"the {self.service} service's answer to {call.operation} can't be used: "
                f"{self.service} does not list the {len(drafts)} that were asked for",
                service=call.service,
                operation=call.operation,
            )
        return [made[draft.id] for draft in drafts]

    async def view(self, token: Secret, domain_id: str, entity_id: str) -> E:
        call = self._call("view", "GET", token, domain_id, entity_id)
        shape = parse(await self.transport.send(call))
        if shape.optional_text("status") == DELETED:
            raise HalfDeleted(
                f"{HalfDeleted.__doc__} The {self.service} service shows {entity_id} so",
                service=call.service,
                operation=call.operation,
            )
        return self.decode(shape)

    async def list(self, token: Secret, domain_id: str, query: EntityQuery) -> Page[E]:
        call = Call(
            self.service,
            f"list {self.service}",
            "GET",
            domain_path(domain_id, self.service),
            token,
            query=self._parameters(query),
            meaning=IN_DOMAIN,
            needs=f"{self.kind}_read",
            repeatable=True,
        )
        shape = parse(await self.transport.send(call))
        return Page(
            items=[self.decode(item) for item in shape.items(self.service)],
            total=shape.number("total"),
            offset=shape.number("offset", 0),
            limit=shape.number("limit", query.limit),
        )

    async def update(
        self, token: Secret, domain_id: str, entity_id: str, change: EntityChange
    ) -> E:
        body = {
            name: value
            for name, value in (("name", change.name), ("metadata", change.metadata))
            if value is not None
        }
        if change.tags is None:
            return await self._patch(token, domain_id, (entity_id,), body)
        # Tags have a route of their own.
        tags = {"tags": list(change.tags)}
        tagged = await self._patch(token, domain_id, (entity_id, "tags"), tags)
        return await self._patch(token, domain_id, (entity_id,), body) if body else tagged

    async def set_status(
        self, token: Secret, domain_id: str, entity_id: str, status: Status
    ) -> None:
        verb = VERBS[status]
        call = Call(
            self.service,
            f"{verb} {self.service}",
            "POST",
            domain_path(domain_id, self.service, entity_id, verb),
            token,
            meaning=OF_ENTITY,
            already=STATUS_IS_SO,
            repeatable=True,
        )
        await self.transport.send(call)

    async def delete(self, token: Secret, domain_id: str, entity_id: str) -> None:
        try:
            await self.transport.send(self._call("delete", "DELETE", token, domain_id, entity_id))
        except Rejected as error:
            # What has no roles yet, since its creation was cut short, is marked as deleted by that,
            # and each deletion is refused with 400: viewing it tells.
            if error.answered == REFUSED:
                await self.view(token, domain_id, entity_id)
            raise

    async def _patch(
        self,
        token: Secret,
        domain_id: str,
        path: Sequence[str],
        body: Mapping[str, Any],
        confidential: Sequence[Secret] = (),
    ) -> E:
        """Replace what ``body`` names of the entity at ``path``."""
        call = Call(
            self.service,
            f"update {self.service}",
            "PATCH",
            domain_path(domain_id, self.service, *path),
            token,
            body=body,
            meaning={**OF_ENTITY, **self.taken},
            repeatable=True,
            confidential=confidential,
        )
        return self.decode(parse(await self.transport.send(call)))

    def _call(self, verb: str, method: str, token: Secret, domain_id: str, entity_id: str) -> Call:
        return Call(
            self.service,
            f"{verb} {self.service}",
            method,
            domain_path(domain_id, self.service, entity_id),
            token,
            meaning=OF_ENTITY,
            repeatable=method == "GET",
        )

    def _parameters(self, query: EntityQuery) -> dict[str, str]:
        parameters = {"offset": str(query.offset), "limit": str(query.limit)}
        if query.id:
            parameters["id"] = query.id
        if query.name:
            parameters["name"] = query.name
        if query.metadata:
            parameters["metadata"] = json.dumps(query.metadata)
        if query.status is not StatusFilter.ENABLED:
            parameters["status"] = query.status.value
        if query.connected_to:
            parameters[self.other] = query.connected_to
        return parameters


class MagistralaClients(MagistralaEntities[NewClient, Client]):
    """The port ``Clients`` over HTTP."""

    async def update_secret(
        self, token: Secret, domain_id: str, client_id: str, secret: Secret
    ) -> Client:
        path, body = (client_id, "secret"), {"secret": secret.reveal()}
        client = await self._patch(token, domain_id, path, body, (secret,))
        return attrs.evolve(client, secret=secret)


CLIENT_TAKEN: Final[Meaning] = {
    (422, "failed to create entity"): AlreadyExists,
    (400, "client key is not available"): AlreadyExists,
}
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


def client_body(client: NewClient) -> dict[str, Any]:
    """Return the body that creates a client."""
    credentials = {"secret": client.secret.reveal()}
    if client.identity:
        credentials["identity"] = client.identity
    return {**_entity_body(client), "credentials": credentials}


def channel_body(channel: NewChannel) -> dict[str, Any]:
    """Return the body that creates a channel."""
    return _entity_body(channel) | ({"route": channel.route} if channel.route else {})


def _entity_body(new: NewEntity) -> dict[str, Any]:
    return {
        "id": new.id,
        "name": new.name,
        "metadata": dict(new.metadata),
        "tags": list(new.tags),
        "status": new.status.value,
    }


class MagistralaConnections:
    """The port's connections over HTTP: the channels service has them."""

    _transport: Transport

    async def connect(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Connect the whole product or nothing (``AlreadyExists`` when any part exists)."""
        call = Call(
            "channels",
            "connect clients to channels",
            "POST",
            domain_path(domain_id, "channels", "connect"),
            token,
            body=_product(connections),
            meaning=CONNECTED,
        )
        if _is_something(connections):
            await self._transport.send(call)

    async def disconnect(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Disconnect the whole product; what is not connected is no error."""
        call = Call(
            "channels",
            "disconnect clients from channels",
            "POST",
            domain_path(domain_id, "channels", "disconnect"),
            token,
            body=_product(connections),
            meaning=OF_ENTITY,
            repeatable=True,
        )
        if _is_something(connections):
            await self._transport.send(call)


def _product(connections: Connections) -> dict[str, list[str]]:
    return {
        "client_ids": list(connections.client_ids),
        "channel_ids": list(connections.channel_ids),
        "types": [kind.value for kind in connections.types],
    }


def _is_something(connections: Connections) -> bool:
    return bool(connections.client_ids and connections.channel_ids and connections.types)
