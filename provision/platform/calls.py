"""A call to a platform over HTTP, and the request that is sent for it.

Address, headers and body are given to httpx as they go out: having it work them out for every call
takes several times as long.
"""

from __future__ import annotations

import functools
import json
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
from attrs import field, frozen, validators

from bootstrap_core.secrets import MASK, Secret
from provision.platform.errors import InvalidToken, Misconfigured, PlatformError

MEBIBYTE: Final = 1_048_576


class Endpoints(Protocol):
    """Where the services of a platform are."""

    @property
    def services(self) -> Sequence[str]:
        """Their names."""
        ...

    def of(self, service: str) -> str:
        """Return the base address of a service by its name, without a slash at the end."""
        ...


@frozen
class TransportSettings:
    """Time-outs (seconds), retries, pool and TLS of the connection to the platform.

    ``call_timeout`` is for one attempt, ``total_timeout`` for a call with all its attempts and the
    waits between them. ``backoff`` is the first wait's longest; each further one may be twice as
    long, up to ``longest_backoff``. After ``breaker_failures`` failed attempts in a row a service
    counts as down for ``breaker_seconds``. ``ca_file`` replaces the public authorities;
    without ``verify`` the platform's certificates are not looked at.
    """

    connect_timeout: float = field(default=2.0, validator=validators.gt(0))
    call_timeout: float = field(default=10.0, validator=validators.gt(0))
    total_timeout: float = field(default=30.0, validator=validators.gt(0))
    attempts: int = field(default=4, validator=validators.ge(1))
    backoff: float = field(default=0.1, validator=validators.ge(0))
    longest_backoff: float = field(default=2.0, validator=validators.ge(0))
    pool_size: int = field(default=32, validator=validators.ge(1))
    most_answer_bytes: int = field(default=8 * MEBIBYTE, validator=validators.ge(1))
    breaker_failures: int = field(default=5, validator=validators.ge(1))
    breaker_seconds: float = field(default=5.0, validator=validators.gt(0))
    verify: bool = True
    ca_file: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None

    def tls(self) -> ssl.SSLContext:
        """Return the TLS context of the files named; raises ``Misconfigured``."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(
                f"the CA file {self.ca_file} can't be used: {error}; it must hold certificates "
                "in PEM form"
            ) from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.client_certificate is not None:
            try:
                context.load_cert_chain(self.client_certificate, self.client_key)
            except (OSError, ssl.SSLError) as error:
                raise Misconfigured(
                    f"the client certificate {self.client_certificate} and its key "
                    f"{self.client_key} can't be used: {error}; both must be in PEM form, the key "
                    "without a passphrase"
                ) from error
        return context


LONGEST_WORDS: Final = 300
SHORTEST_MASKED: Final = 4


@frozen
class Call:
    """A request: ``service`` and ``operation`` name it in errors, ``path`` begins with a slash.

    ``repeatable`` calls may be made again though the first may have taken effect. The texts of
    ``confidential`` and the token never show in an error.
    """

    service: str
    operation: str
    method: str
    path: str
    token: Secret | None = None
    query: Mapping[str, str] = field(factory=dict)
    body: Any = field(default=None, repr=False)
    repeatable: bool = False
    confidential: Sequence[Secret] = ()

    def content(self) -> bytes:
        """Return the body as JSON; nothing for a call without one."""
        if self.body is None:
            return b""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()

    def refusal(self, answer: Answer) -> PlatformError | None:
        """Return what the platform refuses with this answer; None where the call succeeded."""
        raise NotImplementedError

    def masked(self, words: str) -> str:
        """Return the platform's words, short and printable, without the secrets of the call."""
        texts = {secret.reveal() for secret in (self.token, *self.confidential) if secret}
        for text in sorted(texts, key=len, reverse=True):
            # A shorter one would be told by the holes that it leaves in every other word.
            if len(text) >= SHORTEST_MASKED:
                words = words.replace(text, MASK)
        printable = "".join(letter if letter.isprintable() else " " for letter in words)
        return printable[:LONGEST_WORDS]


@frozen
class Answer:
    """What came back: the status, the body, and the wait that was asked for, in seconds.

    ``address`` is where the service should be, for people.
    """

    call: Call
    status: int
    body: bytes = field(repr=False)
    retry_after: float | None = None
    address: str = ""

    def checked(self) -> Answer:
        """Return the answer of a call that succeeded; raises what a refusal means."""
        if refusal := self.call.refusal(self):
            raise refusal
        return self


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
