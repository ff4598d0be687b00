"""The app: every route described once, every request wrapped once, errors rendered one way."""

from __future__ import annotations

import itertools
import re
import secrets
import time
from collections.abc import Collection, Sequence
from functools import cache
from typing import Any, Final, Protocol, TypeAlias
from urllib.parse import unquote_to_bytes

import structlog
from attrs import evolve
from prometheus_client import Counter, Histogram
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bootstrap_core.core import BootstrapCore
from bootstrap_core.credentials import holds_token, without_tokens
from bootstrap_core.errors import ServiceError, Unauthenticated
from bootstrap_core.http.answers import JsonAnswer, refusal
from bootstrap_core.http.device_routes import STORED, DeviceRoute
from bootstrap_core.http.openapi import Operation, Reply, asked_of, describe, routes
from bootstrap_core.http.requests import BROKEN_ESCAPE, LET_INTO, token_of
from bootstrap_core.http.schemas import SCHEMAS as BOOTSTRAP_SCHEMAS
from bootstrap_core.http.schemas import SECURITY_SCHEMES
from bootstrap_core.model import Caller
from bootstrap_core.secrets import Secret
from bootstrap_core.work import beside_loop
from provision.api.schemas import SCHEMAS
from provision.authentication import Authentication
from provision.build_info import release
from provision.errors import (
    COUNTED_STATUS,
    MalformedPath,
    MalformedQuery,
    NotText,
    TokenInPath,
    TooLarge,
)
from provision.limits import ServingLimits
from provision.log import REQUEST_ID
from provision.metrics import Metrics
from provision.rights import told_right
from provision.store.faults import told

MASK: Final = "***"
EXTERNAL_ID: Final = "{external_id}"
DOMAIN_ID: Final = "domain_id"
REDIRECTED: Final = 300
UNCHANGED: Final = 304
_PARAMETER: Final = re.compile(r"\{(\w+)(?::\w+)?\}")


def told_path(scope: Scope, status: int, words: Collection[str]) -> str:
    """Return the path of a request for the log.

    Of a request that was answered with what it asked for it is the path itself: what it names is
    there. Of others it is the route's, with the domain that the caller was let into, or the
    external ID that a device has; where no route fits, it is what ``words`` of the routes hold.
    What the caller sent as its credentials is masked wherever it stands.
    """
    path: str = scope["path"]
    # Nothing was answered where there is no status.
    if not status or REDIRECTED <= status != UNCHANGED:
        path = _of_refused(path, scope, words)
    sent = _credentials(scope)
    path = "/".join(MASK if part and part in sent else part for part in path.split("/"))
    return without_tokens(path, MASK)


def _of_refused(path: str, scope: Scope, words: Collection[str]) -> str:
    route = scope.get("route")
    if route is None:
        return "/".join(part if not part or part in words else MASK for part in path.split("/"))
    if isinstance(route, DeviceRoute):
        if scope.get(STORED):
            return path
        before, marker, given = path.partition(f"{route.path}/")
        if not marker:
            before, given = path.removesuffix(route.path), ""
        domain = f"/{{{DOMAIN_ID}}}" if before else ""
        return f"{domain}{route.path}{'/' + EXTERNAL_ID if given else ''}"
    known = scope.get(LET_INTO)

    def shown(parameter: re.Match[str]) -> str:
        name = parameter[1]
        is_known = name == DOMAIN_ID and known and scope["path_params"].get(name) == known
        return str(known) if is_known else f"{{{name}}}"

    return _PARAMETER.sub(shown, route.path)


def _credentials(scope: Scope) -> frozenset[str]:
    """Return what the Authorization header holds, whole and after its scheme."""
    values = [value for name, value in scope["headers"] if name == b"authorization"]
    texts = [value.decode(errors="replace").strip() for value in values]
    return frozenset(texts) | {text.partition(" ")[2].strip() for text in texts}


def error_answer(request: Request, error: Exception) -> Response:
    """Answer an exception; of one that is not the product's own, nothing is told.

    A library's text may quote anything: it goes to the log alone.
    """
    request_id = request.scope.get("request_id", "")
    error = told(error)
    if isinstance(error, HTTPException):
        body = {**_http_error(request, error), "request_id": request_id}
        return JsonAnswer(body, error.status_code, error.headers)
    if not isinstance(error, ServiceError) or not error.is_public:
        structlog.get_logger().exception("request failed", exc_info=error)
        error = ServiceError(
            f"an error inside the service; its log has it under request ID {request_id}"
        )
    if error.counted_status is not None:
        request.scope[COUNTED_STATUS] = error.counted_status
    return refusal(error, request_id=request_id)


