"""Sessions of signed-in people: cookies, tokens of forms, rows, and the domains to switch to."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import jwt
from attrs import evolve, field, frozen
from sqlalchemy import (
    Column,
    Index,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.errors import SealedValueUnreadable
from bootstrap_core.secrets import Sealer, Secret
from bootstrap_core.store.reseal import reseal_column
from bootstrap_core.store.tables import UtcDateTime
from provision.console.errors import ForgedRequest, SignedOut, SignInRefused
from provision.platform.errors import DomainNotFound, InvalidToken, NotAMember, NotFound, Rejected
from provision.platform.port import Platform
from provision.platform.types import Domain


@frozen
class Notice:
    """A sentence, and what is shown with it this once: secret texts by their labels."""

    text: str
    shown_once: Mapping[str, Secret] = field(factory=dict)

    def to_json(self) -> str:
        """Write the notice, secrets in clear: for sealing only."""
        shown = {label: secret.reveal() for label, secret in self.shown_once.items()}
        return json.dumps({"text": self.text, "shown_once": shown})

    @classmethod
    def from_json(cls, written: bytes) -> Notice:
        """Read what ``to_json`` wrote."""
        values: dict[str, Any] = json.loads(written)
        shown = {label: Secret(text) for label, text in values["shown_once"].items()}
        return cls(values["text"], shown)


metadata: Final = MetaData()

sessions: Final = Table(
    "console_sessions",
    metadata,
    # The SHA-256 of the cookie: whoever reads the table can't sign in with it.
    Column("id", String(64), primary_key=True),
    Column("username", Text, nullable=False),
    Column("domain_id", Text, nullable=False),
    Column("domain_name", Text, nullable=False),
    Column("credentials", Text, nullable=False),
    Column("notice", Text, nullable=False),
    Column("access_ends_at", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Index("ix_console_sessions_expiry", "expires_at"),
)


PATH: Final = "/console"
SESSION: Final = "provision-session"
GUEST: Final = "provision-guest"
THEME: Final = "provision-theme"
THEMES: Final = ("auto", "light", "dark")
TLS_PREFIX: Final = "__Secure-"
A_YEAR: Final = 365 * 24 * 3600


@frozen
class Cookies:
    """Reads and writes cookies; ``public_url`` tells where a proxy ends TLS before the service."""

    public_url: str

    def is_secure(self, request: Request) -> bool:
        """Return whether the browser speaks TLS with this address."""
        if request.url.scheme == "https":
            return True
        public = urlsplit(self.public_url)
        return public.scheme == "https" and request.headers.get("host", "") == public.netloc

    def read(self, request: Request, name: str) -> Secret:
        """Return a cookie; empty where there is none."""
        return Secret(request.cookies.get(self._name(request, name), ""))

    def write(
        self, request: Request, response: Response, name: str, value: Secret, seconds: int | None
    ) -> None:
        """Set a cookie for so many seconds, or as long as the browser runs."""
        response.set_cookie(
            self._name(request, name),
            value.reveal(),
            max_age=seconds,
            path=PATH,
            secure=self.is_secure(request),
            httponly=True,
            samesite="lax",
        )

    def remove(self, request: Request, response: Response, name: str) -> None:
        """Take a cookie back."""
        self.write(request, response, name, Secret(""), 0)

    def theme(self, request: Request) -> str:
        """Return the theme that the user chose; ``auto`` follows the browser."""
        chosen = self.read(request, THEME).reveal()
        return chosen if chosen in THEMES else THEMES[0]

    def _name(self, request: Request, name: str) -> str:
        return TLS_PREFIX + name if self.is_secure(request) else name


FIELD: Final = "form_token"
HEADER: Final = "x-form-token"
OWN_SITES: Final = ("", "same-origin", "none")


def check_origin(request: Request, public_url: str) -> None:
    """Raise ``ForgedRequest`` where the browser says that another site sent the request.

    Browsers say so in ``Sec-Fetch-Site`` and ``Origin``; what says neither is no browser that
    could be misled, and has the form token to show like everyone else. Where a proxy before the
    service changes the host, the browser knows that of ``public_url``.
    """
    if request.headers.get("sec-fetch-site", "") not in OWN_SITES:
        raise ForgedRequest
    origin = request.headers.get("origin")
    own = (request.headers.get("host", ""), urlsplit(public_url).netloc)
    if origin is not None and (urlsplit(origin).netloc or "null") not in own:
        raise ForgedRequest


COOKIE_BYTES: Final = 32


@frozen
class Lifetimes:
    """How long a session lives without being used, and in all."""

    idle: timedelta = timedelta(hours=4)
    whole: timedelta = timedelta(hours=12)
    refresh_before: timedelta = timedelta(minutes=5)
    """How long before its end an access token is renewed."""


@frozen
class Credentials:
    """What is kept sealed: the platform's tokens, and the secret that form tokens are made of."""

    access: Secret
    refresh: Secret
    forms: Secret


