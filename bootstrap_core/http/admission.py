"""Who may come in: the caller behind a request, and the body that it brings."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable
from typing import Final, TypeVar

from starlette.requests import Request

from bootstrap_core.errors import BootstrapError, Forbidden, NotFound, Unauthenticated
from bootstrap_core.http.requests import path_id
from bootstrap_core.model import Caller
from bootstrap_core.ports import Identity
from bootstrap_core.secret import Secret

T = TypeVar("T")

BEARER: Final = "Bearer "


class Door:
    """Lets callers in, and tells what is wrong in the order that the Go services have.

    First whether the token is given and valid, then what is wrong with the request itself, then
    whether the caller belongs to the domain.
    """

    def __init__(self, identity: Identity) -> None:
        """Ask ``identity`` who is behind a token."""
        self._identity = identity

    async def member(self, request: Request) -> Caller:
        """Return the caller with a Bearer token, a member of the domain that the path names.

        Raises ``Unauthenticated``, ``Forbidden``, ``NotFound``.
        """
        token = bearer_token(request)
        return await self._identity.identify(token, path_id(request, "domain_id"))

    async def member_with(self, request: Request, reading: Awaitable[T]) -> tuple[Caller, T]:
        """Return the caller and what ``reading`` gives. Raises as ``member`` and ``reading``."""
        try:
            read = await reading
        except BootstrapError:
            with contextlib.suppress(Forbidden, NotFound):
                await self.member(request)
            raise
        return await self.member(request), read

    async def owner(self, request: Request) -> Caller:
        """Return the caller with a raw or Bearer token, in the domain that is the caller's.

        Raises ``Unauthenticated``, ``Forbidden``, ``NotFound``; ``Malformed``: which domain?
        """
        return await self._identity.identify(any_token(request), None)


def bearer_token(request: Request) -> Secret:
    """Return the token of ``Authorization: Bearer <token>``. Raises ``Unauthenticated``."""
    header = request.headers.get("authorization", "")
    token = header.removeprefix(BEARER).strip() if header.startswith(BEARER) else ""
    if not token:
        raise Unauthenticated('send your token as "Authorization: Bearer <token>"')
    return Secret(token)


def any_token(request: Request) -> Secret:
    """Return the token of ``Authorization: <token>``, Bearer or not. Raises ``Unauthenticated``."""
    token = request.headers.get("authorization", "").removeprefix(BEARER).strip()
    if not token:
        raise Unauthenticated('send your token as "Authorization: <token>"')
    return Secret(token)