def _http_error(request: Request, error: HTTPException) -> dict[str, Any]:
    match error.status_code:
        case 404:
            text = f"there is nothing at {request.url.path}; GET /openapi.json lists all routes"
            return {"message": text, "code": "unknown_route"}
        case 405:
            allowed = (error.headers or {}).get("Allow", "")
            text = f"{request.url.path} does not take {request.method}; allowed: {allowed}"
            return {"message": text, "code": "unknown_method"}
        case _:
            return {"message": str(error.detail), "code": "bad_request"}


def sent_token(request: Request) -> Secret:
    """Return the token of a request; empty where there is no Authorization header.

    Raises ``Unauthenticated``: there is a header, but no token in it.
    """
    token = token_of(request)
    if not token and "authorization" in request.headers:
        raise Unauthenticated
    return token


async def enter(authentication: Authentication, request: Request) -> Caller:
    """Return the caller, who may ask this route (``provision.rights``) in the path's domain.

    Raises what ``Authentication.admit`` raises.
    """
    token = sent_token(request)
    domain_id = request.path_params.get("domain_id")
    caller = await authentication.admit(token, domain_id, asked_of(request))
    request.scope[LET_INTO] = caller.domain_id
    return caller


async def permit(
    authentication: Authentication,
    caller: Caller,
    request: Request,
    *conditions: str,
    **values: str,
) -> None:
    """Make sure that the caller may do what the request turned out to want as well.

    ``values`` are added to those of the path. Raises ``NotPermitted``.
    """
    await authentication.permit(caller, asked_of(request, *conditions, **values))


DEPTH: Final = 3

Key: TypeAlias = tuple[str | None, ...]
"""First segments of a path: None stands for any in a route, for one that no route names else."""


class IndexedRouter(Router):
    """Routes requests as Starlette's router does, without redirects for slashes."""

    def __init__(self, routes: Sequence[Route]) -> None:
        """Serve ``routes``; the first one that matches answers."""
        super().__init__(routes, redirect_slashes=False)
        self._keys = [(_key(route), route) for route in routes]
        self._named = [{key[place]: key[place] for key, _ in self._keys} for place in range(DEPTH)]
        self._routers: dict[Key, Router] = {}

    def behind(self, first: Sequence[Route]) -> IndexedRouter:
        """Return a router of ``first`` and then of these routes."""
        return IndexedRouter([*first, *(route for _, route in self._keys)])

    @property
    def words(self) -> frozenset[str]:
        """What stands in the routes' paths besides parameters."""
        parts = {part for _, route in self._keys for part in route.path.split("/")}
        return frozenset(part for part in parts if "{" not in part)

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request to those routes that may match it."""
        if scope["type"] != "http":
            await super().app(scope, receive, send)
            return
        segments = _segments(scope["path"].removeprefix(scope.get("root_path", "")))
        key = tuple(map(dict.get, self._named, segments))
        # There are no more of these than combinations of what the routes name.
        router = self._routers.get(key) or self._routers.setdefault(key, self._router(key))
        await router.app(scope, receive, send)

    def _router(self, key: Key) -> Router:
        fitting = [
            route
            for pattern, route in self._keys
            if all(wanted in (None, given) for wanted, given in zip(pattern, key, strict=True))
        ]
        return Router(fitting, redirect_slashes=False)


def _key(route: Route) -> Key:
    """Return what a route asks of the first segments; nothing where it decides in its own way."""
    if type(route).matches is not Route.matches:
        return (None,) * DEPTH
    key: list[str | None] = []
    is_open = False
    for segment in _segments(route.path):
        key.append(None if is_open or "{" in segment else segment)
        # A parameter of kind "path" takes the segments that follow as well.
        is_open = is_open or ":path}" in segment
    return tuple(key)


def _segments(path: str) -> list[str]:
    """Return the first segments; the empty text stands for one that is not there."""
    found = path.split("/", DEPTH + 1)[1 : DEPTH + 1]
    return found + [""] * (DEPTH - len(found))


BODY_MOST = ServingLimits().body
FAILED = 400
REPLACEMENT: Final = "\ufffd"
UNSENT = 408
GIVEN_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}\Z")
BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
QUIET = ("/health", "/metrics", "/clients/bootstrap", "/things/bootstrap")
"""What is asked all the time: counted, but written to the log only where it fails."""


class Tally:
    """Counts requests, and writes each to the log."""

    def __init__(self, metrics: Metrics, words: Collection[str]) -> None:
        """Count into ``metrics``; ``words`` of the routes' paths are no secrets."""
        self._metrics = metrics
        self._words = words
        self._log = structlog.get_logger().bind()
        self._counters: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def note(self, scope: Scope, status: int, seconds: float) -> None:
        """Take note of a request that was answered."""
        path = getattr(scope.get("route"), "path", "unknown")
        place = (path, scope["method"], scope.get(COUNTED_STATUS, status))
        counters = self._counters.get(place)
        if counters is None:
            counters = self._counters[place] = (
                self._metrics.requests.labels(*place),
                self._metrics.request_seconds.labels(path),
            )
        counters[0].inc()
        counters[1].observe(seconds)
        if status < FAILED and path.startswith(QUIET):
            return
        self._log.info(
            "request",
            method=scope["method"],
            path=told_path(scope, status, self._words),
            status=status,
            milliseconds=round(seconds * 1000, 1),
        )


