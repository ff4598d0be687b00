"""Magistrala's routes for the roles in a domain and the users who hold them."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from provision.embedded.actions import ALL_ACTIONS
from provision.embedded.decoding import OFFSET_MOST, PAGE_DEFAULT, PAGE_MOST
from provision.embedded.encoding import held_role_json, role_json
from provision.embedded.entrance import enter
from provision.embedded.errors import Malformed
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.wire import Fields, Query, bearer, empty, path_text, read_object

ROLE_NAME_BYTES: Final = 200


class RoleRoutes:
    """Decodes requests about roles, calls the registry, encodes what it answers."""

    def __init__(self, platform: EmbeddedPlatform) -> None:
        """Serve the roles of ``platform``."""
        self._access = platform.access
        self._roles = platform.roles

    def routes(self) -> list[Route]:
        """Return the routes."""
        every = "/domains/{domain_id}/roles"
        one = f"{every}/{{role_id}}"
        return [
            Route("/domains/roles/available-actions", self.actions, methods=["GET"]),
            Route(every, self.create, methods=["POST"]),
            Route(every, self.page, methods=["GET"]),
            Route(f"{every}/members", self.members, methods=["GET"]),
            Route(f"{every}/members", self.remove_members, methods=["DELETE"]),
            Route(one, self.view, methods=["GET"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(f"{one}/actions", self.actions_of_one, methods=["GET"]),
            Route(f"{one}/members", self.add, methods=["POST"]),
            Route(f"{one}/members", self.members_of_one, methods=["GET"]),
            Route(f"{one}/members/delete", self.remove, methods=["POST"]),
        ]

    async def actions(self, request: Request) -> Response:
        """List the actions that a role may have."""
        await self._access.caller(bearer(request))
        return JSONResponse({"available_actions": sorted(ALL_ACTIONS)})

    async def create(self, request: Request) -> Response:
        """Create a role, with actions and members as the body has them."""
        token, domain_id = await enter(self._access, request)
        fields = await read_object(request)
        name = fields.text("role_name")
        if not name or len(name.encode()) > ROLE_NAME_BYTES:
            raise Malformed(f"role_name is needed, of at most {ROLE_NAME_BYTES} bytes")
        actions, members = fields.texts("optional_actions"), fields.texts("optional_members")
        made = await self._roles.create(token, domain_id, name, actions, members)
        shown = {**role_json(made), "optional_actions": actions, "optional_members": members}
        return JSONResponse(shown, 201)

    async def page(self, request: Request) -> Response:
        """List the roles of a domain."""
        token, domain_id = await enter(self._access, request)
        offset, limit = _window(request)
        page = await self._roles.page(token, domain_id, offset, limit)
        roles = [{**role_json(role), "actions": list(role.actions)} for role in page.items]
        return JSONResponse({**_head(page.total, offset, limit), "roles": roles})

    async def members(self, request: Request) -> Response:
        """List the members of a domain, each with the roles held."""
        token, domain_id = await enter(self._access, request)
        offset, limit = _window(request)
        held: dict[str, list[dict[str, Any]]] = {}
        for user_id, role in await self._roles.users_of(token, domain_id):
            held.setdefault(user_id, []).append(held_role_json(role))
        members = [{"id": user_id, "roles": roles} for user_id, roles in held.items()]
        shown = members[offset : offset + limit]
        return JSONResponse({**_head(len(members), offset, limit), "members": shown})

    async def remove_members(self, request: Request) -> Response:
        """Take every role in the domain from users."""
        token, domain_id = await enter(self._access, request)
        users = _users(await read_object(request), "member_ids")
        await self._roles.remove(token, domain_id, "", users)
        return empty(204)

    async def view(self, request: Request) -> Response:
        """Return a role."""
        token, domain_id = await enter(self._access, request)
        role = await self._roles.view(token, domain_id, path_text(request, "role_id"))
        return JSONResponse({**role_json(role), "actions": list(role.actions)})

    async def delete(self, request: Request) -> Response:
        """Delete a role."""
        token, domain_id = await enter(self._access, request)
        await self._roles.delete(token, domain_id, path_text(request, "role_id"))
        return empty(204)

    async def actions_of_one(self, request: Request) -> Response:
        """List what a role allows."""
        token, domain_id = await enter(self._access, request)
        role = await self._roles.view(token, domain_id, path_text(request, "role_id"))
        return JSONResponse({"actions": list(role.actions)})

    async def add(self, request: Request) -> Response:
        """Give a role to users."""
        token, domain_id = await enter(self._access, request)
        users = _users(await read_object(request), "members")
        await self._roles.add(token, domain_id, path_text(request, "role_id"), users)
        return JSONResponse({"members": users})

    async def members_of_one(self, request: Request) -> Response:
        """List who holds a role."""
        token, domain_id = await enter(self._access, request)
        offset, limit = _window(request)
        held = await self._roles.users_of(token, domain_id, path_text(request, "role_id"))
        members = [user_id for user_id, _ in held][offset : offset + limit]
        return JSONResponse({**_head(len(held), offset, limit), "members": members})

    async def remove(self, request: Request) -> Response:
        """Take a role from users."""
        token, domain_id = await enter(self._access, request)
        users = _users(await read_object(request), "members")
        await self._roles.remove(token, domain_id, path_text(request, "role_id"), users)
        return empty(204)


def _window(request: Request) -> tuple[int, int]:
    query = Query(request)
    return (
        query.number("offset", 0, 0, OFFSET_MOST),
        query.number("limit", PAGE_DEFAULT, 1, PAGE_MOST),
    )


def _head(total: int, offset: int, limit: int) -> dict[str, Any]:
    return {"total": total, "offset": offset, "limit": limit}


def _users(fields: Fields, name: str) -> list[str]:
    users = fields.texts(name)
    if not users:
        raise Malformed(f"{name} needs at least one user's ID")
    return users
