"""Clients on Atom: its devices, each with a key of its own."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from bootstrap_core.model import ConnectionType, Status, is_uuid
from bootstrap_core.secrets import Secret
from provision.platform.atom.calls import Graph, Reply
from provision.platform.atom.decoding import (
    device_attributes,
    is_ended,
    to_client,
)
from provision.platform.atom.entities import CLIENT, AtomEntities, deleted
from provision.platform.atom.grants import grants_of
from provision.platform.atom.operations import (
    CREATE_ENTITY,
    CREATE_KEY,
    CREDENTIALS,
    DELETE_ENTITY,
    DELETE_POLICY,
    DISABLE_ENTITY,
    ENABLE_ENTITY,
    POLICIES,
    REVEAL_KEY,
    REVOKE_KEY,
    Asked,
    ask,
)
from provision.platform.errors import (
    Moved,
    NotPermitted,
)
from provision.platform.shapes import Shape
from provision.platform.types import Client, EntityChange, EntityQuery, NewClient, Page


@frozen
class AtomClients:
    """Atom's devices, as the clients of its tenants."""

    graph: Graph

    @property
    def _clients(self) -> AtomEntities[Client]:
        return AtomEntities(self.graph, CLIENT)

    async def create(
        self, token: Secret, domain_id: str, drafts: Sequence[NewClient]
    ) -> Sequence[Client]:
        """Create devices, each with a key.

        Raises ``AlreadyExists``: an ID is taken; the others are made, and each has its key. Raises
        ``NameTaken`` and ``Spent``, a wrong ID for ever. Secrets need not be unique here.
        """
        if not drafts:
            return ()
        parts: list[Asked] = []
        for place, client in enumerate(drafts):
            made = {
                "id": client.id,
                "kind": CLIENT.kind,
                "name": client.name,
                "tenantId": domain_id,
                "attributes": device_attributes(client),
            }
            key = {"key": client.secret.reveal()}
            parts.append(ask(f"c{place}", CREATE_ENTITY, input=made))
            parts.append(ask(f"k{place}", CREATE_KEY, entityId=client.id, input=key))
        secrets = [client.secret for client in drafts]
        operation = "create clients"
        reply = await self.graph.ask(token, operation, parts, confidential=secrets, together=2)
        if reply.errors:
            await self._drop_twins(token, drafts, reply)
            named = [(f"c{place}", draft.id, draft.name) for place, draft in enumerate(drafts)]
            await self._clients.refused(token, domain_id, _without_orphans(reply), named)
        disabled = [draft.id for draft in drafts if draft.status is Status.DISABLED]
        if disabled:
            offs = [
                ask(f"d{at}", DISABLE_ENTITY, id=client_id) for at, client_id in enumerate(disabled)
            ]
            (await self.graph.ask(token, operation, offs, repeatable=True)).raise_first()
        return [
            evolve(to_client(reply[f"c{place}"]), secret=client.secret, status=client.status)
            for place, client in enumerate(drafts)
        ]

    async def _drop_twins(self, token: Secret, clients: Sequence[NewClient], reply: Reply) -> None:
        """Take the key that a client was given a second time, since it was there before."""
        for place, client in enumerate(clients):
            again = reply.shapes.get(f"k{place}")
            if again is None or f"c{place}" not in reply.errors:
                continue
            new = again.text("credentialId")
            keys = await self._keys(token, client.id, "create clients", (client.secret,))
            if any(key == client.secret for key_id, key in keys if key_id != new):
                parts = [ask("twin", REVOKE_KEY, entityId=client.id, credentialId=new)]
                await self.graph.ask(token, "create clients", parts, repeatable=True)

    async def view(self, token: Secret, domain_id: str, client_id: str) -> Client:
        """Return one client with its newest good key, if the caller may see keys."""
        shape = await self._clients.view(token, domain_id, client_id, "view")
        client = to_client(shape)
        try:
            keys = await self._keys(token, client_id, "view a client")
        except NotPermitted:
            return client
        return evolve(client, secret=keys[0][1]) if keys else client

    async def _keys(
        self, token: Secret, client_id: str, operation: str, confidential: Sequence[Secret] = ()
    ) -> list[tuple[str, Secret]]:
        """Return the ID and text of each good key, the newest first."""
        parts = [ask("keys", CREDENTIALS, entityId=client_id)]
        good = _good((await self.graph.ask(token, operation, parts))["keys"])
        reveal = [
            ask(f"k{place}", REVEAL_KEY, entityId=client_id, credentialId=key_id)
            for place, key_id in enumerate(good)
        ]
        if not reveal:
            return []
        reply = await self.graph.ask(
            token, operation, reveal, confidential=confidential, repeatable=True
        )
        return [
            (key_id, Secret(reply.shapes[f"k{place}"].text("key")))
            for place, key_id in enumerate(good)
            if f"k{place}" in reply.shapes
        ]

    async def list(self, token: Secret, domain_id: str, query: EntityQuery) -> Page[Client]:
        """List clients, newest first.

        Who is on a channel can't be asked: the policies of the clients that are named are read, or
        else those of the whole domain.
        """
        if not query.connected_to:
            return await self._clients.page(token, domain_id, query, None)
        if not is_uuid(domain_id.lower()):
            return await self._clients.page(token, domain_id, query, ())
        asked = [query.id] if query.id else query.among or None
        types: dict[str, frozenset[ConnectionType]] = {}
        for grant in await grants_of(self.graph, token, domain_id, asked):
            if grant.channel_id == query.connected_to.lower() and grant.types:
                types[grant.client_id] = types.get(grant.client_id, frozenset()) | grant.types
        page = await self._clients.page(token, domain_id, query, tuple(types))
        return evolve(
            page, items=[evolve(client, connection_types=types[client.id]) for client in page.items]
        )

    async def update(
        self, token: Secret, domain_id: str, client_id: str, change: EntityChange
    ) -> Client:
        return await self._clients.update(token, domain_id, client_id, change)

    async def update_secret(
        self, token: Secret, domain_id: str, client_id: str, secret: Secret
    ) -> Client:
        """Give a client another key, then revoke all others that it has."""
        operation = "update a client's secret"
        shape = await self._clients.view(token, domain_id, client_id, "update")
        made = [ask("key", CREATE_KEY, entityId=client_id, input={"key": secret.reveal()})]
        reply = await self.graph.ask(token, operation, made, confidential=(secret,))
        new = self._clients.seen(reply, "key").text("credentialId")
        parts = [ask("keys", CREDENTIALS, entityId=client_id)]
        others = _good((await self.graph.ask(token, operation, parts))["keys"], but=new)
        if others:
            revoked = [
                ask(f"r{place}", REVOKE_KEY, entityId=client_id, credentialId=key_id)
                for place, key_id in enumerate(others)
            ]
            (await self.graph.ask(token, operation, revoked, repeatable=True)).raise_first()
        return evolve(to_client(shape), secret=secret)

    async def set_status(
        self, token: Secret, domain_id: str, client_id: str, status: Status
    ) -> None:
        enables = status is Status.ENABLED
        verb, switch = ("enable", ENABLE_ENTITY) if enables else ("disable", DISABLE_ENTITY)
        await self._clients.view(token, domain_id, client_id, verb)
        parts = [ask("one", switch, id=client_id)]
        reply = await self.graph.ask(token, f"{verb} a client", parts, repeatable=True)
        self._clients.seen(reply, "one")

    async def delete(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Delete a client after its policies, which Atom would keep for ever."""
        operation = "delete a client"
        try:
            await self._clients.view(token, domain_id, client_id, "delete")
        except Moved:
            # Wherever it is, it keeps no right here.
            parts = await self._without_policies(token, domain_id, client_id, operation)
            if parts:
                await self.graph.ask(token, operation, parts, repeatable=True)
            raise
        parts = await self._without_policies(token, domain_id, client_id, operation)
        deletion = ask("one", DELETE_ENTITY, id=client_id)
        deleted(await self.graph.ask(token, operation, [*parts, deletion]))

    async def _without_policies(
        self, token: Secret, domain_id: str, client_id: str, operation: str
    ) -> Sequence[Asked]:
        """Return what deletes each policy of a client."""
        of_client = {"tenantId": domain_id, "subjectKind": "entity", "subjectId": client_id}
        policies = await self.graph.every(token, operation, POLICIES, **of_client)
        return [
            ask(f"p{place}", DELETE_POLICY, id=policy.text("id"))
            for place, policy in enumerate(policies)
        ]


def _without_orphans(reply: Reply) -> Reply:
    """Leave out what failed only because its client was not made: a key."""
    errors = {
        alias: error
        for alias, error in reply.errors.items()
        if not (alias.startswith("k") and f"c{alias[1:]}" in reply.errors)
    }
    return Reply(reply.shapes, errors)


def _good(keys: Shape, but: str = "") -> list[str]:
    return [
        key.text("id")
        for key in keys.items("items")
        if key.text("kind") == "shared_key"
        and key.text("status") == "active"
        and key.text("id") != but
        and not is_ended(key)
    ]
