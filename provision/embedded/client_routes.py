"""Magistrala's routes for clients."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bootstrap_core.secret import Secret
from provision.embedded.decoding import NO_TYPE_FILTER, changes_of, client_of, list_query_of
from provision.embedded.encoding import (
    access_json,
    client_json,
    client_json_without_secret,
    listed_client_json,
    page_json,
)
from provision.embedded.entrance import enter
from provision.embedded.errors import Malformed, Unprocessable
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.wire import Query, empty, path_text, read_object, read_objects
from provision.platform.types import Status


class ClientRoutes:
    """Decodes requests about clients, calls the registry, encodes what it answers."""

    def __init__(self, platform: EmbeddedPlatform) -> None:
        """Serve the clients of ``platform``."""
        self._access = platform.access
        self._clients = platform.clients

    def routes(self) -> list[Route]:
        """Return the routes, each with one segment for the client's ID."""
        one = "/{domain_id}/clients/{client_id}"
        return [
            Route("/{domain_id}/clients", self.create, methods=["POST"]),
            Route("/{domain_id}/clients", self.page, methods=["GET"]),
            Route("/{domain_id}/clients/bulk", self.create_all, methods=["POST"]),
            Route(one, self.view, methods=["GET"]),
            Route(one, self.change, methods=["PATCH"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/tags", self.change_tags, methods=["PATCH"]),
            Route(f"{one}/secret", self.change_secret, methods=["PATCH"]),
            Route(f"{one}/enable", self.enable, methods=["POST"]),
            Route(f"{one}/disable", self.disable, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        """Create one client."""
        token, domain_id = await enter(self._access, request)
        draft = client_of(await read_object(request))
        made = (await self._clients.create(token, domain_id, [draft]))[0]
        return JSONResponse(client_json(made), 201, {"Location": f"/clients/{made.id}"})

    async def create_all(self, request: Request) -> Response:
        """Create several clients or none."""
        token, domain_id = await enter(self._access, request)
        drafts = [client_of(fields) for fields in await read_objects(request)]
        made = await self._clients.create(token, domain_id, drafts)
        return JSONResponse({"total": len(made), "clients": [client_json(one) for one in made]})

    async def page(self, request: Request) -> Response:
        """List clients."""
        token, domain_id = await enter(self._access, request)
        parameters = Query(request)
        query = list_query_of(parameters, "channel")
        if parameters.text("connection_type"):
            raise Unprocessable(NO_TYPE_FILTER)
        page = await self._clients.page(token, domain_id, query)
        if not page.items:
            return JSONResponse(page_json("clients", page, query, client_json))
        membership = await self._access.membership(token, domain_id)
        return JSONResponse(
            page_json("clients", page, query, lambda one: listed_client_json(one, membership))
        )

    async def view(self, request: Request) -> Response:
        """Return one client; ``?roles=true`` adds what the caller may do with it."""
        token, domain_id = await enter(self._access, request)
        client = await self._clients.view(token, domain_id, path_text(request, "client_id"))
        shown = client_json(client)
        if Query(request).flag("roles"):
            membership = await self._access.membership(token, domain_id)
            shown["roles"] = [access_json("client", client, membership)]
        return JSONResponse(shown)

    async def change(self, request: Request) -> Response:
        """Replace a client's name or metadata."""
        token, domain_id = await enter(self._access, request)
        values = changes_of(await read_object(request), ("metadata", "private_metadata"))
        client_id = path_text(request, "client_id")
        return JSONResponse(
            client_json(await self._clients.change(token, domain_id, client_id, values))
        )

    async def change_tags(self, request: Request) -> Response:
        """Replace a client's tags."""
        token, domain_id = await enter(self._access, request)
        values = {"tags": (await read_object(request)).texts("tags")}
        client_id = path_text(request, "client_id")
        changed = await self._clients.change(token, domain_id, client_id, values)
        return JSONResponse(client_json_without_secret(changed))

    async def change_secret(self, request: Request) -> Response:
        """Replace a client's secret."""
        token, domain_id = await enter(self._access, request)
        secret = Secret((await read_object(request)).text("secret"))
        if not secret:
            raise Malformed("the new secret is missing")
        client_id = path_text(request, "client_id")
        changed = await self._clients.change_secret(token, domain_id, client_id, secret)
        return JSONResponse(client_json_without_secret(changed))

    async def enable(self, request: Request) -> Response:
        """Enable a client."""
        return await self._change_status(request, Status.ENABLED)

    async def disable(self, request: Request) -> Response:
        """Disable a client."""
        return await self._change_status(request, Status.DISABLED)

    async def delete(self, request: Request) -> Response:
        """Delete a client."""
        token, domain_id = await enter(self._access, request)
        await self._clients.delete(token, domain_id, path_text(request, "client_id"))
        return empty(204)

    async def _change_status(self, request: Request, status: Status) -> Response:
        token, domain_id = await enter(self._access, request)
        client_id = path_text(request, "client_id")
        changed = await self._clients.change_status(token, domain_id, client_id, status)
        return JSONResponse(client_json_without_secret(changed))
