"""The service's own credentials, for requests that bring none: an API key, or a user's sign-in."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from attrs import define, field, frozen

from bootstrap_core.model import is_uuid
from bootstrap_core.secrets import Secret
from provision.platform.errors import Failed, InvalidToken, NotFound, Rejected
from provision.platform.port import Tokens
from provision.platform.types import TokenPair

RENEWED_BEFORE: Final = timedelta(minutes=1)
"""A token is renewed this long before it ends, so that it lasts through a request."""
ASSUMED_LIFE: Final = timedelta(minutes=5)
"""How long a token is used that does not say when it ends."""
COMPACT: Final = re.compile(r"[\w-]+\.([\w-]+)\.[\w-]+", re.ASCII)
"""A JWS in its compact form (RFC 7515, section 3.1)."""


class TokenSource(Protocol):
    """Gives a token that the platform takes."""

    async def token(self) -> Secret:
        """Return a token that is good for now."""
        ...

    async def renewed(self, refused: Secret) -> Secret:
        """Return another token after the platform refused this one; raises ``InvalidToken``."""
        ...


@frozen
class ApiKey:
    """A key (personal access token) that the operator made; it is used as it is."""

    key: Secret

    async def token(self) -> Secret:
        """Return the key."""
        return self.key

    async def renewed(self, refused: Secret) -> Secret:
        """Raise ``InvalidToken``: another key has to be configured."""
        raise InvalidToken("the platform does not accept the configured API key: make a new one")


@frozen
class _Held:
    pair: TokenPair
    use_until: datetime


@define(eq=False)
class PasswordSignIn:
    """Signs in with a user name and a password, and keeps the tokens fresh.

    However many callers need a token at once, the platform is asked once. A name and password that
    it refused are not tried again for ``pause``: some platforms lock an account after a few.
    """

    tokens: Tokens
    username: str
    password: Secret
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    pause: timedelta = timedelta(0)
    _held: _Held | None = field(default=None, init=False)
    _flight: asyncio.Task[_Held] | None = field(default=None, init=False)
    _tried_again_at: datetime = field(default=datetime.min.replace(tzinfo=UTC), init=False)

    async def token(self) -> Secret:
        """Return an access token with at least a minute to live.

        Raises ``InvalidToken`` (the name or password is wrong) and what the platform raises.
        """
        if self._held is not None and self.now() < self._held.use_until:
            return self._held.pair.access
        return await self._fly()

    async def renewed(self, refused: Secret) -> Secret:
        """Return another token; when someone else renewed it meanwhile, that one."""
        if self._held is not None and self._held.pair.access != refused:
            return await self.token()
        self._held = None
        return await self._fly()

    async def _fly(self) -> Secret:
        if self._flight is None:
            self._flight = asyncio.create_task(self._obtain())
            self._flight.add_done_callback(self._landed)
        # A caller that gives up does not take the token from the others.
        held = await asyncio.shield(self._flight)
        return held.pair.access

    def _landed(self, flight: asyncio.Task[_Held]) -> None:
        self._flight = None
        if not flight.cancelled() and flight.exception() is None:
            self._held = flight.result()

    async def _obtain(self) -> _Held:
        pair = await self._refreshed() or await self._issued()
        return _Held(pair, self._use_until(pair.access))

    async def _refreshed(self) -> TokenPair | None:
        if self._held is None:
            return None
        try:
            return await self.tokens.refresh_token(self._held.pair.refresh)
        except (InvalidToken, Rejected, NotFound, Failed):
            return None

    async def _issued(self) -> TokenPair:
        if self.now() < self._tried_again_at:
            raise InvalidToken(
                "the platform did not accept the configured user name and password, which are not "
                f"tried again before {self._tried_again_at:%H:%M:%S} UTC: correct them and restart"
            )
        try:
            return await self.tokens.issue_token(self.username, self.password)
        except (NotFound, Rejected) as error:
            self._tried_again_at = self.now() + self.pause
            raise InvalidToken(
                "the platform does not accept the configured user name and password"
            ) from error

    def _use_until(self, token: Secret) -> datetime:
        ends = token_end(token)
        return self.now() + ASSUMED_LIFE if ends is None else ends - RENEWED_BEFORE


def token_end(token: Secret) -> datetime | None:
    """Return when a JWT says that it ends (``exp``, RFC 7519), unverified; none if it does not."""
    try:
        return datetime.fromtimestamp(_claims(token)["exp"], UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def token_user(token: Secret) -> str:
    """Return the ID of the user whom a JWT was issued to, unverified; empty if it does not tell.

    Magistrala wrote it into a claim of its own, ``user``, while the subject named the domain as
    well; since then it is the subject (``auth/jwt`` of Magistrala and of SuperMQ). Mainflux's
    subject, an e-mail address, is no ID, and a personal access token is no JWT.
    """
    claims = _claims(token)
    said = (claims.get(name) for name in ("user", "sub"))
    return next((user for user in said if isinstance(user, str) and is_uuid(user)), "")


def _claims(token: Secret) -> Mapping[str, Any]:
    # In RFC 7515's JSON form, which platforms take too, other words than the claims that were
    # signed may stand between two dots.
    compact = COMPACT.fullmatch(token.reveal())
    if compact is None:
        return {}
    body = compact[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