@frozen
class Session:
    """A signed-in user in a domain; ``id`` is the SHA-256 of the cookie's value."""

    id: str
    username: str
    domain_id: str
    domain_name: str
    credentials: Credentials
    access_ends_at: datetime
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    notice: Notice | None = field(default=None)

    @property
    def form_token(self) -> str:
        """The token that every form of this session carries, bound to the domain.

        A form that was opened before the domain was switched is so refused instead of taking
        effect in a domain that its user no longer sees.
        """
        return form_token(self.credentials.forms, self.domain_id)

    def check_form(self, token: str) -> None:
        """Raise ``ForgedRequest`` unless ``token`` is this session's."""
        check_form_token(token, self.form_token)


def form_token(secret: Secret, purpose: str) -> str:
    """Return the form token that is made of ``secret`` for ``purpose``."""
    return hmac.digest(secret.encode(), f"form\n{purpose}".encode(), "sha256").hex()


def check_form_token(given: str, expected: str) -> None:
    """Raise ``ForgedRequest`` unless both are the same."""
    if not hmac.compare_digest(given.encode(), expected.encode()):
        raise ForgedRequest


def new_cookie() -> Secret:
    """Return a value of 256 random bits."""
    return Secret(secrets.token_urlsafe(COOKIE_BYTES))


def session_id(cookie: Secret) -> str:
    """Return the ID of the session that a cookie stands for."""
    return hashlib.sha256(cookie.encode()).hexdigest()


