"""Calls to a platform over HTTP: pooled, bounded in time and size, repeated only where safe.

A call is repeated when nothing was sent (refused, no route), when the platform asks to wait (429,
503), and, if it is marked repeatable, when its outcome is unknown. Waits are random up to a bound
that doubles (full jitter), never shorter than ``Retry-After``; a wait that would pass the call's
total time-out is not begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self

import httpx
import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from provision.platform.calls import Answer, Call, Endpoints, TransportSettings, request_of
from provision.platform.errors import (
    BadAnswer,
    Failed,
    Misconfigured,
    PlatformError,
    TimedOut,
    Unavailable,
)


class Breaker:
    """The circuit of one service.

    Every ``admit`` is followed by exactly one of ``record`` and ``release``.
    """

    def __init__(
        self,
        service: str,
        failures: int,
        seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open after ``failures`` failures in a row, for ``seconds`` at a time."""
        self._service = service
        self._most_failures = failures
        self._seconds = seconds
        self._now = now
        self._failures = 0
        self._closed_from = -math.inf
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether the service counts as down."""
        return self._failures >= self._most_failures

    def admit(self) -> None:
        """Let a call through; raises ``Unavailable`` while the circuit is open."""
        if not self.is_open:
            return
        # A sum and a difference of times may be off by their last digit.
        left = min(self._closed_from - self._now(), self._seconds)
        if left > 0 or self._probing:
            raise Unavailable(
                f"the {self._service} service does not answer; it is asked again in "
                f"{max(1, math.ceil(left))} s",
                service=self._service,
                retry_after=max(1.0, left),
            )
        self._probing = True

    def record(self, *, down: bool) -> None:
        """Note how an admitted call ended: with a sign of a service that is down, or not."""
        self._probing = False
        if not down:
            self._failures = 0
            return
        self._failures += 1
        if self.is_open:
            self._closed_from = self._now() + self._seconds

    def release(self) -> None:
        """Note that an admitted call was given up and says nothing of the service."""
        self._probing = False


ADDRESSES_KEPT: Final = 8
SIGNS_OF_BEING_DOWN: Final = frozenset({502, 503, 504})
NOTHING_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


class Transport:
    """The connections to one platform; close it with ``aclose`` or use it as a context."""

    def __init__(
        self,
        endpoints: Endpoints,
        settings: TransportSettings,
        wire: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Speak to ``endpoints``; ``wire`` replaces the network (an application in a test).

        Raises ``Misconfigured``: an address or a file of the settings can't be used.
        """
        self._endpoints = endpoints
        self._settings = settings
        # No client around it: that would send one caller's cookies with the next one's call.
        self._wire = wire or httpx.AsyncHTTPTransport(
            http2=True,
            verify=_tls(endpoints, settings),
            limits=httpx.Limits(
                max_connections=settings.pool_size,
                max_keepalive_connections=settings.pool_size,
            ),
            trust_env=False,
        )
        # Reading and writing are timed with the rest of a call, as a whole.
        times = httpx.Timeout(None, connect=settings.connect_timeout, pool=settings.connect_timeout)
        self._extensions = {"timeout": times.as_dict()}
        self._breakers = {
            service: Breaker(service, settings.breaker_failures, settings.breaker_seconds)
            for service in endpoints.services
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._wire.aclose()

    async def send(self, call: Call) -> Answer:
        """Make the call and return its successful answer.

        Raises what a refusal means for this call, ``Unavailable`` (nothing was sent, or the
        service counts as down), ``Overloaded`` (429, 503), ``TimedOut`` and ``BadAnswer``.
        """
        deadline = time.monotonic() + self._settings.total_timeout
        breaker = self._breakers[call.service]
        # Outside of the attempt: an open circuit is not tried again.
        breaker.admit()
        try:
            return await self._attempt(call, breaker, deadline)
        except PlatformError as error:
            if not _may_repeat(call, error) or breaker.is_open:
                raise
            failed = error
        return await self._repeat(call, breaker, deadline, failed)

    async def send_once(self, call: Call) -> Answer:
        """Make the call as ``send`` does, without a second attempt."""
        deadline = time.monotonic() + self._settings.call_timeout
        breaker = self._breakers[call.service]
        breaker.admit()
        return await self._attempt(call, breaker, deadline)

    async def _repeat(
        self, call: Call, breaker: Breaker, deadline: float, failed: PlatformError
    ) -> Answer:
        """Go on after a first attempt that ``failed``."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(
                lambda error: _may_repeat(call, error) and not breaker.is_open
            ),
            stop=stop_after_attempt(self._settings.attempts)
            | stop_before_delay(deadline - time.monotonic()),
            wait=self._wait,
            before_sleep=lambda state: _log_repetition(call, state),
            reraise=True,
        )
        async for attempt in retrying:
            if attempt.retry_state.attempt_number == 1:
                # It is counted, and its error decides how long to wait.
                with attempt:
                    raise failed
                continue
            breaker.admit()
            with attempt:
                return await self._attempt(call, breaker, deadline)
        raise AssertionError("the last attempt returns or raises")  # pragma: no cover

    async def _attempt(self, call: Call, breaker: Breaker, deadline: float) -> Answer:
        try:
            answer = await self._exchange(call, deadline)
        except (Unavailable, TimedOut):
            breaker.record(down=True)
            raise
        except BaseException:
            breaker.release()
            raise
        breaker.record(down=answer.status in SIGNS_OF_BEING_DOWN)
        return answer.checked()

    async def _exchange(self, call: Call, deadline: float) -> Answer:
        seconds = min(self._settings.call_timeout, max(0.0, deadline - time.monotonic()))
        try:
            request = request_of(call, self._endpoints.of(call.service), self._extensions)
            async with asyncio.timeout(seconds):
                response = await self._wire.handle_async_request(request)
                async with contextlib.aclosing(response):
                    body = await self._body(call, response)
        except NOTHING_SENT as error:
            raise _unreachable(call, error) from error
        except httpx.DecodingError as error:
            raise _bad_answer(call, "its body can't be decompressed") from error
        except (httpx.TimeoutException, TimeoutError) as error:
            raise _timed_out(call, f"did not answer within {seconds:g} s") from error
        except httpx.TransportError as error:
            raise _timed_out(call, "broke the connection off") from error
        return Answer(
            call,
            response.status_code,
            body,
            _retry_after(response.headers),
            _shown(self._endpoints.of(call.service)),
        )

    async def _body(self, call: Call, response: httpx.Response) -> bytes:
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > self._settings.most_answer_bytes:
                raise _bad_answer(
                    call, f"its body is over {self._settings.most_answer_bytes} bytes"
                )
        return bytes(body)

    def _wait(self, state: RetryCallState) -> float:
        jitter = wait_random_exponential(
            multiplier=self._settings.backoff, max=self._settings.longest_backoff
        )
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, Unavailable) else None
        return (asked or 0.0) + jitter(state)


def _tls(endpoints: Endpoints, settings: TransportSettings) -> ssl.SSLContext:
    schemes = {_scheme(service, endpoints.of(service)) for service in endpoints.services}
    # Reading all public authorities takes long; a context that trusts none does without TLS.
    return settings.tls() if "https" in schemes else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _scheme(service: str, address: str) -> str:
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL as error:
        raise Misconfigured(
            f"the address of the {service} service is not valid: {error}"
        ) from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise Misconfigured(
            f"the address {address!r} of the {service} service must begin with http:// or https:// "
            "and name a host"
        )
    return url.scheme


@functools.lru_cache(ADDRESSES_KEPT)
def _shown(address: str) -> str:
    """Return an address for people: without a password that may stand in it."""
    return str(httpx.URL(address).copy_with(userinfo=b""))


def _may_repeat(call: Call, error: BaseException) -> bool:
    return isinstance(error, Unavailable) or (
        call.repeatable and isinstance(error, TimedOut | Failed)
    )


def _log_repetition(call: Call, state: RetryCallState) -> None:
    structlog.get_logger().warning(
        "platform_call_repeated",
        service=call.service,
        operation=call.operation,
        attempt=state.attempt_number,
        wait_seconds=round(state.upcoming_sleep, 3),
        error=str(state.outcome.exception()) if state.outcome else "",
    )


def _retry_after(headers: httpx.Headers) -> float | None:
    """Read ``Retry-After`` (RFC 9110, section 10.2.3): seconds, or a date; in seconds from now."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal() and text.isascii():
        return float(text[:9])
    try:
        wanted = parsedate_to_datetime(text)
    except ValueError:
        return None
    if wanted.tzinfo is None:
        return None
    return max(0.0, (wanted - datetime.now(UTC)).total_seconds())


def _unreachable(call: Call, error: httpx.HTTPError) -> Unavailable:
    match error:
        case httpx.ConnectTimeout():
            why = "no connection in time"
        case httpx.PoolTimeout():
            why = "all connections are busy"
        case _:
            why = str(error) or type(error).__name__
    return Unavailable(
        f"the {call.service} service can't be reached to {call.operation}: {why}",
        service=call.service,
        operation=call.operation,
    )


def _timed_out(call: Call, what: str) -> TimedOut:
    return TimedOut(
        f"the {call.service} service {what} when asked to {call.operation}",
        service=call.service,
        operation=call.operation,
    )


def _bad_answer(call: Call, what: str) -> BadAnswer:
    return BadAnswer(
        f"the {call.service} service's answer to {call.operation} can't be used: {what}",
        service=call.service,
        operation=call.operation,
    )
