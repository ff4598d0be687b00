"""HTTP/1.1 on one connection: uvicorn's parser, with bounds on size and time of each part."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
from enum import Enum
from http import HTTPStatus
from typing import Any, Final

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from provision.limits import ServingLimits
from provision.serving.connections import Connections
from provision.serving.proxies import Proxies

LINGER_TIME: Final = 2.0
"""Seconds in which a refused caller may read why, while what it goes on sending is thrown away."""

LINGER_MOST: Final = 256 * 1024
"""Bytes that are thrown away; a caller that sends more waits until the connection is closed."""

CODES: Final = {
    HTTPStatus.BAD_REQUEST: "malformed_request",
    HTTPStatus.REQUEST_TIMEOUT: "request_timeout",
    HTTPStatus.REQUEST_URI_TOO_LONG: "url_too_long",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: "headers_too_large",
}

FORWARDED: Final = b"x-forwarded-for"


class Phase(Enum):
    """What a connection is at."""

    IDLE = "between requests"
    HEAD = "reading a request's head"
    BODY = "reading a request's body"
    WORK = "making or sending an answer"
    LINGER = "refused"


class BoundedProtocol(HttpToolsProtocol):
    """One connection whose caller can make it hold only so much, for so long."""

    def __init__(
        self,
        limits: ServingLimits,
        open_connections: Connections,
        proxies: Proxies,
        **given: Any,  # noqa: ANN401 - uvicorn's own
    ) -> None:
        """``given`` is what uvicorn gives its protocol."""
        super().__init__(**given)
        self.accepted: socket.socket | None = None
        self._doomed = False
        self._limits = limits
        self._open = open_connections
        self._proxies = proxies
        self._phase = Phase.IDLE
        self._since = self.loop.time()
        self._blocked_since: float | None = None
        self._new = True
        self._head_read = 0
        self._head_begun = False
        self._header_count = 0
        self._overhead = 0
        self._discarded = 0
        self._refusal: tuple[HTTPStatus, str] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        self.accepted = None
        self._enter(Phase.IDLE)
        if self._doomed:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the connections that are open."""
        self._open.remove(self)
        super().connection_lost(exc)

    def abort(self) -> None:
        """Close the connection at once."""
        if self.transport is not None:
            self.transport.abort()
            return
        # Closing it is its transport's business, which is about to be made.
        self._doomed = True
        if self.accepted is not None:
            with contextlib.suppress(OSError):
                self.accepted.shutdown(socket.SHUT_RDWR)

    def data_received(self, data: bytes) -> None:
        """Take what came, never more of a head than its limit."""
        if self._phase is Phase.LINGER:
            self._discard(data)
            return
        if self._phase is Phase.IDLE:
            self._enter(Phase.HEAD)
            self._head_read = 0
        while data and self._refusal is None and not self.transport.is_closing():
            if self._phase is Phase.HEAD or self._phase is Phase.IDLE:
                room = self._limits.head - self._head_read
                piece, data = data[:room], data[room:]
                self._feed_head(piece)
            else:
                self._overhead += len(data)
                super().data_received(data)
                data = b""
                if self._overhead > self._limits.head:
                    self._refuse_head()
        if self._refusal is not None and not self.transport.is_closing():
            self._answer(*self._refusal)

    def _feed_head(self, piece: bytes) -> None:
        self._head_begun = False
        super().data_received(piece)
        if self._phase is not Phase.HEAD:
            return
        self._head_read = len(piece) if self._head_begun else self._head_read + len(piece)
        if self._head_read >= self._limits.head:
            self._refuse_head()

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self._head_begun = True
        self._header_count = 0
        self._overhead = 0
        if self._phase is Phase.IDLE:
            self._enter(Phase.HEAD)

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL."""
        super().on_url(url)
        if len(self.url) > self._limits.url:
            self._refusal = (
                HTTPStatus.REQUEST_URI_TOO_LONG,
                f"the URL has more than {self._limits.url:,} bytes",
            )

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, or a trailer of a body that is sent in chunks."""
        self._header_count += 1
        if self._header_count > self._limits.headers:
            self._refusal = (
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"the request has more than {self._limits.headers} headers",
            )
        elif self._refusal is None:
            super().on_header(name, value)
            if len(name) == len(FORWARDED) and name.lower() == FORWARDED and self.client:
                self._proxies.forwarded_by(self.client[0])

    def on_headers_complete(self) -> None:
        """Start to work on the request, unless it is refused."""
        if self._refusal is not None:
            return
        if self.cycle is None or self.cycle.response_complete:
            self._enter(Phase.BODY)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._overhead = max(0, self._overhead - 8 * len(body))
        if self._refusal is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is complete."""
        if self._refusal is None:
            super().on_message_complete()
            answered = self.cycle is not None and self.cycle.response_complete
            self._enter(Phase.IDLE if answered else Phase.WORK)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        if self.pipeline:
            following = self.pipeline[-1][0]
            self._enter(Phase.BODY if following.more_body else Phase.WORK)
        elif self._phase is Phase.WORK:
            self._enter(Phase.IDLE)
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Note that the caller does not read."""
        self._blocked_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the caller reads again."""
        self._blocked_since = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, and say so as every other refusal does."""
        if self._refusal is None:
            self._refusal = (HTTPStatus.BAD_REQUEST, "this is not a valid HTTP/1.1 request")

    def shutdown(self) -> None:
        """Close the connection once its request, if there is one, is answered."""
        if self._phase is Phase.LINGER:
            self.abort()
        else:
            super().shutdown()

    def look(self) -> None:
        """Close the connection, or refuse its request, where its time is over."""
        now = self.loop.time()
        if self._blocked_since is not None and now - self._blocked_since > self._limits.answer_time:
            self.abort()
            return
        waited = now - self._since
        match self._phase:
            case Phase.IDLE if self.transport.is_closing() or self._is_sending():
                self._abort_after(waited, self._limits.answer_time)
            case Phase.IDLE:
                most = self._limits.head_time if self._new else self._limits.idle_time
                self._abort_after(waited, most)
            case Phase.HEAD if waited > self._limits.head_time:
                self._time_out(f"the request's head took over {self._limits.head_time:g} seconds")
            case Phase.BODY if waited > self._limits.body_time:
                self._time_out(f"the request's body took over {self._limits.body_time:g} seconds")
            case Phase.LINGER:
                self._abort_after(waited, LINGER_TIME)

    def _is_sending(self) -> bool:
        return self.transport.get_write_buffer_size() > 0

    def _abort_after(self, waited: float, most: float) -> None:
        if waited > most:
            self.abort()

    def _time_out(self, reason: str) -> None:
        if self.cycle is not None and self._phase is Phase.BODY and self.cycle.response_started:
            self.abort()
            return
        self._answer(HTTPStatus.REQUEST_TIMEOUT, reason)

    def _refuse_head(self) -> None:
        if self._refusal is None:
            self._refusal = (
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"the request's head has more than {self._limits.head:,} bytes",
            )

    def _answer(self, status: HTTPStatus, reason: str) -> None:
        """Say why, and close the connection once that can have been read."""
        if self.cycle is not None and not self.cycle.response_complete:
            started, self.cycle.disconnected = self.cycle.response_started, True
            self.cycle.message_event.set()
            if started:
                self.abort()
                return
        request_id = secrets.token_hex(8)
        structlog.get_logger().info(
            "request refused", status=status.value, reason=reason, request_id=request_id
        )
        body = json.dumps({"message": reason, "code": CODES[status], "request_id": request_id})
        self.transport.write(
            STATUS_LINE[status]
            + b"content-type: application/json\r\nconnection: close\r\nx-request-id: "
            + f"{request_id}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
        )
        self._unset_keepalive_if_required()
        self.pipeline.clear()
        self._enter(Phase.LINGER)
        if self.transport.can_write_eof():
            self.transport.write_eof()

    def _discard(self, data: bytes) -> None:
        self._discarded += len(data)
        if self._discarded > LINGER_MOST:
            self.flow.pause_reading()

    def _enter(self, phase: Phase) -> None:
        self._phase = phase
        self._since = self.loop.time()
        if phase is Phase.WORK:
            self._new = False
            self._open.works(self)
        else:
            self._open.waits(self)
