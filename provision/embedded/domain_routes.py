"""Magistrala's routes for domains."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from provision.embedded.decoding import changes_of, list_query_of, name_of, route_of
from provision.embedded.encoding import domain_json, held_role_json, page_json
from provision.embedded.entrance import enter
from provision.embedded.errors import Malformed
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.wire import Query, bearer, empty, read_object
from provision.platform.types import Status


class DomainRoutes:
    """Decodes requests about domains, calls the registry, encodes what it answers."""

    def __init__(self, platform: EmbeddedPlatform) -> None:
        """Serve the domains of ``platform``."""
        self._access = platform.access
        self._domains = platform.domains
        self._roles = platform.roles

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/domains", self.create, methods=["POST"]),
            Route("/domains", self.page, methods=["GET"]),
            Route("/domains/{domain_id}", self.view, methods=["GET"]),
            Route("/domains/{domain_id}", self.change, methods=["PATCH"]),
            Route("/domains/{domain_id}/enable", self.enable, methods=["POST"]),
            Route("/domains/{domain_id}/disable", self.disable, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        """Create a domain that the caller operates; its ID is always chosen here."""
        token = bearer(request)
        await self._access.caller(token)
        fields = await read_object(request)
        name, route = name_of(fields), route_of(fields)
        if not (name and route):
            raise Malformed("name and route of the domain are needed")
        made = await self._domains.create(
            token, name, route, fields.texts("tags"), fields.document("metadata")
        )
        return JSONResponse(domain_json(made), 201)

    async def page(self, request: Request) -> Response:
        """List the caller's domains."""
        token = bearer(request)
        await self._access.caller(token)
        query = list_query_of(Query(request))
        page = await self._domains.page(token, query)
        return JSONResponse(page_json("domains", page, query, domain_json))

    async def view(self, request: Request) -> Response:
        """Return a domain; ``?roles=true`` adds the roles that the caller holds in it."""
        token, domain_id = await enter(self._access, request)
        shown = domain_json(await self._domains.view(token, domain_id))
        if Query(request).flag("roles"):
            held = await self._roles.held(token, domain_id)
            shown["member_id"] = (await self._access.caller(token)).id
            shown["roles"] = [held_role_json(role) for role in held]
        return JSONResponse(shown)

    async def change(self, request: Request) -> Response:
        """Replace a domain's name, metadata or tags."""
        token, domain_id = await enter(self._access, request)
        fields = await read_object(request)
        values = changes_of(fields, ("metadata",))
        if "tags" in fields:
            values["tags"] = fields.texts("tags")
        return JSONResponse(domain_json(await self._domains.change(token, domain_id, values)))

    async def enable(self, request: Request) -> Response:
        """Enable a domain."""
        token, domain_id = await enter(self._access, request)
        await self._domains.change_status(token, domain_id, Status.ENABLED)
        return empty(200)

    async def disable(self, request: Request) -> Response:
        """Disable a domain."""
        token, domain_id = await enter(self._access, request)
        await self._domains.change_status(token, domain_id, Status.DISABLED)
        return empty(200)
