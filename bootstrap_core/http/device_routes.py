"""The routes of devices, of both documents: plain and secure bootstrap.

They are the busy ones, so they are bare ASGI applications. The external ID is taken from the path
as it was sent and percent-decoded here, so that any ID can be fetched: one with a slash as
``a%2Fb``. Two plain words stand for routes and not for IDs (``secure`` followed by an ID, and the
names of other routes in a domain's path); a device with such an ID escapes one of its letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import Message, Receive, Scope, Send

from bootstrap_core.delivery.answers import CACHE_CONTROL, Dialect, Place, Rendered
from bootstrap_core.delivery.delivery import Delivery
from bootstrap_core.delivery.preview import Inspection
from bootstrap_core.delivery.secure_transport import SecureTransport
from bootstrap_core.errors import (
    ConfigDisabled,
    DeviceRefused,
    KeyMissing,
    Malformed,
    NotFound,
    NotRenderable,
    SecureRouteOff,
)
from bootstrap_core.http.answers import JsonAnswer
from bootstrap_core.http.config_routes import ONE
from bootstrap_core.http.openapi import Group, Operation, Parameter, Reply
from bootstrap_core.http.requests import Door, after_scheme, path_id, with_or_without
from bootstrap_core.http.schemas import READING
from bootstrap_core.model import rfc3339

PREFIX: Final = "/clients/bootstrap"
THING_PREFIX: Final = "/things/bootstrap"
SCHEME: Final = "Client"
THING_SCHEME: Final = "Thing"
SECURE: Final = b"secure/"
STORED: Final = "external_id_is_stored"
"""Key of a scope: whether a device has the external ID that was asked for."""
DELIVERED: Final = "delivered"
UNCHANGED: Final = "unchanged"
PARTS_PASSED: Final = 10
BUFFERED_BYTES: Final = 64 * 1024
"""What asyncio's transports take without having a server wait."""
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
        self._read_key = _thing_key if thing else _client_key
        self._form = "[Thing ]" if thing else "Client "

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a GET request, or a HEAD request, which is no fetch and changes nothing.

        Raises the errors of ``Delivery.fetch``, 400, 401 and 404.
        """
        asked = self._asked(scope)
        client = scope.get("client")
        address = client[0] if client else ""
        fetches = scope["method"] != "HEAD"
        key = self._decrypted(asked.key) if asked.secure else asked.key
        rendered = await self._fetch(scope, asked.place, key, address, noted=fetches)
        if not asked.secure and asked.condition and _matches(asked.condition, rendered.etag):
            if fetches:
                self._delivery.note(rendered, UNCHANGED)
            await _send(send, 304, [(b"etag", rendered.etag), CACHE_CONTROL], b"")
            return
        headers, body = rendered.headers, rendered.body
        if self._transport is not None and asked.secure:
            body = self._transport.encrypt(body)
            headers = _secure_headers(body)
        if not fetches:
            await _send(send, 200, headers, b"")
        elif await _delivered(receive, send, headers, body):
            self._delivery.note(rendered, DELIVERED)
        else:
            self._delivery.interrupted(rendered)

    async def _fetch(
        self, scope: Scope, place: Place, key: bytes | None, address: str, *, noted: bool
    ) -> Rendered:
        """Fetch, and note in ``scope`` whether a device has the external ID."""
        try:
            rendered = await self._delivery.fetch(place, key, address, noted=noted)
        except (ConfigDisabled, NotRenderable):
            scope[STORED] = True
            raise
        except DeviceRefused as error:
            scope[STORED] = error.is_stored
            raise
        scope[STORED] = True
        return rendered

    def _decrypted(self, key: bytes) -> bytes | None:
        if self._transport is None:
            raise SecureRouteOff
        return self._transport.decrypt_key(key)

    def _asked(self, scope: Scope) -> Asked:
        sent = condition = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                sent = value
            elif name == b"if-none-match":
                condition = value
        domain, secure, segment = self._parts(scope.get("raw_path") or scope["path"].encode())
        key = self._read_key(sent)
        if not key:
            raise KeyMissing(f'send the key as "Authorization: {self._form}<external_key>"')
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


def _client_key(sent: bytes) -> bytes:
    """Return the key that Magistrala's devices send; empty where there is none."""
    return (after_scheme(sent.decode("latin-1"), SCHEME) or "").encode("latin-1")


