"""A call as the HTTP request that is sent.

Address, headers and body are given to httpx as they go out: having it work them out for every call
takes several times as long.
"""

from __future__ import annotations

import functools
import json
import ssl
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import quote

import httpx
from attrs import field, frozen, validators

from bootstrap_core.secrets import MASK, Secret
from provision.platform.errors import (
    AlreadyExists,
    BadAnswer,
    DomainNotFound,
    Failed,
    InvalidToken,
    Misconfigured,
    NotAMember,
    NotFound,
    NotPermitted,
    NotThePlatform,
    Overloaded,
    PlatformError,
    Rejected,
    lacks,
)

MEBIBYTE: Final = 1_048_576


@frozen
class Endpoints:
    """The base address of each service (``http://clients:9006``); they may all be the same."""

    clients: str
    channels: str
    users: str
    domains: str
    certs: str

    def of(self, service: str) -> str:
        """Return the base address of a service by its name, without a slash at the end."""
        address: str = getattr(self, service)
        return address.rstrip("/")


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


Meaning: TypeAlias = Mapping[int | tuple[int, str], type[PlatformError]]

OF_DOMAIN: Final[Meaning] = {403: NotAMember, 404: DomainNotFound}
"""What a refusal means where the whole domain is addressed."""
IN_DOMAIN: Final[Meaning] = {403: NotPermitted, 404: DomainNotFound}
"""What a refusal means where something is made or listed in a domain."""
OF_ENTITY: Final[Meaning] = {403: NotFound, 404: NotFound}
"""What a refusal means where something in a domain is addressed."""
SAID_BY_OTHERS: Final = frozenset({401, 403, 404, 405, 410})
"""Refusals that Magistrala always explains, and that any server gives for what it does not have."""
LONGEST_WORDS: Final = 300
SHORTEST_MASKED: Final = 4


@frozen
class Call:
    """A request: ``service`` and ``operation`` name it in errors, ``path`` begins with a slash.

    ``repeatable`` calls may be made again though the first may have taken effect. A refusal that is
    listed in ``already`` (status and words) says that what was asked is so already: a success.
    ``needs`` is the right on the domain that the call takes, by the name of the action. The texts
    of ``confidential`` and the token never show in an error.
    """

    service: str
    operation: str
    method: str
    path: str
    token: Secret | None = None
    query: Mapping[str, str] = field(factory=dict)
    body: Any = field(default=None, repr=False)
    meaning: Meaning = field(factory=dict)
    already: Collection[tuple[int, str]] = ()
    repeatable: bool = False
    needs: str = ""
    confidential: Sequence[Secret] = ()

    def content(self) -> bytes:
        """Return the body as JSON; nothing for a call without one."""
        if self.body is None:
            return b""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


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
        if 200 <= self.status < 300 or (self.status, self._words()) in self.call.already:
            return self
        raise self._refusal()

    def _refusal(self) -> PlatformError:
        words = self._words()
        if not words and self.status in SAID_BY_OTHERS:
            return self.foreign(f"it answered {self.status} without a Magistrala error")
        told = f": {_masked(words, self.call)}" if words else ""
        service, operation = self.call.service, self.call.operation
        kind = self.call.meaning.get((self.status, words)) or self.call.meaning.get(self.status)
        kind = kind or _kind(self.status)
        meant = kind.__doc__
        if self.call.needs and issubclass(kind, NotPermitted):
            meant = f"{lacks(self.call.needs, 'the domain')}."
        text = f"{meant} The {service} service answered {self.status} to {operation}{told}"
        if issubclass(kind, Overloaded):
            return kind(text, service=service, operation=operation, retry_after=self.retry_after)
        if issubclass(kind, Rejected):
            return kind(text, service=service, operation=operation, answered=self.status)
        return kind(text, service=service, operation=operation)

    def foreign(self, why: str) -> NotThePlatform:
        """Return the error for an answer that some other server gave in the service's place."""
        service, operation = self.call.service, self.call.operation
        return NotThePlatform(
            f"{NotThePlatform.__doc__} The {service} service was asked at {self.address} to "
            f"{operation}, and {why}. Does that address lead to the service itself, of a release "
            f"that has this route? Look at the setting {service}_url",
            service=service,
            operation=operation,
        )

    def _words(self) -> str:
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            return ""
        message = document.get("message") if isinstance(document, dict) else None
        return message if isinstance(message, str) else ""


def domain_path(domain_id: str, *parts: str) -> str:
    """Return the path of something in a domain, each part percent-encoded.

    Raises ``DomainNotFound`` and ``NotFound`` for IDs that no path can hold.
    """
    if not _can_be_addressed(domain_id):
        raise DomainNotFound(f"there is no domain with the ID {domain_id!r}")
    return f"/{_encoded(domain_id)}{plain_path(*parts)}"


def plain_path(*parts: str) -> str:
    """Return a path outside of domains, each part percent-encoded; raises ``NotFound``."""
    for part in parts:
        if not _can_be_addressed(part):
            raise NotFound(f"there is nothing with the ID {part!r}")
    return "".join(f"/{_encoded(part)}" for part in parts)


def _encoded(part: str) -> str:
    # Go routes a path that is encoded more than it has to be without decoding it.
    return quote(part, safe=":@$&+,;=")


def _can_be_addressed(part: str) -> bool:
    return part not in {"", ".", ".."} and part.isprintable()


def _kind(status: int) -> type[PlatformError]:
    match status:
        case 401:
            return InvalidToken
        case 409:
            return AlreadyExists
        case 429 | 503:
            return Overloaded
        case _ if 400 <= status < 500:
            return Rejected
        case _ if status >= 500:
            return Failed
    return BadAnswer


def _masked(words: str, call: Call) -> str:
    texts = {secret.reveal() for secret in (call.token, *call.confidential) if secret}
    for text in sorted(texts, key=len, reverse=True):
        # A shorter one would be told by the holes that it leaves in every other word.
        if len(text) >= SHORTEST_MASKED:
            words = words.replace(text, MASK)
    printable = "".join(letter if letter.isprintable() else " " for letter in words)
    return printable[:LONGEST_WORDS]


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
