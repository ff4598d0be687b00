"""A call as the HTTP request that is sent.

Address, headers and body are given to httpx as they go out: having it work them out for every call
takes several times as long.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Final

import httpx

from provision.platform.errors import InvalidToken
from provision.platform.magistrala_call import Call

HEADERS: Final = (
    (b"Accept", b"application/json"),
    (b"Accept-Encoding", b"gzip, deflate"),
    (b"User-Agent", b"provision"),
)
URLS_KEPT: Final = 512
WITHOUT_CONTENT: Final = frozenset({"GET", "DELETE"})


def request_of(call: Call, endpoint: str, extensions: Mapping[str, Any]) -> httpx.Request:
    """Return the request that makes ``call`` to the service at ``endpoint``.

    Raises ``InvalidToken`` for a token that no header can hold, ``httpx.InvalidURL``.
    """
    url = _url(endpoint + call.path)
    if call.query:
        url = url.copy_with(params=call.query)
    content = call.content()
    request = httpx.Request(
        call.method,
        url,
        headers=_headers(call, url, len(content)),
        stream=httpx.ByteStream(content),
        extensions=extensions,
    )
    # As httpx does: whoever is shown the request may look at its content.
    request.read()
    return request


@functools.lru_cache(URLS_KEPT)
def _url(address: str) -> httpx.URL:
    """Read an address once: most calls go to the same few of a domain."""
    return httpx.URL(address)


def _headers(call: Call, url: httpx.URL, content_length: int) -> list[tuple[bytes, bytes]]:
    headers = [(b"Host", url.netloc), *HEADERS]
    if call.method != "GET":
        headers.append((b"Content-Type", b"application/json"))
    if content_length or call.method not in WITHOUT_CONTENT:
        headers.append((b"Content-Length", b"%d" % content_length))
    if call.token is not None:
        token = call.token.reveal()
        if not (token and token.isascii() and token.isprintable()):
            raise InvalidToken(service=call.service, operation=call.operation)
        headers.append((b"Authorization", b"Bearer " + token.encode()))
    return headers
