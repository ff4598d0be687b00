"""Whether a form was sent by a page of the console, and not by another site's."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

from provision.console.errors import ForgedRequest

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
