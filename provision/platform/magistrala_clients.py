"""Magistrala's clients service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from bootstrap_core.secret import Secret
from provision.platform.errors import AlreadyExists
from provision.platform.magistrala_call import Meaning
from provision.platform.magistrala_entities import Entities
from provision.platform.types import Client, ClientChange, ClientQuery, NewClient, Page

TAKEN: Final[Meaning] = {
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
        return await self._clients.create(token, domain_id, [*map(_draft, clients)], secrets)

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


def _draft(client: NewClient) -> dict[str, Any]:
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
