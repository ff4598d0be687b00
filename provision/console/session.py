"""Who is signed in: the session that a cookie stands for."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from typing import Final

from attrs import field, frozen

from bootstrap_core.secret import Secret
from provision.console.errors import ForgedRequest
from provision.console.notices import Notice

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


def check_form_token(given: str, wanted: str) -> None:
    """Raise ``ForgedRequest`` unless both are the same."""
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        raise ForgedRequest


def new_cookie() -> Secret:
    """Return a value of 256 random bits."""
    return Secret(secrets.token_urlsafe(COOKIE_BYTES))


def session_id(cookie: Secret) -> str:
    """Return the ID of the session that a cookie stands for."""
    return hashlib.sha256(cookie.encode()).hexdigest()
