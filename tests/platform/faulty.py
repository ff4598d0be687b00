"""A real HTTP server on loopback that misbehaves as it is told, one behaviour a request."""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import attrs
from attrs import frozen

from provision.platform.calls import TransportSettings
from provision.platform.magistrala.adapter import Magistrala
from provision.platform.magistrala.calls import Endpoints
from provision.platform.transport import Transport

# Patient with a busy machine, not between attempts.
QUICK = TransportSettings(
    connect_timeout=20.0, call_timeout=20.0, total_timeout=60.0, attempts=3, backoff=0.001
)
# For what never answers.
HASTY = attrs.evolve(QUICK, call_timeout=1.0)


@frozen
class Received:
    """A request as it came in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answers(status: int, document: Any = None, **headers: str) -> Behaviour:
    """Answer with a JSON document."""
    return sends(status, b"" if document is None else json.dumps(document).encode(), **headers)


def sends(status: int, body: bytes, **headers: str) -> Behaviour:
    """Answer with these very bytes."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(_head(status, len(body), headers) + body)

    return behave


def resets() -> Behaviour:
    """Break the connection off with a TCP reset."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    return behave


def closes() -> Behaviour:
    """Close the connection without a word."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.close()

    return behave


def cuts(body: bytes) -> Behaviour:
    """Announce a longer body than is sent."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(_head(200, len(body) + 10, {}) + body)
        await writer.drain()
        writer.close()

    return behave


def stalls() -> Behaviour:
    """Never answer."""

    async def behave(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    return behave


def drips(pause: float) -> Behaviour:
    """Send a body without end, one byte at a time."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(_head(200, 1_000_000, {}))
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(pause)

    return behave


def _head(status: int, length: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Word", f"Content-Length: {length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


class FaultyServer:
    """Plays the behaviours of ``script`` one after another, then keeps to ``otherwise``."""

    def __init__(self) -> None:
        self.script: deque[Behaviour] = deque()
        self.otherwise: Behaviour = answers(500, {"message": "nothing left to play"})
        self.received: list[Received] = []
        self.connections = 0
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def serving(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        """Serve on a free port and give the base address."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self.connections += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while not writer.is_closing():
                self.received.append(await _read(reader))
                await (self.script.popleft() if self.script else self.otherwise)(writer)
        writer.close()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {
        name.lower(): value
        for name, _, value in (line.partition(": ") for line in head[1:] if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Received(method, path, headers, body)


def endpoints(address: str) -> Endpoints:
    """Return one address for all services."""
    return Endpoints(address, address, address, address, address)


@contextlib.asynccontextmanager
async def speaking_to(
    address: str, settings: TransportSettings = QUICK
) -> AsyncIterator[Magistrala]:
    """Give an adapter that speaks to ``address``."""
    async with Transport(endpoints(address), settings) as transport:
        yield Magistrala(transport)
