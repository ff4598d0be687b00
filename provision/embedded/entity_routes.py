"""The routes that clients and channels have alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from provision.embedded.access import AccessControl, Membership
from provision.embedded.decoding import NO_TYPE_FILTER, changes_of, list_query_of
from provision.embedded.encoding import access_json, page_json
from provision.embedded.entities import D, EntityRegistry, R
from provision.embedded.entrance import enter
from provision.embedded.errors import Unprocessable
from provision.embedded.wire import (
    Fields,
    Handler,
    Query,
    empty,
    path_text,
    read_object,
    read_objects,
)
from provision.platform.types import Status


class EntityRoutes(ABC, Generic[D, R]):
    """Decodes requests about one kind of entity, calls its registry, encodes what it answers.

    ``kind`` and ``other`` are ``client`` and ``channel``, or the reverse; ``documents`` are the
    JSON objects that a PATCH may replace.
    """

    kind: ClassVar[str]
    other: ClassVar[str]
    documents: ClassVar[Sequence[str]]

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
            (f"{one}/enable", "POST", self.enable),
            (f"{one}/disable", "POST", self.disable),
        ]
        return [Route(path, handler, methods=[method]) for path, method, handler in routes]

    async def create(self, request: Request) -> Response:
        """Create one."""
        token, domain_id = await enter(self._access, request)
        draft = self._read(await read_object(request))
        made = (await self._registry.create(token, domain_id, [draft]))[0]
        return JSONResponse(self._show(made), 201, {"Location": f"/{self.kind}s/{made.id}"})

    async def create_all(self, request: Request) -> Response:
        """Create several or none."""
        token, domain_id = await enter(self._access, request)
        drafts = [self._read(fields) for fields in await read_objects(request)]
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

    async def change(self, request: Request) -> Response:
        """Replace the name or a JSON object."""
        token, domain_id = await enter(self._access, request)
        values = changes_of(await read_object(request), self.documents)
        key = self._key(request)
        return JSONResponse(self._show(await self._registry.change(token, domain_id, key, values)))

    async def change_tags(self, request: Request) -> Response:
        """Replace the tags."""
        token, domain_id = await enter(self._access, request)
        values = {"tags": (await read_object(request)).texts("tags")}
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
    def _read(self, fields: Fields) -> D:
        """Return what a body wants to be created."""

    @abstractmethod
    def _show(self, found: R) -> dict[str, Any]:
        """Return one as it is shown by itself."""

    @abstractmethod
    def _show_changed(self, changed: R) -> dict[str, Any]:
        """Return one as the answers to changes of tags and status show it."""

    @abstractmethod
    def _show_listed(self, found: R, membership: Membership) -> dict[str, Any]:
        """Return one as lists show it."""
