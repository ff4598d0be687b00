"""An HTTP/2 server on loopback that answers every request alike."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived


class Http2Server:
    """Counts its connections and the requests on them."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.connections = self.requests = 0

    @contextlib.asynccontextmanager
    async def serving(self, tls: ssl.SSLContext) -> AsyncIterator[str]:
        """Serve on a free port, offering HTTP/2 alone, and give the base address."""
        tls.set_alpn_protocols(["h2"])
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=tls)
        async with server:
            yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        with contextlib.suppress(OSError):
            while True:
                writer.write(connection.data_to_send())
                received = await reader.read(65_536)
                if not received:
                    break
                for event in connection.receive_data(received):
                    if isinstance(event, RequestReceived):
                        self.requests += 1
                        stream = event.stream_id
                        connection.send_headers(stream, [(":status", "200")])
                        connection.send_data(stream, self.body, end_stream=True)
        writer.close()
