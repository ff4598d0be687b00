"""Signing in and out, and knowing again who has signed in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakValueDictionary

import jwt
from attrs import evolve

from bootstrap_core.secrets import Secret
from provision.console.directory import Directory, HomeDomain, first_domain
from provision.console.errors import SignedOut, SignInRefused
from provision.console.sessions import (
    Credentials,
    Lifetimes,
    Notice,
    Session,
    SessionRows,
    new_cookie,
    session_id,
)
from provision.platform.errors import InvalidToken, NotFound, Rejected

WITHOUT_END: Final = timedelta(minutes=30)
"""How long an access token is taken to be good that does not tell its end."""
SEEN_EVERY: Final = timedelta(minutes=1)
"""How much of a session's use is not written down, to spare the store a write for each page."""


class Reception:
    """Opens sessions, finds them by their cookie, renews their tokens and closes them."""

    def __init__(
        self,
        rows: SessionRows,
        directory: Directory,
        home: HomeDomain,
        now: Callable[[], datetime],
        lifetimes: Lifetimes,
    ) -> None:
        """Sign in at ``directory``; the domain that ``home`` tells is entered first."""
        self._rows = rows
        self._directory = directory
        self._home = home
        self._now = now
        self._lifetimes = lifetimes
        self._renewing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def sign_in(self, username: str, password: Secret) -> Secret:
        """Open a session and return the cookie that stands for it.

        Raises ``SignInRefused``, which does not tell what was wrong, and the platform's failures.
        """
        try:
            pair = await self._directory.issue_token(username, password)
        except (NotFound, Rejected, InvalidToken) as error:
            raise SignInRefused from error
        domain = await first_domain(self._directory, pair.access, await self._home(pair.access))
        user = await self._directory.view_user(pair.access)
        at, cookie = self._now(), new_cookie()
        await self._rows.remove_expired(at)
        await self._rows.add(
            Session(
                id=session_id(cookie),
                username=user.username or username,
                domain_id=domain.id if domain else "",
                domain_name=domain.name if domain else "",
                credentials=Credentials(pair.access, pair.refresh, new_cookie()),
                access_ends_at=self._end_of(pair.access),
                created_at=at,
                seen_at=at,
                expires_at=at + self._lifetimes.idle,
            )
        )
        return cookie

    async def recognise(self, cookie: Secret) -> Session:
        """Return the session that a cookie stands for, its access token good for a while.

        Raises ``SignedOut``: there is none, or it has expired.
        """
        if not cookie:
            raise SignedOut("sign in first")
        session = await self._rows.find(session_id(cookie))
        if session is None:
            raise SignedOut
        at = self._now()
        if session.expires_at <= at:
            await self._rows.remove(session.id)
            raise SignedOut
        if at - session.seen_at >= SEEN_EVERY:
            last = session.created_at + self._lifetimes.whole
            await self._rows.seen(session.id, at, min(at + self._lifetimes.idle, last))
        return await self._renewed(session)

    async def sign_out(self, cookie: Secret) -> None:
        """Close the session that a cookie stands for; none is no error."""
        await self._rows.remove(session_id(cookie))

    async def close(self, session: Session) -> None:
        """Close a session whose tokens the platform no longer takes."""
        await self._rows.remove(session.id)

    async def enter(self, session: Session, domain_id: str) -> str:
        """Let the session be about another domain; return its name.

        Raises ``NotAMember`` and ``DomainNotFound``.
        """
        domain = await self._directory.view_domain(session.credentials.access, domain_id)
        await self._rows.enter(session.id, domain.id, domain.name)
        return domain.name

    async def tell(self, session: Session, notice: Notice) -> None:
        """Keep a notice for the session's next page."""
        await self._rows.tell(session.id, notice)

    async def told(self, session: Session) -> None:
        """Forget the notice that a page is about to show."""
        await self._rows.told(session.id)

    async def _renewed(self, session: Session) -> Session:
        if not self._is_ending(session):
            return session
        lock = self._renewing.setdefault(session.id, asyncio.Lock())
        async with lock:
            current = await self._rows.find(session.id)
            if current is None:
                raise SignedOut
            if not self._is_ending(current):
                return current
            try:
                pair = await self._directory.refresh_token(current.credentials.refresh)
            except (InvalidToken, NotFound, Rejected) as error:
                await self._rows.remove(session.id)
                raise SignedOut from error
            fresh = evolve(current.credentials, access=pair.access, refresh=pair.refresh)
            ends_at = self._end_of(pair.access)
            await self._rows.renew(session.id, fresh, ends_at)
            return evolve(current, credentials=fresh, access_ends_at=ends_at)

    def _is_ending(self, session: Session) -> bool:
        return session.access_ends_at - self._now() < self._lifetimes.refresh_before

    def _end_of(self, access: Secret) -> datetime:
        """Return when an access token ends; the platform, not this, decides about it."""
        at = self._now()
        try:
            claims = jwt.decode(access.reveal(), options={"verify_signature": False})
            return datetime.fromtimestamp(claims["exp"], at.tzinfo)
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, OverflowError):
            return at + WITHOUT_END
