"""Access and refresh tokens: signed JSON Web Tokens (RFC 7519, HS256) that expire.

The kind of a token is part of what is signed, so that a refresh token is never taken for an access
token; so is the user's token version, so that raising it revokes all that was issued before.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import jwt
from attrs import evolve, frozen
from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.secrets import Secret
from provision.embedded.errors import AccessTokenUsed, InvalidToken, RefreshTokenUsed
from provision.embedded.tables import token_families
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
    """What a valid token says: the user, and the token version under which it was issued.

    ``family`` is the sign-in that it comes from, ``turn`` how often that was refreshed before.
    """

    user_id: str
    version: int
    family: str = ""
    turn: int = 0


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
        """Return a new pair for a user; claims without a family begin one."""
        if not claims.family:
            claims = evolve(claims, family=secrets.token_hex(16))
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
        # A token of an earlier release has no family: it is one of its own.
        family = str(said.get("family") or hashlib.sha256(token.encode()).hexdigest())
        turn = int(said.get("turn", 0))
        claims = Claims(str(said["sub"]), int(said.get("version", 0)), family, turn)
        return _Said(claims, said.get("kind"), said["exp"])

    def _sign(self, claims: Claims, kind: Kind) -> Secret:
        now = self._now()
        expires_at = int((now + self._ttl[kind]).timestamp())
        body = {
            "iss": ISSUER,
            "sub": claims.user_id,
            "kind": kind.value,
            "version": claims.version,
            "family": claims.family,
            "turn": claims.turn,
            "iat": int(now.timestamp()),
            "exp": expires_at,
        }
        token = Secret(jwt.encode(body, self._key, algorithm=ALGORITHM))
        self._remember(token, _Said(claims, kind, expires_at))
        return token


REVOKED: Final = -1
FIRST: Final = 0
_NEXT: Final = (
    update(token_families)
    .where(
        token_families.c.id == bindparam("family"),
        token_families.c.turn == bindparam("used"),
    )
    .values(turn=bindparam("next"), expires_at=bindparam("until"))
)
_REVOKE: Final = (
    update(token_families)
    .where(token_families.c.id == bindparam("family"))
    .values(turn=REVOKED, expires_at=bindparam("until"))
)
_REFUSED: Final = select(token_families.c.id).where(token_families.c.turn == REVOKED)


class TokenFamilies:
    """The families of refresh tokens, in the engine's database."""

    def __init__(
        self, engine: AsyncEngine, now: Clock, kept: timedelta, *, cache_seconds: float = 2.0
    ) -> None:
        """Keep a family for ``kept`` after its last use: no token of it is valid for longer.

        What another process revoked counts here within ``cache_seconds``.
        """
        self._engine = engine
        self._now = now
        self._kept = kept
        self._cache_seconds = cache_seconds
        self._refused: frozenset[str] = frozenset()
        self._fresh_until = 0.0

    async def use(self, claims: Claims) -> Claims:
        """Count a refresh token as used; return what its successors say.

        Raises ``InvalidToken``: it was used before, or its family is refused.
        """
        until = self._now() + self._kept
        values = {"family": claims.family, "used": claims.turn, "next": claims.turn + 1}
        async with self._engine.begin() as connection:
            await connection.execute(
                delete(token_families).where(token_families.c.expires_at < self._now())
            )
            done = await connection.execute(_NEXT, {**values, "until": until})
        if done.rowcount or (claims.turn == FIRST and await self._is_new(claims)):
            return Claims(claims.user_id, claims.version, claims.family, claims.turn + 1)
        async with self._engine.begin() as connection:
            await connection.execute(_REVOKE, {"family": claims.family, "until": until})
        self._fresh_until = 0.0
        raise InvalidToken("this refresh token was used before: sign in again")

    async def require(self, claims: Claims) -> None:
        """Raise ``InvalidToken`` where the family of a token is refused."""
        if self._fresh_until <= time.monotonic():
            async with self._engine.connect() as connection:
                self._refused = frozenset(await connection.scalars(_REFUSED))
            self._fresh_until = time.monotonic() + self._cache_seconds
        if claims.family in self._refused:
            raise InvalidToken("the token was revoked: sign in again")

    async def _is_new(self, claims: Claims) -> bool:
        """Begin a family with its first refresh; tell whether it was the first."""
        row = {
            "id": claims.family,
            "turn": claims.turn + 1,
            "expires_at": self._now() + self._kept,
        }
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(token_families).values(row))
        except IntegrityError:
            return False
        return True
