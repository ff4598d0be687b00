"""The way to a database server: it can be cut, and it can fall silent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from attrs import define, field
from sqlalchemy import make_url

PIECE = 64 * 1024


@define
class Way:
    """Passes connections on to a server, while ``flowing`` is set."""

    host: str
    port: int
    flowing: asyncio.Event = field(factory=asyncio.Event)
    server: asyncio.Server | None = None
    own_port: int = 0
    writers: set[asyncio.StreamWriter] = field(factory=set)
    tasks: set[asyncio.Task[None]] = field(factory=set)

    async def open(self) -> None:
        """Let connections through, as at first."""
        self.flowing.set()
        if self.server is None:
            self.server = await asyncio.start_server(self._accept, "127.0.0.1", self.own_port)
            self.own_port = self.server.sockets[0].getsockname()[1]

    def freeze(self) -> None:
        """Accept connections and everything that is sent, and pass nothing on."""
        self.flowing.clear()

    async def cut(self) -> None:
        """End all connections and refuse new ones."""
        if self.server:
            self.server.close()
            self.server = None
        for writer in self.writers:
            writer.transport.abort()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.flowing.wait()
        there, back = await asyncio.open_connection(self.host, self.port)
        self.writers |= {writer, back}
        for source, target in ((reader, back), (there, writer)):
            task = asyncio.ensure_future(self._pass(source, target))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await source.read(PIECE):
                await self.flowing.wait()
                target.write(piece)
                await target.drain()
        target.close()


@contextlib.asynccontextmanager
async def way_to(url: str) -> AsyncIterator[tuple[Way, str]]:
    """Open a way to the server of a URL; give it, with the URL that leads over it."""
    address = make_url(url)
    way = Way(address.host or "", address.port or 5432)
    await way.open()
    try:
        yield way, address.set(port=way.own_port).render_as_string(hide_password=False)
    finally:
        way.flowing.set()
        await way.cut()
