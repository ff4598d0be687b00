"""The whole service in a process of its own, started as an operator starts it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx
from attrs import frozen

from provision.store.data_directory import DataDirectory

ROOT = Path(__file__).parent.parent
STATUS = Path("/proc")
KEY = "key"


@frozen
class Account:
    """Who onboards, and where."""

    username: str
    password: str
    domain_id: str


@frozen
class Served:
    """The service while it runs; ``start_seconds`` is what it took until it could be reached."""

    base_url: str
    account: Account
    start_seconds: float
    process_id: int

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        return int(self.base_url.rsplit(":", 1)[1])

    @property
    def resident_mebibytes(self) -> float:
        """The memory that its process holds now."""
        lines = (STATUS / str(self.process_id) / "status").read_text().splitlines()
        held = next(line for line in lines if line.startswith("VmRSS:"))
        return int(held.split()[1]) / 1024

    def token(self) -> str:
        """Sign the operator in."""
        body = {"username": self.account.username, "password": self.account.password}
        answer = httpx.post(f"{self.base_url}/users/tokens/issue", json=body)
        return str(answer.json()["access_token"])

    def mappings(self, token: str, external_ids: Iterable[str]) -> Iterator[bytes]:
        """Yield the request that onboards each gateway."""
        for external_id in external_ids:
            body = json.dumps({"external_id": external_id, "external_key": KEY})
            yield self.request("POST", "/mapping", token, body)

    def request(self, method: str, path: str, token: str, body: str = "") -> bytes:
        """Return the bytes of a request about something in the account's domain."""
        return (
            f"{method} /{self.account.domain_id}{path} HTTP/1.1\r\nHost: service\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body.encode())}\r\n\r\n{body}"
        ).encode()


@contextlib.contextmanager
def served(data: Path) -> Iterator[Served]:
    """Serve on a data directory, which is made where there is none."""
    command = [sys.executable, "-m", "provision.cli.main", "serve", "--port", "0"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MG_", "MF_"))}
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--data", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env=clean,
    )
    try:
        assert process.stdout
        base = next(line.split()[-1] for line in process.stdout if "serves on" in line)
        seconds = time.perf_counter() - started
        account = Account(**DataDirectory(data).read_operator())
        yield Served(base, account, seconds, process.pid)
    finally:
        process.terminate()
        process.communicate()
