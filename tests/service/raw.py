"""The server on a socket of its own, and callers that write to it byte by byte."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Sequence

import uvicorn
from attrs import define, field
from starlette.types import ASGIApp, Receive, Scope, Send

from provision.limits import ServingLimits
from provision.serving.proxies import Proxies
from provision.serving.server import BoundedServer, server_config

GET = b"GET / HTTP/1.1\r\nHost: h\r\n"
SECONDS = 20.0


class Server(BoundedServer):
    """The server without its signals, which belong to the tests."""

    def __init__(self, config: uvicorn.Config, limits: ServingLimits, proxies: Proxies) -> None:
        super().__init__(config, limits, proxies)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    async def empty(self) -> None:
        """Wait until no connection is open."""
        async with asyncio.timeout(SECONDS):
            while len(self.open_connections):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer the length of the body; ``/big`` with 8 MiB, ``/caller`` with the address."""
    length, more = 0, True
    while more:
        message = await receive()
        length += len(message.get("body", b""))
        more = message.get("more_body", False) and message["type"] != "http.disconnect"
    body = bytes(8 * 1024 * 1024) if scope["path"] == "/big" else b"%d" % length
    if scope["path"] == "/caller":
        body = scope["client"][0].encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for at in range(0, len(body), 65536):
        part = body[at : at + 65536]
        more = at + 65536 < len(body)
        await send({"type": "http.response.body", "body": part, "more_body": more})


@contextlib.asynccontextmanager
async def serving(
    limits: ServingLimits | None = None,
    app: ASGIApp = echo,
    named: Sequence[str] = (),
    certificate: tuple[str, str] | None = None,
) -> AsyncIterator[tuple[Server, int]]:
    """Serve ``app``; give the server and its port.

    ``named`` are the proxies before it.
    """
    limits = limits or ServingLimits()
    config = server_config(app, limits, named, grace=1, certificate=certificate)
    server = Server(config, limits, Proxies(named))
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    running = asyncio.create_task(server.serve([listening]))
    await server.listens.wait()
    try:
        yield server, listening.getsockname()[1]
    finally:
        server.should_exit = True
        await running


@define
class Caller:
    """A connection to the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sent: int = field(default=0)

    @classmethod
    async def connect(cls, port: int) -> Caller:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def send(self, data: bytes) -> None:
        """Send as much of ``data`` as the server takes."""
        with contextlib.suppress(ConnectionError, TimeoutError):
            for at in range(0, len(data), 65536):
                self.writer.write(data[at : at + 65536])
                await asyncio.wait_for(self.writer.drain(), SECONDS)
                self.sent += len(data[at : at + 65536])
                if self.reader.at_eof():
                    return

    async def answer(self) -> bytes:
        """Return everything that the server sends until it closes the connection."""
        received = b""
        with contextlib.suppress(ConnectionError):
            while part := await asyncio.wait_for(self.reader.read(65536), SECONDS):
                received += part
        return received

    async def head(self) -> bytes:
        """Return the first line of the next answer, having read all of that."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), SECONDS)
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await self.reader.readexactly(length)
        return head.split(b"\r\n")[0]

    def close(self) -> None:
        self.writer.transport.abort()


async def asked(port: int, *parts: bytes) -> tuple[int, bytes, int]:
    """Send parts of a request; return the status, the whole answer, and how much was sent."""
    caller = await Caller.connect(port)
    reading = asyncio.create_task(caller.answer())
    for part in parts:
        await caller.send(part)
    answer = await reading
    caller.close()
    return int(answer.split(b" ")[1]), answer, caller.sent
