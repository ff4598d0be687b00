"""What every request passes once: request ID, size limit, count, log line, last-resort errors."""

from __future__ import annotations

import itertools
import re
import secrets
import time

import structlog
from prometheus_client import Counter, Histogram
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from provision.api.answers import error_answer
from provision.errors import TooLarge
from provision.log import REQUEST_ID
from provision.metrics import Metrics

BODY_MOST = 1024 * 1024
FAILED = 400
GIVEN_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}\Z")
BODILESS = frozenset({"GET", "HEAD", "OPTIONS"})
QUIET = ("/health", "/metrics", "/clients/bootstrap", "/things/bootstrap")
"""What is asked all the time: counted, but written to the log only where it fails."""


class Wrapper:
    """An ASGI app around the service's own."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        """Wrap ``app`` and count into ``metrics``."""
        self._app = app
        self._metrics = metrics
        self._log = structlog.get_logger().bind()
        self._name = secrets.token_hex(6)
        self._numbers = itertools.count(1)
        self._counters: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

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
            await self._app(scope, taking, send_named)
        except Exception as error:
            if status:
                raise
            answer = error_answer(Request(scope), error)
            await answer(scope, receive, send_named)
        finally:
            self._note(scope, status, time.perf_counter() - started)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        path = getattr(scope.get("route"), "path", "unknown")
        place = (path, scope["method"], status)
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
            path=scope["path"],
            status=status,
            milliseconds=round(seconds * 1000, 1),
        )


def _given_id(scope: Scope) -> str:
    """Return the request ID that the caller gave, where it gave a proper one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and GIVEN_ID.match(value):
            return str(value.decode())
    return ""


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