@frozen
class SessionStore:
    """The rows of all sessions, their tokens and notices sealed."""

    engine: AsyncEngine
    sealer: Sealer

    async def find(self, session_id: str) -> Session | None:
        """Return a session, expired or not; None where there is none that can be opened."""
        query = select(sessions).where(sessions.c.id == session_id)
        async with self.engine.connect() as connection:
            row = (await connection.execute(query)).mappings().first()
        if row is None:
            return None
        try:
            return self._session(row)
        except SealedValueUnreadable:
            # Its key was taken away: the user signs in again.
            return None

    async def add(self, session: Session) -> None:
        """Write a new session."""
        values = {
            "id": session.id,
            "username": session.username,
            "domain_id": session.domain_id,
            "domain_name": session.domain_name,
            "credentials": self._sealed(session.id, session.credentials),
            "notice": "",
            "access_ends_at": session.access_ends_at,
            "created_at": session.created_at,
            "seen_at": session.seen_at,
            "expires_at": session.expires_at,
        }
        async with self.engine.begin() as connection:
            await connection.execute(insert(sessions).values(**values))

    async def seen(self, session_id: str, at: datetime, expires_at: datetime) -> None:
        """Write down that a session was used."""
        await self._update(session_id, {"seen_at": at, "expires_at": expires_at})

    async def renew(self, session_id: str, credentials: Credentials, ends_at: datetime) -> None:
        """Write down new tokens; ``ends_at`` is the end of the access token."""
        sealed = self._sealed(session_id, credentials)
        await self._update(session_id, {"credentials": sealed, "access_ends_at": ends_at})

    async def enter(self, session_id: str, domain_id: str, domain_name: str) -> None:
        """Write down that a session is now about another domain."""
        await self._update(session_id, {"domain_id": domain_id, "domain_name": domain_name})

    async def set_notice(self, session_id: str, notice: Notice) -> None:
        """Keep a notice for the session's next page."""
        sealed = self.sealer.seal(notice.to_json().encode(), notice_associated_data(session_id))
        await self._update(session_id, {"notice": sealed})

    async def clear_notice(self, session_id: str) -> None:
        """Forget the notice: a page has shown it."""
        await self._update(session_id, {"notice": ""})

    async def remove(self, session_id: str) -> None:
        """Delete a session; one that is not there is no error."""
        async with self.engine.begin() as connection:
            await connection.execute(delete(sessions).where(sessions.c.id == session_id))

    async def remove_expired(self, at: datetime) -> None:
        """Delete every session that has expired."""
        async with self.engine.begin() as connection:
            await connection.execute(delete(sessions).where(sessions.c.expires_at <= at))

    async def _update(self, session_id: str, values: dict[str, Any]) -> None:
        async with self.engine.begin() as connection:
            statement = update(sessions).where(sessions.c.id == session_id).values(**values)
            await connection.execute(statement)

    def _sealed(self, session_id: str, credentials: Credentials) -> str:
        written = json.dumps(
            {
                "access": credentials.access.reveal(),
                "refresh": credentials.refresh.reveal(),
                "forms": credentials.forms.reveal(),
            }
        )
        return self.sealer.seal(written.encode(), credentials_associated_data(session_id))

    def _session(self, row: RowMapping) -> Session:
        values = dict(row)
        opened = self.sealer.open(values["credentials"], credentials_associated_data(row["id"]))
        tokens = {name: Secret(text) for name, text in json.loads(opened).items()}
        values["credentials"] = Credentials(**tokens)
        notice = values["notice"]
        values["notice"] = (
            Notice.from_json(self.sealer.open(notice, notice_associated_data(row["id"])))
            if notice
            else None
        )
        return Session(**values)


def credentials_associated_data(session_id: str) -> str:
    """Return what a session's credentials are sealed with: the row and column that they are for."""
    return f"console_sessions/{session_id}/credentials"


def notice_associated_data(session_id: str) -> str:
    """Return what a session's notice is sealed with: the row and column that it is for."""
    return f"console_sessions/{session_id}/notice"


async def reseal_sessions(engine: AsyncEngine, sealer: Sealer) -> int:
    """Seal all sessions with the first key; return how many values changed.

    Raises ``SealedValueUnreadable``: one is sealed with a key that is not configured.
    """
    key = (sessions.c.id,)
    credentials = await reseal_column(
        engine, sealer, key, sessions.c.credentials, credentials_associated_data
    )
    return credentials + await reseal_column(
        engine, sealer, key, sessions.c.notice, notice_associated_data
    )


DEFAULT_TOKEN_LIFETIME: Final = timedelta(minutes=30)
"""How long an access token is taken to be good that does not say when it ends."""
SEEN_INTERVAL: Final = timedelta(minutes=1)
"""How often the use of a session is written down: not at every page."""


