"""Magistrala's routes for clients."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bootstrap_core.secret import Secret
from provision.embedded.access import Membership
from provision.embedded.decoding import client_of
from provision.embedded.encoding import (
    client_json,
    client_json_without_secret,
    listed_client_json,
)
from provision.embedded.entity_routes import EntityRoutes
from provision.embedded.entrance import enter
from provision.embedded.errors import Malformed
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.records import ClientRecord, DraftClient
from provision.embedded.wire import Fields, read_object


class ClientRoutes(EntityRoutes[DraftClient, ClientRecord]):
    """The routes for clients: those of any entity, and one for the secret."""

    kind = "client"
    other = "channel"
    documents = ("metadata", "private_metadata")

    def __init__(self, platform: EmbeddedPlatform) -> None:
        """Serve the clients of ``platform``."""
        super().__init__(platform.access, platform.clients)
        self._clients = platform.clients

    def routes(self) -> list[Route]:
        """Return the routes."""
        secret = "/{domain_id}/clients/{client_id}/secret"  # noqa: S105 - a path
        return [*super().routes(), Route(secret, self.change_secret, methods=["PATCH"])]

    async def change_secret(self, request: Request) -> Response:
        """Replace a client's secret."""
        token, domain_id = await enter(self._access, request)
        secret = Secret((await read_object(request)).text("secret"))
        if not secret:
            raise Malformed("the new secret is missing")
        client_id = self._key(request)
        changed = await self._clients.change_secret(token, domain_id, client_id, secret)
        return JSONResponse(client_json_without_secret(changed))

    def _read(self, fields: Fields) -> DraftClient:
        return client_of(fields)

    def _show(self, found: ClientRecord) -> dict[str, Any]:
        return client_json(found)

    def _show_changed(self, changed: ClientRecord) -> dict[str, Any]:
        return client_json_without_secret(changed)

    def _show_listed(self, found: ClientRecord, membership: Membership) -> dict[str, Any]:
        return listed_client_json(found, membership)
