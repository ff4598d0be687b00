"""The service as a process of its own, beside a platform here that ends it at a given call."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from attrs import define, field

from tests import database
from tests.service.running import ROOT, Running

STARTING = 30.0


@define
class KillSwitch:
    """The platform's app; ends a process with SIGKILL at the n-th call, before or after it is done.

    Only calls are counted that have ``part`` in their method and path. ``lag`` seconds pass between
    the answer and the end: time to come to the next durable write.
    """

    app: Any
    process: asyncio.subprocess.Process | None = None
    wanted: int = 0
    after: bool = False
    part: str = ""
    lag: float = 0.0
    seen: int = 0
    calls: list[str] = field(factory=list)

    def arm(
        self, process: asyncio.subprocess.Process, wanted: int, *, after: bool, part: str = ""
    ) -> None:
        self.process, self.wanted, self.after, self.part = process, wanted, after, part
        self.seen, self.lag = 0, 0.0
        self.calls.clear()

    @property
    def fired(self) -> bool:
        return bool(self.wanted) and self.seen >= self.wanted

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        call = f"{scope['method']} {scope['path']}"
        concerned = self.part in call
        self.seen += concerned
        mine = concerned and self.seen == self.wanted
        self.calls.append(call)
        if mine and not self.after:
            self._kill()
        await self.app(scope, receive, send)
        if mine and self.after:
            if self.lag:
                await asyncio.sleep(self.lag)
            self._kill()

    def _kill(self) -> None:
        assert self.process
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGKILL)


@contextlib.asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """Serve an app on the loopback; give its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_config=None, lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.ensure_future(server._serve([listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listening.close()


@define
class ServiceProcess:
    """``provision serve`` beside a platform at ``platform``; the port is the same each time."""

    data: Path
    platform: str
    environment: Mapping[str, str]
    port: int = field(factory=lambda: _free_port())
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> asyncio.subprocess.Process:
        names = ("CLIENTS", "CHANNELS", "USERS", "DOMAINS", "CERTS")
        variables = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "MG_PROVISION_DATA": str(self.data),
            "MG_PROVISION_LAYOUTS": str(ROOT / "layouts"),
            "MG_PROVISION_LOG_LEVEL": "warning",
            **{f"MG_PROVISION_{name}_URL": self.platform for name in names},
            **database.environment(self.data),
            **self.environment,
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "provision.cli.main", "serve", "--port", str(self.port)),
            env=variables,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        assert self.process.stdout
        async with asyncio.timeout(STARTING):
            greeting = self.process.stdout
            while not re.match(rb"provision .* serves", line := await greeting.readline()):
                assert line, "the service did not start"
        return self.process

    async def stop(self) -> None:
        if self.process and self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        if self.process:
            await self.process.communicate()

    @contextlib.asynccontextmanager
    async def reached(self, platform: Running) -> AsyncIterator[Running]:
        """Give the way to the process as it runs now."""
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=60) as http:
            yield Running(http, platform.http, platform.domain, platform.token)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