@frozen
class Sessions:
    """Opens sessions, finds them by their cookie, renews their tokens and closes them."""

    store: SessionStore
    platform: Platform
    home: Callable[[Secret], Awaitable[str]]
    """Returns the ID of the domain that a user enters first; an empty text: any."""
    now: Callable[[], datetime]
    lifetimes: Lifetimes
    _renewals: WeakValueDictionary[str, asyncio.Lock] = field(
        init=False, factory=WeakValueDictionary
    )

    async def sign_in(self, username: str, password: Secret) -> Secret:
        """Open a session and return the cookie that stands for it.

        Raises ``SignInRefused``, which does not tell what was wrong, and the platform's failures.
        """
        try:
            pair = await self.platform.issue_token(username, password)
        except (NotFound, Rejected, InvalidToken) as error:
            raise SignInRefused from error
        domain = await _first_domain(self.platform, pair.access, await self.home(pair.access))
        user = await self.platform.view_user(pair.access)
        at, cookie = self.now(), new_cookie()
        await self.store.remove_expired(at)
        await self.store.add(
            Session(
                id=session_id(cookie),
                username=user.username or username,
                domain_id=domain.id if domain else "",
                domain_name=domain.name if domain else "",
                credentials=Credentials(pair.access, pair.refresh, new_cookie()),
                access_ends_at=self._end_of(pair.access),
                created_at=at,
                seen_at=at,
                expires_at=at + self.lifetimes.idle,
            )
        )
        return cookie

    async def find(self, cookie: Secret) -> Session:
        """Return the session that a cookie stands for, its access token good for a while.

        Raises ``SignedOut``: there is none, or it has expired.
        """
        if not cookie:
            raise SignedOut("sign in first")
        session = await self.store.find(session_id(cookie))
        if session is None:
            raise SignedOut
        at = self.now()
        if session.expires_at <= at:
            await self.store.remove(session.id)
            raise SignedOut
        if at - session.seen_at >= SEEN_INTERVAL:
            last = session.created_at + self.lifetimes.whole
            await self.store.seen(session.id, at, min(at + self.lifetimes.idle, last))
        return await self._renewed(session)

    async def sign_out(self, cookie: Secret) -> None:
        """Close the session that a cookie stands for; none is no error."""
        await self.store.remove(session_id(cookie))

    async def close(self, session: Session) -> None:
        """Close a session whose tokens the platform no longer takes."""
        await self.store.remove(session.id)

    async def enter(self, session: Session, domain_id: str) -> str:
        """Let the session be about another domain; return its name.

        Raises ``NotAMember`` and ``DomainNotFound``.
        """
        domain = await self.platform.view_domain(session.credentials.access, domain_id)
        await self.store.enter(session.id, domain.id, domain.name)
        return domain.name

    async def set_notice(self, session: Session, notice: Notice) -> None:
        """Keep a notice for the session's next page."""
        await self.store.set_notice(session.id, notice)

    async def clear_notice(self, session: Session) -> None:
        """Forget the notice that a page is about to show."""
        await self.store.clear_notice(session.id)

    async def _renewed(self, session: Session) -> Session:
        if not self._is_ending(session):
            return session
        lock = self._renewals.setdefault(session.id, asyncio.Lock())
        async with lock:
            current = await self.store.find(session.id)
            if current is None:
                raise SignedOut
            if not self._is_ending(current):
                return current
            try:
                pair = await self.platform.refresh_token(current.credentials.refresh)
            except (InvalidToken, NotFound, Rejected) as error:
                await self.store.remove(session.id)
                raise SignedOut from error
            fresh = evolve(current.credentials, access=pair.access, refresh=pair.refresh)
            ends_at = self._end_of(pair.access)
            await self.store.renew(session.id, fresh, ends_at)
            return evolve(current, credentials=fresh, access_ends_at=ends_at)

    def _is_ending(self, session: Session) -> bool:
        return session.access_ends_at - self.now() < self.lifetimes.refresh_before

    def _end_of(self, access: Secret) -> datetime:
        # Without a look at the signature: the platform decides whether it takes the token.
        at = self.now()
        try:
            claims = jwt.decode(access.reveal(), options={"verify_signature": False})
            return datetime.fromtimestamp(claims["exp"], at.tzinfo)
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, OverflowError):
            return at + DEFAULT_TOKEN_LIFETIME


async def _first_domain(platform: Platform, token: Secret, preferred: str) -> Domain | None:
    if preferred:
        with contextlib.suppress(NotAMember, DomainNotFound):
            return await platform.view_domain(token, preferred)
    page = await platform.list_domains(token, 0, 1)
    return next(iter(page.items), None)
