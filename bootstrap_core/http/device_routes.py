"""The routes of devices, of both documents: plain and secure bootstrap.

They are the busy ones, so they are bare ASGI applications. The external ID is taken from the path
as it was sent and percent-decoded here, so that any ID can be fetched: one with a slash as
``a%2Fb``. Two plain words stand for routes and not for IDs (``secure`` followed by an ID, and the
names of other routes in a domain's path); a device with such an ID escapes one of its letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from attrs import frozen
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from bootstrap_core.delivery import Delivery
from bootstrap_core.errors import KeyMissing, Malformed, NotFound, SecureRouteOff
from bootstrap_core.openapi import Operation, Parameter, Reply
from bootstrap_core.rendered import Dialect, Place, Rendered
from bootstrap_core.secure_transport import SecureTransport

PREFIX: Final = "/clients/bootstrap"
THING_PREFIX: Final = "/things/bootstrap"
SCHEME: Final = b"Client "
SECURE: Final = b"secure/"
NOT_MODIFIED: Final = 304
DELIVERED: Final = "delivered"
UNCHANGED: Final = "unchanged"
JSON_HEADER: Final = (b"content-type", b"application/json")
BINARY_HEADER: Final = (b"content-type", b"application/octet-stream")
NO_STORE: Final = (b"cache-control", b"private, no-cache")
REFUSALS: Final = (400, 401, 403, 404, 409, 429, 503)
TAGGED: Final = {"ETag": "The version of the configuration"}
IF_NONE_MATCH: Final = Parameter(
    "If-None-Match", {"type": "string"}, "The ETag that the device has", place="header"
)


@frozen
class Asked:
    """What a device asks for; ``key`` is what it shows, empty when nothing."""

    place: Place
    secure: bool
    key: bytes


class DeviceEndpoint:
    """Answers devices on the routes of one dialect."""

    def __init__(
        self, delivery: Delivery, transport: SecureTransport | None, dialect: Dialect
    ) -> None:
        """Without ``transport`` the secure route is off."""
        self._delivery = delivery
        self._transport = transport
        self._dialect = dialect
        thing = dialect is Dialect.THING
        self._marker = (THING_PREFIX if thing else PREFIX).encode()
        self._scheme = b"" if thing else SCHEME

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a GET request. Raises the errors of ``Delivery.fetch``, 400, 401 and 404."""
        asked = self._asked(scope)
        client = scope.get("client")
        address = client[0] if client else ""
        if asked.secure:
            await self._answer_secure(asked, address, send)
            return
        rendered = await self._delivery.fetch(asked.place, asked.key, address)
        if _matches(_header(scope, b"if-none-match"), rendered.etag):
            self._delivery.note(rendered, UNCHANGED)
            await _send(send, NOT_MODIFIED, b"", [(b"etag", rendered.etag), NO_STORE])
            return
        await _send(send, 200, rendered.body, [JSON_HEADER, (b"etag", rendered.etag), NO_STORE])
        self._delivery.note(rendered, DELIVERED)

    async def _answer_secure(self, asked: Asked, address: str, send: Send) -> None:
        if self._transport is None:
            raise SecureRouteOff
        key = self._transport.decrypt_key(asked.key)
        rendered: Rendered = await self._delivery.fetch(asked.place, key, address)
        await _send(send, 200, self._transport.encrypt(rendered.body), [BINARY_HEADER, NO_STORE])
        self._delivery.note(rendered, DELIVERED)

    def _asked(self, scope: Scope) -> Asked:
        raw = scope.get("raw_path") or scope["path"].encode()
        domain, found, rest = raw.partition(self._marker)
        if not found or (rest and not rest.startswith(b"/")):
            raise NotFound("there is no such route")
        segment = rest[1:]
        secure = segment.startswith(SECURE)
        if secure:
            segment = segment[len(SECURE) :]
        if b"/" in segment or (secure and not segment):
            raise NotFound("there is no such route; write a slash in an external ID as %2F")
        sent = _header(scope, b"authorization")
        key = sent[len(self._scheme) :] if sent.startswith(self._scheme) else b""
        if not key:
            raise KeyMissing
        external_id = unquote_to_bytes(segment).decode("utf-8", "replace")
        if not external_id:
            raise Malformed("external_id: is missing; ask for /clients/bootstrap/<external_id>")
        domain_id = unquote_to_bytes(domain.strip(b"/")).decode("utf-8", "replace")
        return Asked(Place(external_id, domain_id, self._dialect), secure, key)


def device_operations() -> Sequence[Operation]:
    """Describe the routes."""
    plain = {
        200: Reply("The device's configuration", "DeviceConfiguration", headers=TAGGED),
        304: Reply("The device has it already"),
    }
    thing = {200: Reply("The thing's configuration", "ThingConfiguration", headers=TAGGED)}
    secure = {200: Reply("Vector and ciphertext", "Encrypted", "application/octet-stream")}
    told = [
        ("externalKey", PREFIX + "/{external_id}", "fetch", plain),
        ("externalKey", PREFIX + "/secure/{external_id}", "fetch_secure", secure),
        ("externalKey", "/{domain_id}" + PREFIX + "/{external_id}", "fetch_in_domain", plain),
        ("thingKey", THING_PREFIX + "/{external_id}", "fetch_thing", thing | {304: plain[304]}),
        ("thingKey", THING_PREFIX + "/secure/{external_id}", "fetch_thing_secure", secure),
    ]
    return [
        Operation(
            method="GET",
            path=path,
            handler=None,
            id=f"devices_{name}",
            summary="Fetch the configuration as the device",
            tag="devices",
            replies=replies,
            errors=REFUSALS,
            parameters=() if replies is secure else (IF_NONE_MATCH,),
            security=scheme,
        )
        for scheme, path, name, replies in told
    ]


def device_routes(delivery: Delivery, transport: SecureTransport | None) -> Sequence[Route]:
    """Return the routes that name no domain."""
    device = DeviceEndpoint(delivery, transport, Dialect.DEVICE)
    thing = DeviceEndpoint(delivery, transport, Dialect.THING)
    return [
        Route(PREFIX + "{rest:path}", device, methods=["GET"]),
        Route(THING_PREFIX + "{rest:path}", thing, methods=["GET"]),
    ]


def domain_device_routes(delivery: Delivery, transport: SecureTransport | None) -> Sequence[Route]:
    """Return the route that names a domain; other routes with such a path go before it."""
    device = DeviceEndpoint(delivery, transport, Dialect.DEVICE)
    return [Route("/{domain_id}" + PREFIX + "/{rest:path}", device, methods=["GET"])]


def _header(scope: Scope, name: bytes) -> bytes:
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return b""


def _matches(condition: bytes, etag: bytes) -> bool:
    """Tell whether If-None-Match (RFC 9110 13.1.2) names the tag; comparison is weak."""
    if not condition:
        return False
    tags = (tag.strip().removeprefix(b"W/") for tag in condition.split(b","))
    return condition.strip() == b"*" or etag in tags


async def _send(
    send: Send, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]]
) -> None:
    length = [(b"content-length", b"%d" % len(body))] if status != NOT_MODIFIED else []
    start: Message = {
        "type": "http.response.start",
        "status": status,
        "headers": [*headers, *length],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body})