def _thing_key(sent: bytes) -> bytes:
    """Return the key that Mainflux's devices send: bare up to 0.12, after the scheme from 0.13."""
    return with_or_without(sent.decode("latin-1"), THING_SCHEME).encode("latin-1")


def _decoded(segment: bytes) -> str:
    try:
        return (unquote_to_bytes(segment) if b"%" in segment else segment).decode()
    except UnicodeDecodeError:
        raise Malformed(
            "the path is not UTF-8; write an external ID in percent-encoded UTF-8"
        ) from None


def _matches(condition: bytes, etag: bytes) -> bool:
    """Tell whether If-None-Match (RFC 9110 13.1.2) names the tag; comparison is weak."""
    tags = (tag.strip().removeprefix(b"W/") for tag in condition.split(b","))
    return condition.strip() == b"*" or etag in tags


def _secure_headers(body: bytes) -> Sequence[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"application/octet-stream"),
        (b"content-length", b"%d" % len(body)),
        CACHE_CONTROL,
    ]


async def _delivered(
    receive: Receive, send: Send, headers: Sequence[tuple[bytes, bytes]], body: bytes
) -> bool:
    """Send an answer; tell whether the connection took all of it and was not closed before.

    The server waits with what follows a part until the connection has room again. What the
    operating system holds by then is as good as read: nothing tells a server more.
    """
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    if len(body) > BUFFERED_BYTES:
        await send({"type": "http.response.body", "body": b"", "more_body": True})
    gone = _is_gone(receive)
    await send({"type": "http.response.body", "body": b""})
    return not gone


def _is_gone(receive: Receive) -> bool:
    """Tell whether the client has closed the connection; what it sent is passed over.

    Nothing is waited for, so no task is made, which would take as long as the rest of the answer.
    """
    for _ in range(PARTS_PASSED):
        waiting = receive().__await__()
        try:
            next(waiting)
        except StopIteration as ended:
            if ended.value["type"] == "http.disconnect":
                return True
        else:
            # The server would have to wait for news: there are none.
            waiting.close()
            return False
    return False


async def _send(
    send: Send, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes
) -> None:
    start: Message = {"type": "http.response.start", "status": status, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": body})


SHOW: Final = Parameter("show_secrets", {"type": "boolean"}, "true shows secrets; default: masked")


class InspectionRoutes:
    """Decodes requests, calls, and encodes what comes back."""

    def __init__(self, door: Door, inspection: Inspection) -> None:
        """Let callers in at ``door``."""
        self._door = door
        self._inspection = inspection

    async def inspect(self, request: Request) -> Response:
        """Show what the device would be given now, and whether that is what it fetched last."""
        caller = await self._door.member(request)
        whole = request.query_params.get("show_secrets", "").lower() == "true"
        if whole:
            await self._door.permit(caller, request, "secrets")
        look = self._inspection.whole if whole else self._inspection.masked
        found = await look(caller.domain_id, path_id(request, "config_id"))
        document: dict[str, Any] = {
            "id": found.config.id,
            "external_id": found.config.external_id,
            "status": found.config.status.value,
            "digest": found.digest,
            "content": found.parts.content,
            "client_cert": found.parts.client_cert,
            "client_key": found.parts.client_key.reveal(),
            "ca_cert": found.parts.ca_cert,
            "updated_at": rfc3339(found.config.updated_at),
        }
        if found.last_fetch is not None:
            fetch = found.last_fetch
            document["last_fetch"] = {"at": rfc3339(fetch.at), "outcome": fetch.outcome}
            document["last_fetch"] |= {"digest": fetch.digest} if fetch.digest else {}
            document["last_fetch"] |= {"content": fetch.content} if fetch.content else {}
        if found.unchanged is not None:
            document["unchanged"] = found.unchanged
        return JsonAnswer(document)

    def operations(self) -> Sequence[Operation]:
        """Return what is served."""
        shown = {
            200: Reply(
                "What the device would get now, and whether its last fetch was the same", "Delivery"
            )
        }
        path, errors = ONE + "/delivery", (*READING, 409)
        group = Group("configs")
        return [group.on("GET", path, self.inspect, shown, errors, parameters=(SHOW,))]
