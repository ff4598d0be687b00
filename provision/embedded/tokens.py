"""Access and refresh tokens: signed JSON Web Tokens (RFC 7519, HS256) that expire.

The kind of a token is part of what is signed, so that a refresh token is never taken for an access
token; so is the user's token version, so that raising it revokes all that was issued before.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import jwt
from attrs import frozen

from bootstrap_core.secret import Secret
from provision.embedded.errors import AccessTokenUsed, InvalidToken, RefreshTokenUsed
from provision.platform.types import TokenPair

ALGORITHM: Final = "HS256"
ISSUER: Final = "provision"
KEY_BYTES: Final = 32

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)


class Kind(StrEnum):
    """What a token is good for."""

    ACCESS = "access"
    REFRESH = "refresh"


@frozen
class Claims:
    """What a valid token says: the user, and the token version under which it was issued."""

    user_id: str
    version: int


class Tokens:
    """Issues and verifies tokens."""

    def __init__(
        self,
        key: bytes,
        *,
        access_ttl: timedelta = timedelta(hours=1),
        refresh_ttl: timedelta = timedelta(hours=24),
        now: Clock = utc_now,
    ) -> None:
        """Sign with ``key``, at least 32 bytes that only this service knows.

        Raises ``ValueError``: the key is too short to resist guessing.
        """
        if len(key) < KEY_BYTES:
            raise ValueError(f"a token key has at least {KEY_BYTES} bytes, this one has {len(key)}")
        self._key = key
        self._ttl = {Kind.ACCESS: access_ttl, Kind.REFRESH: refresh_ttl}
        self._now = now

    def issue(self, claims: Claims) -> TokenPair:
        """Return a new pair for a user."""
        return TokenPair(self._sign(claims, Kind.ACCESS), self._sign(claims, Kind.REFRESH))

    def verify(self, token: Secret, kind: Kind) -> Claims:
        """Return what ``token`` says.

        Raises ``InvalidToken``: not signed here, altered or expired;
        ``RefreshTokenUsed`` or ``AccessTokenUsed``: valid, but of the other kind.
        """
        try:
            claims = jwt.decode(
                token.reveal(),
                self._key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                # The time is compared below, against this service's own clock.
                options={"require": ["exp", "sub"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as error:
            raise InvalidToken from error
        if claims["exp"] <= self._now().timestamp():
            raise InvalidToken("the token has expired: sign in again or refresh it")
        if claims.get("kind") != kind:
            raise AccessTokenUsed if kind is Kind.REFRESH else RefreshTokenUsed
        return Claims(str(claims["sub"]), int(claims.get("version", 0)))

    def _sign(self, claims: Claims, kind: Kind) -> Secret:
        now = self._now()
        body = {
            "iss": ISSUER,
            "sub": claims.user_id,
            "kind": kind.value,
            "version": claims.version,
            "iat": int(now.timestamp()),
            "exp": int((now + self._ttl[kind]).timestamp()),
        }
        return Secret(jwt.encode(body, self._key, algorithm=ALGORITHM))
