"""The routes of devices, of both documents: plain and secure bootstrap.

They are the busy ones, so they are bare ASGI applications. The external ID is taken from the path
as it was sent and percent-decoded here, so that any ID can be fetched: one with a slash as
``a%2Fb``. Two plain words stand for routes and not for IDs (``secure`` followed by an ID, and the
names of other routes in a domain's path); a device with such an ID escapes one of its letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from starlette.routing import Match, Route
from starlette.types import Message, Receive, Scope, Send

from bootstrap_core.delivery import Delivery
from bootstrap_core.errors import KeyMissing, Malformed, NotFound, SecureRouteOff
from bootstrap_core.openapi import Operation, Parameter, Reply
from bootstrap_core.parts import Dialect
from bootstrap_core.rendered import CACHE_CONTROL, Place, Rendered
from bootstrap_core.secure_transport import SecureTransport

PREFIX: Final = "/clients/bootstrap"
THING_PREFIX: Final = "/things/bootstrap"
SCHEME: Final = b"Client "
SECURE: Final = b"secure/"
DELIVERED: Final = "delivered"
UNCHANGED: Final = "unchanged"
REFUSALS: Final = (400, 401, 403, 404, 409, 429, 503)
TAGGED: Final = {"ETag": "The version of the configuration"}
IF_NONE_MATCH: Final = Parameter(
    "If-None-Match", {"type": "string"}, "The ETag that the device has", place="header"
)


class Asked(NamedTuple):
    """What a device asks for, the key that it shows, and its If-None-Match."""

    place: Place
    secure: bool
    key: bytes
    condition: bytes


class DeviceEndpoint:
    """Answers devices on the routes of one dialect."""

    def __init__(
        self, delivery: Delivery, transport: SecureTransport | None, dialect: Dialect
    ) -> None:
        """Without ``transport`` the secure route is off."""
        self._delivery = delivery
        self._transport = transport
        self._dialect = dialect
        thing = dialect == "thing"
        self._marker = (THING_PREFIX if thing else PREFIX).encode() + b"/"
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
        if asked.condition and _matches(asked.condition, rendered.etag):
            self._delivery.note(rendered, UNCHANGED)
            await _send(send, 304, [(b"etag", rendered.etag), CACHE_CONTROL], b"")
            return
        await _send(send, 200, rendered.headers, rendered.body)
        self._delivery.note(rendered, DELIVERED)

    async def _answer_secure(self, asked: Asked, address: str, send: Send) -> None:
        if self._transport is None:
            raise SecureRouteOff
        key = self._transport.decrypt_key(asked.key)
        rendered: Rendered = await self._delivery.fetch(asked.place, key, address)
        body = self._transport.encrypt(rendered.body)
        headers = [
            (b"content-type", b"application/octet-stream"),
            (b"content-length", b"%d" % len(body)),
            CACHE_CONTROL,
        ]
        await _send(send, 200, headers, body)
        self._delivery.note(rendered, DELIVERED)

    def _asked(self, scope: Scope) -> Asked:
        sent = condition = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                sent = value
            elif name == b"if-none-match":
                condition = value
        domain, secure, segment = self._parts(scope.get("raw_path") or scope["path"].encode())
        key = sent[len(self._scheme) :] if sent.startswith(self._scheme) else b""
        if not key:
            raise KeyMissing(
                f'send the key as "Authorization: {self._scheme.decode()}<external_key>"'
            )
        external_id = _decoded(segment)
        if not external_id:
            raise Malformed("external_id: is missing; ask for /clients/bootstrap/<external_id>")
        return Asked(Place(external_id, _decoded(domain), self._dialect), secure, key, condition)

    def _parts(self, raw: bytes) -> tuple[bytes, bool, bytes]:
        """Return domain, whether the route is the secure one, and external ID, all as sent."""
        before, _, segment = raw.partition(self._marker)
        if b"/" not in segment:
            return before[1:], False, segment
        secure = segment.startswith(SECURE)
        segment = segment[len(SECURE) :]
        if not secure or not segment or b"/" in segment:
            raise NotFound("there is no such route; write a slash in an external ID as %2F")
        return before[1:], True, segment


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


class DeviceRoute(Route):
    """A route that takes whatever follows its beginning, a line feed in an ID too.

    ``path`` is the beginning; with ``in_domain`` it stands behind a domain's ID.
    """

    def __init__(self, path: str, endpoint: DeviceEndpoint, *, in_domain: bool = False) -> None:
        """Take the beginning of the paths, without a slash at its end."""
        super().__init__(path, endpoint, methods=["GET"])
        self._in_domain = in_domain

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is for this route."""
        if scope["type"] != "http":
            return Match.NONE, {}
        path: str = scope["path"]
        if self._in_domain:
            path = path[path.find("/", 1) :]
        if path != self.path and not path.startswith(self.path + "/"):
            return Match.NONE, {}
        found = Match.FULL if scope["method"] in (self.methods or ()) else Match.PARTIAL
        return found, {"endpoint": self.endpoint, "path_params": {}}


def device_routes(delivery: Delivery, transport: SecureTransport | None) -> Sequence[Route]:
    """Return the routes that name no domain."""
    return [
        DeviceRoute(PREFIX, DeviceEndpoint(delivery, transport, "device")),
        DeviceRoute(THING_PREFIX, DeviceEndpoint(delivery, transport, "thing")),
    ]


def domain_device_routes(delivery: Delivery, transport: SecureTransport | None) -> Sequence[Route]:
    """Return the route that names a domain; other routes with such a path go before it."""
    return [DeviceRoute(PREFIX, DeviceEndpoint(delivery, transport, "device"), in_domain=True)]


def _decoded(segment: bytes) -> str:
    return (unquote_to_bytes(segment) if b"%" in segment else segment).decode("utf-8", "replace")


def _matches(condition: bytes, etag: bytes) -> bool:
    """Tell whether If-None-Match (RFC 9110 13.1.2) names the tag; comparison is weak."""
    tags = (tag.strip().removeprefix(b"W/") for tag in condition.split(b","))
    return condition.strip() == b"*" or etag in tags


async def _send(
    send: Send, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes
) -> None:
    start: Message = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})
