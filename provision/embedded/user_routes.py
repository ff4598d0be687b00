"""Magistrala's routes for users and tokens, and Mainflux's for registering."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from attrs import field, frozen
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bootstrap_core.bodies import GIVEN, Check
from bootstrap_core.http.openapi import ExactRoute
from bootstrap_core.model import Status
from bootstrap_core.secrets import Secret
from provision.embedded.bodies import (
    OFFSET_MOST,
    PAGE_DEFAULT,
    PAGE_MOST,
    Credentials,
    DomainChangeBody,
    Name,
    Sent,
    SentStatus,
    domain_json,
    held_role_json,
    list_query_of,
    page_json,
    role_json,
    user_json,
)
from provision.embedded.bodies import (
    Route as RouteName,
)
from provision.embedded.entity_routes import enter
from provision.embedded.errors import Malformed
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.records import ADMINISTRATOR, ALL_ACTIONS, ORDINARY_USER, ListQuery, NewUser
from provision.embedded.users import require_strength
from provision.embedded.wire import (
    Query,
    bearer,
    empty,
    path_text,
    read,
    require_json,
)
from provision.platform.types import TokenPair

EMAIL_FORM: Final = re.compile(r"[^@\s]+@[^@\s]+")
ROLE_NAME_BYTES: Final = 200


def _role_name_fault(name: str) -> str:
    if not name or len(name.encode()) > ROLE_NAME_BYTES:
        return f"is needed, of at most {ROLE_NAME_BYTES} bytes"
    return ""


@frozen
class SignInBody(Sent):
    """With what a user signs in: the user's name or e-mail address, and the password."""

    username: Annotated[str, GIVEN]
    password: Annotated[Secret, GIVEN]


@frozen
class PasswordBody(Sent):
    """The password of a user, and the one that takes its place."""

    old_secret: Annotated[Secret, GIVEN]
    new_secret: Annotated[Secret, GIVEN]


@frozen
class UserBody(Sent):
    """A user to be created, in Magistrala's form, or with a password alone in Mainflux's."""

    email: Name = ""
    password: Secret | None = None
    credentials: Credentials | None = None
    first_name: Name = ""
    last_name: Name = ""
    role: str = ""
    status: SentStatus = Status.ENABLED
    metadata: Mapping[str, Any] = field(factory=dict)
    tags: Sequence[str] = ()

    def user(self) -> NewUser:
        """Return the user of Magistrala's form. Raises ``Malformed``."""
        credentials = self.credentials or Credentials()
        wanted = NewUser(
            username=credentials.username,
            email=self.email,
            password=credentials.secret,
            first_name=self.first_name,
            last_name=self.last_name,
            role=self.role or ORDINARY_USER,
            status=self.status,
            metadata=self.metadata,
            tags=self.tags,
        )
        for name in ("first_name", "last_name", "username", "email", "password"):
            if not getattr(wanted, name):
                raise Malformed(f"{name} of the user is missing")
        require_strength(wanted.password)
        if wanted.role not in (ADMINISTRATOR, ORDINARY_USER):
            raise Malformed(f"role must be {ADMINISTRATOR} or {ORDINARY_USER}")
        if EMAIL_FORM.fullmatch(wanted.username):
            raise Malformed("a username is no e-mail address, since both are good for signing in")
        if not EMAIL_FORM.fullmatch(wanted.email):
            raise Malformed("email must be an e-mail address")
        return wanted


@frozen
class DomainBody(Sent):
    """A domain to be created."""

    name: Annotated[Name, GIVEN]
    route: Annotated[RouteName, GIVEN]
    tags: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(factory=dict)


@frozen
class RoleBody(Sent):
    """A role to be created."""

    role_name: Annotated[str, Check(_role_name_fault)]
    optional_actions: Sequence[str] = ()
    optional_members: Sequence[str] = ()


@frozen
class MembersBody(Sent):
    """Users of whom a role, or every role, is given or taken."""

    members: Sequence[str] = ()
    member_ids: Sequence[str] = ()


