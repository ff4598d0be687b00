"""Credentials to finish an onboarding with: the service's own, else the caller's journalled token.

Which one the platform takes for the domain is asked before anything is done with it, and cached for
a few seconds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final, Protocol

from attrs import field, frozen

from bootstrap_core.secrets import Secret
from provision.onboarding.clock import Clock
from provision.onboarding.model import Onboarding
from provision.onboarding.steps import needs_credentials
from provision.platform.errors import InvalidToken, PlatformError
from provision.platform.port import Domains

CACHE_TTL: Final = 5.0
MAX_CACHED: Final = 1000
MISSING: Final = (
    "there are no valid credentials to finish with: the service has none of its own, and the "
    "caller's token is gone or has expired; send any request to this domain with a valid token to "
    "resume"
)


class TokenSource(Protocol):
    """The service's own credentials."""

    async def token(self) -> Secret:
        """Return an access token that should be valid now."""
        ...

    async def renewed(self, refused: Secret) -> Secret:
        """Return another token after the platform refused this one."""
        ...


@frozen
class Credentials:
    """Finds a token that the platform takes for a row's domain.

    ``own`` credentials, where configured, go before a journalled caller's token.
    """

    _own: TokenSource | None
    _domains: Domains
    _clock: Clock
    _cache: dict[tuple[str, Secret], float] = field(factory=dict, init=False, repr=False)

    async def usable(self, row: Onboarding) -> Secret:
        """Return a token with which work on the row can go on.

        Raises ``InvalidToken``, ``NotAMember`` or ``DomainNotFound`` when there is none, and the
        platform's other errors when it can't be asked.
        """
        refusal: PlatformError = InvalidToken(MISSING)
        async for token in self._candidates(row):
            try:
                await self._prove(token, row.domain_id)
            except PlatformError as error:
                if not needs_credentials(error):
                    raise
                refusal = error
            else:
                return token
        raise refusal

    async def _candidates(self, row: Onboarding) -> AsyncIterator[Secret]:
        if self._own is not None:
            try:
                own = await self._own.token()
                yield own
                yield await self._own.renewed(own)
            except PlatformError as error:
                if not needs_credentials(error) and not row.token:
                    raise
        if row.token:
            yield row.token

    async def _prove(self, token: Secret, domain_id: str) -> None:
        key = (domain_id, token)
        now = self._clock.monotonic()
        if self._cache.get(key, now) > now:
            return
        self._cache.pop(key, None)
        await self._domains.view_domain(token, domain_id)
        while len(self._cache) >= MAX_CACHED:
            del self._cache[next(iter(self._cache))]
        self._cache[key] = now + CACHE_TTL
