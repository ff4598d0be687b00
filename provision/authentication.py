"""Who is calling, and for which domain: the platform is asked, and remembered for seconds.

Precedence: the request's Authorization header (a raw token, or ``Bearer``), then the configured
API key, then the configured user and password (Magistrala's and Mainflux's documents agree).
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from typing import Protocol

from attrs import frozen

from bootstrap_core.errors import Forbidden, Malformed, NotFound, Unauthenticated
from bootstrap_core.model import Caller
from bootstrap_core.secret import Secret
from provision.platform.credentials import TokenSource, token_user
from provision.platform.errors import DomainNotFound, InvalidToken, NotAMember, PlatformError
from provision.platform.port import Domains, Tokens
from provision.platform.types import Status

REMEMBERED_SECONDS = 5.0
REMEMBERED_MOST = 10_000
DOMAINS_NAMED = 10


class Directory(Tokens, Domains, Protocol):
    """What is asked of the platform here."""


@frozen
class _Known:
    caller: Caller
    until: float


class Authentication:
    """Turns a token and a domain into a caller who is a member of the domain."""

    def __init__(
        self,
        directory: Directory,
        own: TokenSource | None = None,
        default_domain: str = "",
        remembered_seconds: float = REMEMBERED_SECONDS,
    ) -> None:
        """``own`` credentials serve requests without a header; ``default_domain`` those without."""
        self._directory = directory
        self._own = own
        self._default_domain = default_domain
        self._remembered_seconds = remembered_seconds
        self._known: OrderedDict[tuple[bytes, str], _Known] = OrderedDict()

    async def identify(self, token: Secret, domain_id: str | None) -> Caller:
        """Return the caller behind ``token`` (empty: the service's own) in ``domain_id``.

        Without a domain the configured one is meant, else the caller's only one. Raises
        ``Unauthenticated``, ``Forbidden``, ``NotFound``, ``Malformed`` (no domain is named and
        there are several) and the platform's own failures.
        """
        domain_id = domain_id or self._default_domain
        if token:
            return await self._identify(token, domain_id)
        own = await self._own_token()
        try:
            return await self._identify(own, domain_id)
        except Unauthenticated:
            if self._own is None:
                raise
            return await self._identify(await self._own.renewed(own), domain_id)

    async def authenticate(self, token: Secret) -> None:
        """Make sure that the platform takes the token (empty: the service's own).

        Raises ``Unauthenticated`` and the platform's own failures.
        """
        try:
            await self._directory.list_domains(token or await self._own_token(), 0, 1)
        except InvalidToken as error:
            raise Unauthenticated(error.message) from error

    async def _own_token(self) -> Secret:
        if self._own is None:
            raise Unauthenticated(
                'send the header "Authorization: Bearer <token or API key>"; '
                "without one the service needs credentials of its own in its settings"
            )
        return await self._own.token()

    async def _identify(self, token: Secret, domain_id: str) -> Caller:
        place = (hashlib.sha256(token.encode()).digest(), domain_id)
        known = self._known.get(place)
        if known and known.until > time.monotonic():
            return known.caller
        try:
            caller = await self._ask(token, domain_id or await self._only_domain(token))
        except InvalidToken as error:
            raise Unauthenticated(error.message) from error
        except NotAMember as error:
            raise Forbidden(error.message) from error
        except DomainNotFound as error:
            raise NotFound(error.message) from error
        self._remember(place, caller)
        return caller

    async def _ask(self, token: Secret, domain_id: str) -> Caller:
        viewing = self._directory.view_domain(token, domain_id)
        # What the token says may be believed: the platform is asked whether it takes the token.
        if user_id := token_user(token):
            domain = await viewing
        else:
            domain, user_id = await asyncio.gather(viewing, self._user_id(token))
        if domain.status is Status.DISABLED:
            raise Forbidden(f"domain {domain.id} is disabled: enable it first")
        return Caller(user_id=user_id, domain_id=domain.id, token=token)

    async def _user_id(self, token: Secret) -> str:
        """Return the caller's ID for the audit trail; an API key need not tell whose it is."""
        try:
            return (await self._directory.view_user(token)).id
        except PlatformError:
            return ""

    async def _only_domain(self, token: Secret) -> str:
        page = await self._directory.list_domains(token, 0, DOMAINS_NAMED)
        if page.total == 1:
            return page.items[0].id
        if not page.total:
            raise Forbidden("you are not a member of any domain")
        some = ", ".join(f"{each.id} ({each.name})" for each in page.items)
        raise Malformed(f"name the domain: POST /{{domain_id}}/mapping; you are a member of {some}")

    def _remember(self, place: tuple[bytes, str], caller: Caller) -> None:
        self._known[place] = _Known(caller, time.monotonic() + self._remembered_seconds)
        self._known.move_to_end(place)
        while len(self._known) > REMEMBERED_MOST:
            self._known.popitem(last=False)


def token_of(header: str | None) -> Secret:
    """Return the token of an Authorization header; empty when there is no header.

    Raises ``Unauthenticated``: there is a header, but no token in it.
    """
    if header is None:
        return Secret("")
    scheme, _, rest = header.strip().partition(" ")
    token = rest.strip() if scheme.lower() == "bearer" else header.strip()
    if not token:
        raise Unauthenticated
    return Secret(token)
