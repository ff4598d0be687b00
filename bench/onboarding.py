"""The main job's figures: ``python -m bench.onboarding``.

How many platform delays an onboarding takes, how near its rate comes to that of scrypt alone (which
hashing the external key makes the floor), and how near the whole service's device route comes to a
bare Starlette route that answers the same bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from attrs import frozen
from uvicorn.loops.auto import auto_loop_factory

from bench.bootstrap import bare_app
from bench.load import each_once, get, load
from bench.result import Result, at_least, at_most, show
from bench.server import serving
from bootstrap_core.keys import COST
from provision.app import open_service
from provision.data_directory import DataDirectory
from provision.settings_reader import load as load_settings

ROOT = Path(__file__).parent.parent
DELAY = 0.05
TIMES = 11
GATEWAYS = 240
ROUNDS = 5
ROUND_SECONDS = 2.0
CONNECTIONS = 16


def run() -> list[Result]:
    """Measure everything; takes about a minute."""
    with tempfile.TemporaryDirectory() as directory:
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            # The service's own event loop.
            delays = runner.run(_delays(Path(directory) / "delays"))
        return [*delays, *_process(Path(directory) / "process")]


class SlowWire(httpx.AsyncBaseTransport):
    """The way to a platform, with a delay for each call."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        """Pass everything on to ``inner``."""
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on after the delay."""
        await asyncio.sleep(DELAY)
        return await self._inner.handle_async_request(request)


@frozen
class Account:
    """Who onboards, and where."""

    username: str
    password: str
    domain_id: str


async def _delays(directory: Path) -> list[Result]:
    with _served(directory / "platform") as base:
        account = Account(**DataDirectory(directory / "platform").read_operator())
        names = ("CLIENTS", "CHANNELS", "USERS", "DOMAINS")
        urls = {f"MG_PROVISION_{name}_URL": base for name in names}
        variables = {
            "MG_PROVISION_DATA": str(directory / "service"),
            "MG_PROVISION_LAYOUTS": str(ROOT / "layouts"),
        }
        wire = SlowWire(httpx.AsyncHTTPTransport())
        loaded = load_settings(variables | urls, {})
        async with (
            open_service(loaded, "http://service", wire) as service,
            httpx.AsyncClient(base_url=base) as sign_in,
            httpx.AsyncClient(
                transport=httpx.ASGITransport(service.app), base_url="http://service"
            ) as http,
        ):
            tokens = []
            for _ in range(TIMES):
                tokens.append(await _token(sign_in, account))
                # Tokens of the same second are the same token.
                await asyncio.sleep(1.1)
            cold, warm = [], []
            for number, token in enumerate(tokens):
                cold.append(await _onboard(http, account, token, f"cold-{number}"))
                warm.append(await _onboard(http, account, token, f"warm-{number}"))
    return [
        at_most("onboarding, new token: platform delays", _in_delays(cold), 3.5, "50 ms each"),
        at_most("onboarding, known token: platform delays", _in_delays(warm), 2.5, "50 ms each"),
    ]


def _in_delays(seconds: list[float]) -> float:
    return statistics.median(seconds) / DELAY


async def _onboard(
    http: httpx.AsyncClient, account: Account, token: str, external_id: str
) -> float:
    started = time.perf_counter()
    answer = await http.post(
        f"/{account.domain_id}/mapping",
        json={"external_id": external_id, "external_key": "key"},
        headers={"Authorization": f"Bearer {token}"},
    )
    seconds = time.perf_counter() - started
    assert answer.status_code == 201, answer.text
    return seconds


async def _token(http: httpx.AsyncClient, account: Account) -> str:
    body = {"username": account.username, "password": account.password}
    return str((await http.post("/users/tokens/issue", json=body)).json()["access_token"])


def _process(directory: Path) -> list[Result]:
    with _served(directory) as base:
        port = int(base.rsplit(":", 1)[1])
        account = Account(**DataDirectory(directory).read_operator())
        with httpx.Client(base_url=base) as http:
            body = {"username": account.username, "password": account.password}
            token = http.post("/users/tokens/issue", json=body).json()["access_token"]
        before = _scrypt_rate()
        measured = asyncio.run(each_once(port, list(_mappings(account, token)), connections=8))
        floor = statistics.mean((before, _scrypt_rate()))
        rate = at_least(
            "onboarding rate, of scrypt's",
            measured.rate / floor,
            0.60,
            f"{measured.rate:.1f}/s at concurrency 8, scrypt {floor:.1f}/s",
        )
        return [rate, _fetch(port)]


def _fetch(port: int) -> Result:
    fetch = get("/clients/bootstrap/gateway-1", "Client key")
    body = httpx.get(
        f"http://127.0.0.1:{port}/clients/bootstrap/gateway-1",
        headers={"Authorization": "Client key"},
    ).content
    with serving(bare_app, body) as bare:
        ours, theirs = [], []
        for _ in range(ROUNDS):
            for rates, where in ((ours, port), (theirs, bare)):
                measured = asyncio.run(
                    load(where, [fetch], seconds=ROUND_SECONDS, connections=CONNECTIONS)
                )
                rates.append(measured.rate)
    mine, other = statistics.median(ours), statistics.median(theirs)
    return at_least(
        "known-key fetch, of a bare route's rate",
        mine / other,
        0.40,
        f"{mine:.0f} of {other:.0f}/s",
    )


def _mappings(account: Account, token: str) -> Iterator[bytes]:
    for number in range(GATEWAYS):
        body = json.dumps({"external_id": f"gateway-{number}", "external_key": "key"}).encode()
        yield (
            f"POST /{account.domain_id}/mapping HTTP/1.1\r\nHost: service\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode() + body


@contextlib.contextmanager
def _served(data: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "provision.cli.main", "serve", "--port", "0"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MG_", "MF_"))}
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
        yield next(line.split()[-1] for line in process.stdout if "serves on" in line)
    finally:
        process.terminate()
        process.communicate()


def _scrypt_rate() -> float:
    """Return how many keys a second all processors hash, with nothing else to do."""
    n, count = 2**COST.ln, 48

    def one(_: int) -> bytes:
        return hashlib.scrypt(b"key", salt=b"salt" * 4, n=n, r=COST.r, p=COST.p, maxmem=2**26)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        started = time.perf_counter()
        list(pool.map(one, range(count)))
        return count / (time.perf_counter() - started)


if __name__ == "__main__":
    sys.exit(not show(run()))
