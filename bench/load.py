"""A load generator small enough not to be what is measured: keep-alive GETs over raw sockets."""

from __future__ import annotations

import asyncio
import functools
import itertools
import time
from collections.abc import Iterator, Sequence
from typing import cast

from attrs import define, field, frozen


@frozen
class Measured:
    """What came of a load: answers a second, the statuses seen, the latencies in seconds."""

    rate: float
    statuses: dict[int, int]
    latencies: Sequence[float] = field(repr=False)


@define
class _Connection(asyncio.Protocol):
    requests: Iterator[bytes]
    until: float
    done: asyncio.Future[None]
    statuses: dict[int, int]
    latencies: list[float]
    transport: asyncio.Transport | None = None
    buffer: bytearray = field(factory=bytearray)
    sent_at: float = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods without being of the class.
        self.transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self.buffer.lower().find(b"content-length:", 0, head)
        length = int(self.buffer[at + 15 : self.buffer.find(b"\r\n", at)]) if at >= 0 else 0
        if len(self.buffer) < head + 4 + length:
            return
        self.latencies.append(time.perf_counter() - self.sent_at)
        status = int(self.buffer[9:12])
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.buffer.clear()
        self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server hung up"))

    def _send(self) -> None:
        assert self.transport is not None
        request = next(self.requests, None) if time.perf_counter() < self.until else None
        if request is None:
            if not self.done.done():
                self.done.set_result(None)
            self.transport.close()
            return
        self.sent_at = time.perf_counter()
        self.transport.write(request)


async def load(
    port: int, requests: Sequence[bytes], *, seconds: float, connections: int = 16
) -> Measured:
    """Send ``requests`` over and over for a while."""
    return await _run(port, itertools.cycle(requests), seconds, connections)


async def each_once(port: int, requests: Sequence[bytes], *, connections: int) -> Measured:
    """Send every request once."""
    return await _run(port, iter(requests), float("inf"), connections)


def get(path: str, authorization: str) -> bytes:
    """Return the bytes of a GET request."""
    head = f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: {authorization}\r\n\r\n"
    return head.encode()


async def _run(port: int, requests: Iterator[bytes], seconds: float, connections: int) -> Measured:
    loop = asyncio.get_running_loop()
    statuses: dict[int, int] = {}
    latencies: list[float] = []
    started = time.perf_counter()
    until = started + seconds
    waiting = []
    for _ in range(connections):
        done: asyncio.Future[None] = loop.create_future()
        make = functools.partial(_Connection, requests, until, done, statuses, latencies)
        await loop.create_connection(make, "127.0.0.1", port)
        waiting.append(done)
    await asyncio.gather(*waiting)
    return Measured(len(latencies) / (time.perf_counter() - started), statuses, latencies)
