"""Who is calling, and what they may do in a domain.

One query answers both. What it found is kept in memory for a moment; a change made through this
process takes effect at once, one made by another process within ``cache_seconds``.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from attrs import frozen
from sqlalchemy import Row, Select, and_, bindparam, select
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.model import Status
from bootstrap_core.secrets import Secret
from bootstrap_core.store.tables import BRIEF
from provision.embedded.errors import (
    AdministratorOnly,
    DomainDisabled,
    DomainMissing,
    Hidden,
    InvalidToken,
    Lacking,
    NotPermitted,
)
from provision.embedded.records import ADMINISTRATOR, ALL_ACTIONS
from provision.embedded.tables import domains, members, roles, users
from provision.embedded.tokens import Claims, Kind, TokenFamilies, Tokens
from provision.platform.errors import lacks

CACHE_LIMIT: Final = 10_000
_USER_IN_DOMAIN: Final[Select[tuple[str, str, int, str, str, list[str]]]] = (
    select(
        users.c.role.label("user_role"),
        users.c.status.label("user_status"),
        users.c.token_version,
        domains.c.id.label("domain_id"),
        domains.c.status.label("domain_status"),
        roles.c.actions,
    )
    .select_from(users)
    .outerjoin(domains, domains.c.id == bindparam("domain"))
    .outerjoin(members, and_(members.c.user_id == users.c.id, members.c.domain_id == domains.c.id))
    .outerjoin(roles, roles.c.id == members.c.role_id)
    .where(users.c.id == bindparam("user"))
    .execution_options(**BRIEF)
)


@frozen
class Caller:
    """An enabled user of the platform."""

    id: str
    is_administrator: bool

    def require_administrator(self) -> None:
        """Raise ``AdministratorOnly`` unless the caller runs the platform."""
        if not self.is_administrator:
            raise AdministratorOnly


@frozen
class Membership:
    """What a caller may do in one domain; a stranger's has no actions."""

    caller: Caller
    domain_id: str
    domain_enabled: bool
    is_member: bool
    actions: frozenset[str]

    def allows(self, action: str) -> bool:
        """Tell whether a role of the caller names ``action``."""
        return action in self.actions

    def require_member(self) -> None:
        """Raise ``NotPermitted`` unless the caller has a role in the domain."""
        if not self.is_member:
            raise NotPermitted("you are not a member of this domain")

    def require(self, action: str) -> None:
        """Raise ``NotPermitted`` unless ``action`` is allowed in the domain."""
        if not self.is_member:
            raise NotPermitted
        if not self.allows(action):
            raise Lacking(lacks(action, "the domain"))

    def require_on_entity(self, action: str) -> None:
        """Raise ``Hidden`` unless ``action`` is allowed: as if the entity were not there."""
        if not self.allows(action):
            raise Hidden

    def require_enabled(self) -> None:
        """Raise ``DomainDisabled`` unless the domain takes changes."""
        if not self.domain_enabled:
            raise DomainDisabled


Entered: TypeAlias = Callable[[Secret, str], Awaitable[None]]
"""Is told a valid token and the ID of the domain whose route was asked with it; never raises."""


class AccessControl:
    """Turns tokens into callers and memberships."""

    def __init__(
        self,
        engine: AsyncEngine,
        tokens: Tokens,
        families: TokenFamilies,
        *,
        cache_seconds: float = 2.0,
    ) -> None:
        """Remember for ``cache_seconds`` what the database said."""
        self._families = families
        self._engine = engine
        self._tokens = tokens
        self._cache_seconds = cache_seconds
        self._cache: dict[tuple[str, str], tuple[float, int, Membership]] = {}
        self._changes = 0
        self._entered: Entered | None = None

    def on_entry(self, entered: Entered) -> None:
        """Have ``entered`` told of every request to a route of a domain that has a valid token."""
        self._entered = entered

    async def tell_entry(self, token: Secret, domain_id: str) -> None:
        """Tell of a request to a route of a domain, whose token is valid."""
        if self._entered is not None:
            await self._entered(token, domain_id)

    async def caller(self, token: Secret) -> Caller:
        """Return whose token it is (``InvalidToken`` when nobody's, or a disabled user's)."""
        return (await self._look_up(self._tokens.verify(token, Kind.ACCESS), "")).caller

    async def membership(self, token: Secret, domain_id: str) -> Membership:
        """Return what the token's user may do in a domain.

        Raises ``InvalidToken``, ``DomainMissing``.
        """
        found = await self._look_up(self._tokens.verify(token, Kind.ACCESS), domain_id)
        if not found.domain_id:
            raise DomainMissing
        return found

    async def bearer_of(self, claims: Claims) -> Caller:
        """Return the user whom claims name, checked as a token's user is."""
        return (await self._look_up(claims, "")).caller

    def forget(self) -> None:
        """Ask the database again from now on: users, domains or roles have changed."""
        self._changes += 1
        self._cache.clear()

    async def _look_up(self, claims: Claims, domain_id: str) -> Membership:
        await self._families.require(claims)
        key = (claims.user_id, domain_id)
        known = self._cache.get(key)
        if known is None or known[0] <= time.monotonic():
            changes = self._changes
            async with self._engine.connect() as connection:
                found = await connection.execute(
                    _USER_IN_DOMAIN, {"user": key[0], "domain": key[1]}
                )
                rows = found.all()
            if not rows or rows[0].user_status != Status.ENABLED:
                raise InvalidToken("the token's user does not exist or is disabled")
            known = (
                time.monotonic() + self._cache_seconds,
                rows[0].token_version,
                _membership(claims.user_id, rows),
            )
            # What was read while something changed may be what it was before.
            if changes == self._changes:
                self._remember(key, known)
        if claims.version != known[1]:
            raise InvalidToken("the token was revoked: sign in again")
        return known[2]

    def _remember(self, key: tuple[str, str], known: tuple[float, int, Membership]) -> None:
        # Strangers and unknown domains are not kept: whoever becomes a member is one at once.
        if key[1] and not known[2].is_member:
            return
        if len(self._cache) >= CACHE_LIMIT:
            self._cache.clear()
        self._cache[key] = known


def _membership(
    user_id: str, rows: Sequence[Row[tuple[str, str, int, str, str, list[str]]]]
) -> Membership:
    first = rows[0]
    caller = Caller(user_id, first.user_role == ADMINISTRATOR)
    held = [row.actions for row in rows if row.actions is not None]
    if first.domain_id is None:
        return Membership(
            caller, domain_id="", domain_enabled=False, is_member=False, actions=frozenset()
        )
    return Membership(
        caller=caller,
        domain_id=first.domain_id,
        domain_enabled=first.domain_status == Status.ENABLED,
        is_member=caller.is_administrator or bool(held),
        actions=ALL_ACTIONS if caller.is_administrator else frozenset().union(*held),
    )
