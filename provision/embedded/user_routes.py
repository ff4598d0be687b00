"""Magistrala's routes for users and tokens, and Mainflux's for registering."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bootstrap_core.secret import Secret
from provision.embedded.decoding import OFFSET_MOST, PAGE_DEFAULT, PAGE_MOST, name_of, status_of
from provision.embedded.encoding import page_json, user_json
from provision.embedded.errors import Malformed
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.records import ADMINISTRATOR, ORDINARY_USER, ListQuery, NewUser
from provision.embedded.users import require_strength
from provision.embedded.wire import (
    Fields,
    Query,
    answering,
    bearer,
    empty,
    path_text,
    read_object,
    require_json,
)
from provision.platform.types import Status, TokenPair

EMAIL_FORM: Final = re.compile(r"[^@\s]+@[^@\s]+")


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
            Route("/users/tokens/issue", self.issue, methods=["POST"]),
            Route("/users/tokens/refresh", answering(self.refresh), methods=["POST"]),
            Route("/users", self.register, methods=["POST"]),
            Route("/users", self.page, methods=["GET"]),
            Route("/users/profile", self.profile, methods=["GET"]),
            Route("/users/secret", self.change_password, methods=["PATCH"]),
            Route("/users/{user_id}", self.view, methods=["GET"]),
            Route("/users/{user_id}", self.delete, methods=["DELETE"]),
            Route("/users/{user_id}/enable", self.enable, methods=["POST"]),
            Route("/users/{user_id}/disable", self.disable, methods=["POST"]),
        ]

    async def issue(self, request: Request) -> Response:
        """Sign in."""
        fields = await read_object(request)
        username, password = fields.text("username"), Secret(fields.text("password"))
        if not username:
            raise Malformed("username is missing: the user's name or e-mail address")
        if not password:
            raise Malformed("password is missing")
        return _tokens(await self._users.sign_in(username, password))

    async def refresh(self, request: Request) -> Response:
        """Give new tokens for the refresh token in the header."""
        token = bearer(request)
        require_json(request)
        return _tokens(await self._users.refresh(token))

    async def register(self, request: Request) -> Response:
        """Create a user, whose body may be of Magistrala's form or of Mainflux's."""
        (await self._access.caller(bearer(request))).require_administrator()
        fields = await read_object(request)
        if "password" in fields and "credentials" not in fields:
            return await self._register_legacy(fields)
        made = await self._users.register(_user_of(fields))
        return JSONResponse(user_json(made), 201, {"Location": f"/users/{made.id}"})

    async def _register_legacy(self, fields: Fields) -> Response:
        """Create a user as Mainflux does, and a domain, of which Mainflux's users know nothing."""
        email = name_of(fields, "email")
        if not EMAIL_FORM.fullmatch(email):
            raise Malformed("email must be an e-mail address")
        wanted = NewUser(username=email, email=email, password=Secret(fields.text("password")))
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
        fields = await read_object(request)
        old, new = Secret(fields.text("old_secret")), Secret(fields.text("new_secret"))
        if not (old and new):
            raise Malformed("old_secret and new_secret are needed")
        return JSONResponse(user_json(await self._users.change_password(token, old, new)))

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


def _user_of(fields: Fields) -> NewUser:
    credentials = fields.fields("credentials")
    wanted = NewUser(
        username=name_of(credentials, "username"),
        email=name_of(fields, "email"),
        password=Secret(credentials.text("secret")),
        first_name=name_of(fields, "first_name"),
        last_name=name_of(fields, "last_name"),
        role=fields.text("role") or ORDINARY_USER,
        status=status_of(fields),
        metadata=fields.document("metadata"),
        tags=fields.texts("tags"),
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