class UserRoutes:
    """Decodes requests about users, calls the registry, encodes what it answers."""

    def __init__(self, platform: EmbeddedPlatform) -> None:
        """Serve the users of ``platform``, whose administrator registers them."""
        self._access = platform.access
        self._users = platform.users
        self._domains = platform.domains

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            ExactRoute("/users/tokens/issue", self.issue, methods=["POST"]),
            ExactRoute("/users/tokens/refresh", self.refresh, methods=["POST"]),
            ExactRoute("/users", self.register, methods=["POST"]),
            ExactRoute("/users", self.page, methods=["GET"]),
            ExactRoute("/users/profile", self.profile, methods=["GET"]),
            ExactRoute("/users/secret", self.change_password, methods=["PATCH"]),
            ExactRoute("/users/{user_id}", self.view, methods=["GET"]),
            ExactRoute("/users/{user_id}", self.delete, methods=["DELETE"]),
            ExactRoute("/users/{user_id}/enable", self.enable, methods=["POST"]),
            ExactRoute("/users/{user_id}/disable", self.disable, methods=["POST"]),
        ]

    async def issue(self, request: Request) -> Response:
        """Sign in."""
        sent = await read(request, SignInBody)
        return _tokens(await self._users.sign_in(sent.username, sent.password))

    async def refresh(self, request: Request) -> Response:
        """Give new tokens for the refresh token in the header."""
        token = bearer(request)
        require_json(request)
        return _tokens(await self._users.refresh(token))

    async def register(self, request: Request) -> Response:
        """Create a user, whose body may be of Magistrala's form or of Mainflux's."""
        (await self._access.caller(bearer(request))).require_administrator()
        sent = await read(request, UserBody)
        if sent.password is not None and sent.credentials is None:
            return await self._register_legacy(sent.email, sent.password)
        made = await self._users.register(sent.user())
        return JSONResponse(user_json(made), 201, {"Location": f"/users/{made.id}"})

    async def _register_legacy(self, email: str, password: Secret) -> Response:
        """Create a user as Mainflux does, and a domain, of which Mainflux's users know nothing."""
        if not EMAIL_FORM.fullmatch(email):
            raise Malformed("email must be an e-mail address")
        wanted = NewUser(username=email, email=email, password=password)
        made = await self._users.register(wanted)
        await self._domains.create_for(made.id, email, f"user-{made.id[:8]}", [], {})
        return empty(201)

    async def page(self, request: Request) -> Response:
        """List all users, to the administrator."""
        token, parameters = bearer(request), Query(request)
        query = ListQuery(
            offset=parameters.number("offset", 0, 0, OFFSET_MOST),
            limit=parameters.number("limit", PAGE_DEFAULT, 1, PAGE_MOST),
        )
        page = await self._users.page(token, query.offset, query.limit)
        return JSONResponse(page_json("users", page, query, user_json))

    async def profile(self, request: Request) -> Response:
        """Return the caller."""
        return JSONResponse(user_json(await self._users.profile(bearer(request))))

    async def view(self, request: Request) -> Response:
        """Return one user."""
        user_id = path_text(request, "user_id")
        return JSONResponse(user_json(await self._users.view(bearer(request), user_id)))

    async def delete(self, request: Request) -> Response:
        """Delete a user."""
        await self._users.delete(bearer(request), path_text(request, "user_id"))
        return empty(204)

    async def change_password(self, request: Request) -> Response:
        """Replace the caller's password; all tokens issued so far end with it."""
        token = bearer(request)
        await self._access.caller(token)
        sent = await read(request, PasswordBody)
        changed = await self._users.change_password(token, sent.old_secret, sent.new_secret)
        return JSONResponse(user_json(changed))

    async def enable(self, request: Request) -> Response:
        """Enable a user."""
        return await self._change_status(request, Status.ENABLED)

    async def disable(self, request: Request) -> Response:
        """Disable a user."""
        return await self._change_status(request, Status.DISABLED)

    async def _change_status(self, request: Request, status: Status) -> Response:
        user_id = path_text(request, "user_id")
        return JSONResponse(
            user_json(await self._users.change_status(bearer(request), user_id, status))
        )


def _tokens(pair: TokenPair) -> Response:
    body = {"access_token": pair.access.reveal(), "refresh_token": pair.refresh.reveal()}
    return JSONResponse(body, 201, {"Cache-Control": "no-store"})


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
            ExactRoute("/domains", self.create, methods=["POST"]),
            ExactRoute("/domains", self.page, methods=["GET"]),
            ExactRoute("/domains/{domain_id}", self.view, methods=["GET"]),
            ExactRoute("/domains/{domain_id}", self.change, methods=["PATCH"]),
            ExactRoute("/domains/{domain_id}/enable", self.enable, methods=["POST"]),
            ExactRoute("/domains/{domain_id}/disable", self.disable, methods=["POST"]),
        ]

    async def create(self, request: Request) -> Response:
        """Create a domain that the caller operates; its ID is always chosen here."""
        token = bearer(request)
        await self._access.caller(token)
        sent = await read(request, DomainBody)
        made = await self._domains.create(token, sent.name, sent.route, sent.tags, sent.metadata)
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
        values = (await read(request, DomainChangeBody)).values()
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
            ExactRoute("/domains/roles/available-actions", self.actions, methods=["GET"]),
            ExactRoute(every, self.create, methods=["POST"]),
            ExactRoute(every, self.page, methods=["GET"]),
            ExactRoute(f"{every}/members", self.members, methods=["GET"]),
            ExactRoute(f"{every}/members", self.remove_members, methods=["DELETE"]),
            ExactRoute(one, self.view, methods=["GET"]),
            ExactRoute(one, self.delete, methods=["DELETE"]),
            ExactRoute(f"{one}/actions", self.actions_of_one, methods=["GET"]),
            ExactRoute(f"{one}/members", self.add, methods=["POST"]),
            ExactRoute(f"{one}/members", self.members_of_one, methods=["GET"]),
            ExactRoute(f"{one}/members/delete", self.remove, methods=["POST"]),
        ]

    async def actions(self, request: Request) -> Response:
        """List the actions that a role may have."""
        await self._access.caller(bearer(request))
        return JSONResponse({"available_actions": sorted(ALL_ACTIONS)})

    async def create(self, request: Request) -> Response:
        """Create a role, with actions and members as the body has them."""
        token, domain_id = await enter(self._access, request)
        sent = await read(request, RoleBody)
        actions, members = sent.optional_actions, sent.optional_members
        made = await self._roles.create(token, domain_id, sent.role_name, actions, members)
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
        members = [{"member_id": user_id, "roles": roles} for user_id, roles in held.items()]
        shown = members[offset : offset + limit]
        return JSONResponse({**_head(len(members), offset, limit), "members": shown})

    async def remove_members(self, request: Request) -> Response:
        """Take every role in the domain from users."""
        token, domain_id = await enter(self._access, request)
        users = _users((await read(request, MembersBody)).member_ids, "member_ids")
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
        users = _users((await read(request, MembersBody)).members, "members")
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
        users = _users((await read(request, MembersBody)).members, "members")
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


def _users(users: Sequence[str], name: str) -> Sequence[str]:
    if not users:
        raise Malformed(f"{name} needs at least one user's ID")
    return users