class Wrapper:
    """An ASGI app around the service's own."""

    def __init__(self, app: ASGIApp, tally: Tally | None) -> None:
        """Wrap ``app``; without ``tally`` its requests are part of others, which are counted."""
        self._app = app
        self._tally = tally
        self._name = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _given_id(scope) or f"{self._name}-{next(self._numbers):x}"
        REQUEST_ID.set(request_id)
        scope["request_id"] = request_id
        # Tells Starlette's router to raise where nothing matches, for one rendering of errors.
        scope["app"] = self
        status = 0

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                # A copy: an app may send the same headers again and again.
                named = (b"x-request-id", request_id.encode())
                message["headers"] = [*message.get("headers", ()), named]
            await send(message)

        taking = receive if scope["method"] in BODILESS else _limited(receive)
        try:
            if "\0" in scope["path"] or b"%00" in scope["query_string"]:
                raise NotText
            _check_path(scope)
            if BROKEN_ESCAPE.search(scope["query_string"]):
                raise MalformedQuery
            if holds_token(scope["path"]):
                raise TokenInPath
            await self._app(scope, taking, send_named)
        except ClientDisconnect:
            # Nobody is there to be answered: the body did not come, in time or at all.
            status = status or UNSENT
        except Exception as error:
            if status:
                raise
            answer = error_answer(Request(scope), error)
            await answer(scope, receive, send_named)
        finally:
            if self._tally is not None:
                self._tally.note(scope, status, time.perf_counter() - started)


def _given_id(scope: Scope) -> str:
    """Return the request ID that the caller gave, where it gave a proper one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and GIVEN_ID.match(value):
            return str(value.decode())
    return ""


def _check_path(scope: Scope) -> None:
    """Refuse a path that is not UTF-8: servers put the same character for every byte of that kind.

    Raises ``MalformedPath``.
    """
    if REPLACEMENT in scope["path"]:
        try:
            unquote_to_bytes(scope.get("raw_path") or b"").decode()
        except UnicodeDecodeError:
            raise MalformedPath from None


def _limited(receive: Receive) -> Receive:
    """Return ``receive`` that raises ``TooLarge`` once the body is over the limit."""
    taken = 0

    async def receive_limited() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            if taken > BODY_MOST:
                raise TooLarge(f"the body is over {BODY_MOST // 1024} KiB")
        return message

    return receive_limited


METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
EXPOSED = ("Location", "ETag", "Retry-After", "X-Request-ID")
ALLOWED = ("Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Request-ID")


class Part(Protocol):
    """A part of the API."""

    def operations(self) -> list[Operation]:
        """Return what it serves."""
        ...


def make_api(parts: Sequence[Part], core: BootstrapCore, further: Sequence[Route]) -> IndexedRouter:
    """Return the routes of the parts, of the bootstrap core and ``further`` ones, not yet wrapped.

    Devices' routes come first, since they are asked most. Raises ``LookupError``: a route has no
    row in ``provision.rights``.
    """
    operations = [each for part in parts for each in part.operations()]
    described = [*operations, *core.operations()]
    shown = [evolve(operation, right=told_right(operation)) for operation in described]
    served = [*core.routes(), *routes([*operations, _showing(shown)]), *further]
    return IndexedRouter(served)


def make_app(
    served: ASGIApp, metrics: Metrics, origins: Sequence[str], words: Collection[str]
) -> ASGIApp:
    """Return what is served, wrapped once. Web pages of ``origins`` may call it.

    ``words`` are those of the routes' paths, which the log may tell.
    """
    app = Wrapper(served, Tally(metrics, words))
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=METHODS,
        allow_headers=ALLOWED,
        expose_headers=EXPOSED,
    )


def make_inner_app(served: ASGIApp) -> ASGIApp:
    """Return what is served, for requests that are part of others: these are counted already."""
    return Wrapper(served, None)


def _showing(operations: Sequence[Operation]) -> Operation:
    # Written when it is first asked for, and not at every start.
    @cache
    def document() -> dict[str, Any]:
        return describe(
            operations,
            {**BOOTSTRAP_SCHEMAS, **SCHEMAS},
            title="provision",
            version=release(),
            security_schemes=SECURITY_SCHEMES,
        )

    async def show(_: Request) -> Response:
        return JsonAnswer(await beside_loop(document))

    return Operation(
        method="GET",
        path="/openapi.json",
        handler=show,
        id="openapi",
        summary="Show the OpenAPI document",
        tag="operations",
        replies={200: Reply("The document")},
        security="",
    )
