"""The server: uvicorn's, whose connections are bounded in number, size and time."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Sequence
from typing import Final

import structlog
import uvicorn
from attrs import evolve
from starlette.types import ASGIApp

from provision.limits import ServingLimits
from provision.serving.connections import Connections
from provision.serving.listener import Listener
from provision.serving.protocol import BoundedProtocol
from provision.serving.proxies import Proxies

FILES_KEPT: Final = 48
"""Files that the process opens beside connections: the database, its log, sockets to a platform."""

FEWEST: Final = 8
"""Connections that are taken however few files the process may open."""

TICKS: Final = 10
"""uvicorn looks after itself ten times a second, and after connections every tenth time."""


def server_config(
    app: ASGIApp,
    limits: ServingLimits,
    proxies: Sequence[str],
    grace: float,
    certificate: tuple[str, str] | None = None,
) -> uvicorn.Config:
    """Return uvicorn's configuration.

    ``proxies`` are those whose word is taken on where a request comes from, ``grace`` seconds that
    running requests may take at shutdown, ``certificate`` the PEM files of chain and key for TLS.
    """
    chain, key = certificate or (None, None)
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        ws="none",
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        ssl_certfile=chain,
        ssl_keyfile=key,
        timeout_keep_alive=max(1, round(limits.idle_time)),
        timeout_graceful_shutdown=round(grace),
    )


class BoundedServer(uvicorn.Server):
    """A server that makes room for new connections, and ends those whose time is over."""

    def __init__(
        self, config: uvicorn.Config, limits: ServingLimits, proxies: Proxies | None = None
    ) -> None:
        """``proxies`` are those that stand before the service."""
        super().__init__(config)
        self.limits = within_files(limits)
        self.proxies = proxies or Proxies()
        self.open_connections = Connections(self.limits, self.proxies)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen on ``sockets``."""
        await self.lifespan.startup()
        self.servers = []
        for listening in sockets or []:
            listener = Listener(
                listening, self._protocol, self.open_connections, self.config.ssl, self.limits
            )
            listener.start()
            self.servers.append(listener)  # type: ignore[arg-type]
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """Look after connections once a second."""
        if counter % TICKS == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedProtocol):
                    connection.look()
        return await super().on_tick(counter)

    def _protocol(self) -> BoundedProtocol:
        return BoundedProtocol(
            self.limits,
            self.open_connections,
            self.proxies,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )


def within_files(limits: ServingLimits) -> ServingLimits:
    """Return limits that fit the files which the process may open, having asked for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.connections + FILES_KEPT
    if soft not in (hard, resource.RLIM_INFINITY) and soft < wanted:
        more = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (more, hard))
            soft = more
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return limits
    possible = max(FEWEST, soft - FILES_KEPT)
    structlog.get_logger().warning(
        "fewer connections than set fit the open files of the process (ulimit -n)",
        files=soft,
        connections=possible,
        wanted=limits.connections,
    )
    return evolve(limits, connections=possible)
