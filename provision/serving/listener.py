"""Taking connections from a listening socket, also when the process can open no more files."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from typing import Final

import structlog

from provision.limits import ServingLimits
from provision.serving.connections import Connections
from provision.serving.protocol import BoundedProtocol

BURST: Final = 8
"""Connections that are taken before other work has its turn, such as closing what made room."""

PAUSE: Final = 0.02
"""Seconds without taking connections once there are no more files to open."""

WARNED_EVERY: Final = 60.0
"""Seconds between two warnings of the same kind."""

EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Listener:
    """Takes the connections of one socket; stands in for asyncio's server in uvicorn."""

    def __init__(
        self,
        listening: socket.socket,
        make: Callable[[], BoundedProtocol],
        connections: Connections,
        context: ssl.SSLContext | None,
        limits: ServingLimits,
    ) -> None:
        """``make`` gives the protocol of a connection; ``context`` is None without TLS."""
        self._socket = listening
        self._make = make
        self._open = connections
        self._context = context
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._resuming: asyncio.TimerHandle | None = None
        self._warned = -WARNED_EVERY

    def start(self) -> None:
        """Take connections from now on."""
        self._resuming = None
        self._socket.settimeout(0)
        self._loop.add_reader(self._socket, self._accept)

    def close(self) -> None:
        """Take no more connections."""
        if self._resuming is not None:
            self._resuming.cancel()
        self._loop.remove_reader(self._socket)

    async def wait_closed(self) -> None:
        """Give up the connections that are not established yet."""
        for task in self._opening:
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)

    def _accept(self) -> None:
        for _ in range(BURST):
            try:
                accepted, address = self._socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in EXHAUSTED:
                    self._pause(error)
                    return
                continue
            self._take(accepted, address[0])

    def _take(self, accepted: socket.socket, address: str) -> None:
        protocol = self._make()
        if not self._open.add(protocol, address):
            accepted.close()
            self._warn("too many connections", "every one of them has a request under way")
            return
        accepted.settimeout(0)
        protocol.accepted = accepted
        task = self._loop.create_task(self._establish(protocol, accepted))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _establish(self, protocol: BoundedProtocol, accepted: socket.socket) -> None:
        timeout = self._limits.handshake_time if self._context else None
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol, accepted, ssl=self._context, ssl_handshake_timeout=timeout
            )
        except (OSError, asyncio.CancelledError):
            # The caller left or never shook hands; nobody waits for this.
            self._open.remove(protocol)
            accepted.close()

    def _pause(self, error: OSError) -> None:
        """Make room at the cost of callers that wait, and go on a moment later."""
        for _ in range(BURST):
            self._open.close_waiting()
        self._loop.remove_reader(self._socket)
        self._resuming = self._loop.call_later(PAUSE, self.start)
        self._warn("can't take connections for a moment", error.strerror or str(error))

    def _warn(self, event: str, reason: str) -> None:
        now = self._loop.time()
        if now - self._warned >= WARNED_EVERY:
            self._warned = now
            structlog.get_logger().warning(event, reason=reason, connections=len(self._open))
