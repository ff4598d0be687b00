"""Access and refresh tokens: signed JSON Web Tokens (RFC 7519, HS256) that expire.

The kind of a token is part of what is signed, so that a refresh token is never taken for an access
token; so is the user's token version, so that raising it revokes all that was issued before.
"""

from __future__ import annotations

import hashlib
import secrets
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
REMEMBERED: Final = 10_000

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


@frozen
class _Said:
    """All that a token of this service's says; ``expires_at`` is in Unix time."""

    claims: Claims
    kind: str | None
    expires_at: float


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
        self._mark_key = secrets.token_bytes(KEY_BYTES)
        self._known: dict[bytes, _Said] = {}

    def issue(self, claims: Claims) -> TokenPair:
        """Return a new pair for a user."""
        return TokenPair(self._sign(claims, Kind.ACCESS), self._sign(claims, Kind.REFRESH))

    def verify(self, token: Secret, kind: Kind) -> Claims:
        """Return what ``token`` says; one that was issued or read here before is not read again.

        Raises ``InvalidToken``: not signed here, altered or expired;
        ``RefreshTokenUsed`` or ``AccessTokenUsed``: valid, but of the other kind.
        """
        said = self._said(token)
        if said.expires_at <= self._now().timestamp():
            raise InvalidToken("the token has expired: sign in again or refresh it")
        if said.kind != kind:
            raise AccessTokenUsed if kind is Kind.REFRESH else RefreshTokenUsed
        return said.claims

    def _said(self, token: Secret) -> _Said:
        said = self._known.get(self._mark(token))
        return said or self._remember(token, self._read(token))

    def _remember(self, token: Secret, said: _Said) -> _Said:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[self._mark(token)] = said
        return said

    def _mark(self, token: Secret) -> bytes:
        # Not the token itself: what is kept in memory for long is no use to whoever reads it.
        return hashlib.blake2b(token.encode(), key=self._mark_key).digest()

    def _read(self, token: Secret) -> _Said:
        try:
            said = jwt.decode(
                token.reveal(),
                self._key,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                # The time is compared by ``verify``, against this service's own clock.
                options={"require": ["exp", "sub"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError as error:
            raise InvalidToken from error
        claims = Claims(str(said["sub"]), int(said.get("version", 0)))
        return _Said(claims, said.get("kind"), said["exp"])

    def _sign(self, claims: Claims, kind: Kind) -> Secret:
        now = self._now()
        expires_at = int((now + self._ttl[kind]).timestamp())
        body = {
            "iss": ISSUER,
            "sub": claims.user_id,
            "kind": kind.value,
            "version": claims.version,
            "iat": int(now.timestamp()),
            "exp": expires_at,
        }
        token = Secret(jwt.encode(body, self._key, algorithm=ALGORITHM))
        self._remember(token, _Said(claims, kind, expires_at))
        return token
