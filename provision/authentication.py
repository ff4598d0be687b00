"""Who is calling, and for which domain: the platform is asked, and remembered for seconds.

Precedence: the request's Authorization header (a raw token, or ``Bearer``), then the configured
API key, then the configured user and password (Magistrala's and Mainflux's documents agree).
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from attrs import field, frozen

from bootstrap_core.errors import Forbidden, Malformed, NotFound, Unauthenticated
from bootstrap_core.model import Asked, Caller, Status
from bootstrap_core.secrets import Secret
from provision.permissions import Permissions
from provision.platform.credentials import TokenSource, token_user
from provision.platform.errors import DomainNotFound, InvalidToken, NotAMember, PlatformError
from provision.platform.port import Domains, Memberships, Tokens

CACHE_TTL = 5.0
MAX_CACHED = 10_000
DOMAINS_NAMED = 10
UNVERIFIED = "unverified:"
"""What the actor of a token begins with whose user the platform has never told."""


HomeDomain: TypeAlias = Callable[[Secret], Awaitable[str]]
"""Tells the domain that the caller means who is in several and names none; empty: none."""


async def no_home(_: Secret) -> str:
    """Tell no domain, as a Magistrala does."""
    return ""


Resume: TypeAlias = Callable[[Caller], Awaitable[None]]
"""Resumes what waits for credentials in the caller's domain with the caller's; never raises."""


async def nothing_waits(_: Caller) -> None:
    """Do nothing."""


class Directory(Tokens, Domains, Memberships, Protocol):
    """What is asked of the platform here."""


@frozen
class _Known:
    caller: Caller
    until: float


@frozen
class Authentication:
    """Turns a token and a domain into a caller who is a member of the domain and may do this.

    ``permissions`` are asked for the rights that routes need. ``own`` credentials serve requests
    without a header; ``default_domain``, then ``home``, those that name no domain. ``resume`` is
    called for every member who asks for anything. Callers are cached for ``cache_seconds``.
    """

    _directory: Directory
    _permissions: Permissions
    _own: TokenSource | None = None
    _default_domain: str = ""
    _cache_seconds: float = CACHE_TTL
    _home: HomeDomain = no_home
    _resume: Resume = nothing_waits
    _known: OrderedDict[tuple[bytes, str], _Known] = field(factory=OrderedDict, init=False)
    _users: OrderedDict[bytes, str] = field(factory=OrderedDict, init=False)

    async def admit(self, token: Secret, domain_id: str | None, asked: Asked) -> Caller:
        """Return the caller, who may do in the domain what is asked.

        Raises what ``identify`` and ``permit`` raise.
        """
        caller = await self.identify(token, domain_id)
        await self._resume(caller)
        await self.permit(caller, asked)
        return caller

    async def permit(self, caller: Caller, asked: Asked) -> None:
        """Make sure that the caller has the rights to what is asked. Raises ``NotPermitted``."""
        await self._permissions.require(caller, asked)

    async def identify(self, token: Secret, domain_id: str | None) -> Caller:
        """Return the caller behind ``token`` (empty: the service's own) in ``domain_id``.

        Without a domain the configured one is meant, else the caller's only or own one. Raises
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
        key = (hashlib.sha256(token.encode()).digest(), domain_id)
        known = self._known.get(key)
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
        self._remember(key, caller)
        return caller

    async def _ask(self, token: Secret, domain_id: str) -> Caller:
        viewing = self._directory.view_membership(token, domain_id)
        # What the token says may be believed: the platform is asked whether it takes the token.
        if user_id := token_user(token):
            found = await viewing
        else:
            found, user_id = await asyncio.gather(viewing, self._actor(token))
        domain = found.domain
        if domain.status is Status.DISABLED:
            raise Forbidden(f"domain {domain.id} is disabled: enable it first")
        return Caller(user_id, domain.id, token, found.actions)

    async def _actor(self, token: Secret) -> str:
        """Return whose token it is that does not say so, for the audit trail.

        A token has one user for ever, so who was told once is known while the platform can't be
        asked. One that was never told is named by its digest, which tells that nobody verified it.
        """
        digest = hashlib.sha256(token.encode())
        if user_id := self._users.get(digest.digest()):
            return user_id
        try:
            user_id = (await self._directory.view_user(token)).id
        except PlatformError:
            return f"{UNVERIFIED}{digest.hexdigest()[:16]}"
        self._users[digest.digest()] = user_id
        while len(self._users) > MAX_CACHED:
            self._users.popitem(last=False)
        return user_id

    async def _only_domain(self, token: Secret) -> str:
        page = await self._directory.list_domains(token, 0, DOMAINS_NAMED)
        if page.total == 1:
            return page.items[0].id
        if not page.total:
            raise Forbidden("you are not a member of any domain")
        if home := await self._home(token):
            return home
        some = ", ".join(f"{domain.id} ({domain.name})" for domain in page.items)
        more = f" and {page.total - len(page.items)} more" if page.total > len(page.items) else ""
        raise Malformed(
            "the request names no domain, and you are a member of several: put the ID of one "
            f"before the path, as in /{page.items[0].id}/mapping. They are {some}{more}"
        )

    def _remember(self, key: tuple[bytes, str], caller: Caller) -> None:
        self._known[key] = _Known(caller, time.monotonic() + self._cache_seconds)
        self._known.move_to_end(key)
        while len(self._known) > MAX_CACHED:
            self._known.popitem(last=False)
