"""The service on a loopback port, in a thread of this process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import threading
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import structlog
import uvicorn
from attrs import frozen

from provision.app import open_service
from provision.settings_reader import load
from tests import database
from tests.cli.prompt import Ended, provision

ROOT = Path(__file__).parents[2]
KEY = "device-key-1"


@frozen(slots=False)
class Served:
    """A running service: where it is, its data directory, its operator's domain."""

    url: str
    data: Path

    @property
    def operator(self) -> dict[str, Any]:
        account: dict[str, Any] = json.loads((self.data / "operator.json").read_text())
        return account

    @property
    def domain(self) -> str:
        return str(self.operator["domain_id"])

    @cached_property
    def token(self) -> str:
        """A token of the operator; asking once spares every command the sign-in."""
        answer = httpx.post(f"{self.url}/users/tokens/issue", json=self.operator)
        return str(answer.json()["access_token"])

    def run(self, *arguments: str) -> Ended:
        """Run a command as the operator."""
        where = ("--url", self.url, "--data", str(self.data))
        token = () if "--token" in arguments else ("--token", self.token)
        return provision(*arguments, *where, *token)

    def map(self, external_id: str, *more: str) -> Any:
        """Onboard a gateway."""
        ended = self.run("map", external_id, KEY, "--json", *more)
        assert ended.code == 0, ended.err
        return ended.json


class TellingServer(uvicorn.Server):
    """A server that says when it can be reached."""

    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready.set()


@contextlib.contextmanager
def serving(data: Path, layouts: Path, **environment: str) -> Iterator[Served]:
    """Run the service on its embedded platform until the context ends."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    database.with_schema(data / database.FILE)
    variables = {
        "MG_PROVISION_DATA": str(data),
        "MG_PROVISION_LAYOUTS": str(layouts),
        **database.environment(data),
    }
    ready = threading.Event()
    server: list[uvicorn.Server] = []

    async def serve() -> None:
        async with open_service(load(variables | environment, {}), url) as service:
            config = uvicorn.Config(service.app, log_config=None, lifespan="off")
            running = TellingServer(config, ready)
            server.append(running)
            await running.serve([listening])

    # Its log would stand among what the commands print.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(30)
        yield Served(url, data)
    finally:
        for running in server:
            running.should_exit = True
        thread.join(30)
        listening.close()
        structlog.reset_defaults()
