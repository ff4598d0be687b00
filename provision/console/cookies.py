"""The console's cookies, and whether a request came over TLS."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.secret import Secret

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
        """Tell whether the browser speaks TLS with this address."""
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
