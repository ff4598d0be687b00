"""The main job's figures: ``python -m bench onboarding``.

How many platform delays an onboarding takes, how near its rate comes to that of scrypt alone (which
hashing the external key makes the floor), and how near the whole service's device route comes to a
bare Starlette route that answers the same bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import httpx
from starlette.types import ASGIApp, Message
from uvicorn.loops.auto import auto_loop_factory

from bench.bootstrap import bare_app
from bench.load import each_once, get, load
from bench.progress import say
from bench.result import Figure, Floor, Result
from bench.scrypt import scrypt_rate
from bench.server import serving
from bench.service import KEY, ROOT, Account, Served, served
from provision import log
from provision.app import open_service
from provision.cli.serve import keep_what_is_loaded
from provision.settings_reader import load as load_settings

DELAY = 0.05
TIMES = 11
GATEWAYS = 240
ROUNDS = 5
ROUND_SECONDS = 2.0
CONNECTIONS = 16
RATE_ROUNDS = 3
KEYS = 48

NEW_TOKEN = Figure("onboarding, new token", Floor.ROUND_TRIPS, most=3.5)
KNOWN_TOKEN = Figure("onboarding, token seen a moment ago", Floor.ROUND_TRIPS, most=2.5)
ONBOARDING_RATE = Figure("onboardings at concurrency 8", Floor.SCRYPT, least=0.60)
SERVICE_FETCH = Figure("known-key fetch, whole service", Floor.BARE_ROUTE, least=0.40)
FIGURES = (NEW_TOKEN, KNOWN_TOKEN, ONBOARDING_RATE, SERVICE_FETCH)


def run() -> list[Result]:
    """Measure everything; takes two minutes."""
    say("onboarding with a slow platform")
    with tempfile.TemporaryDirectory() as directory, Path(os.devnull).open("w") as nowhere:
        # Event loop, log and collector are as the served service has them.
        with contextlib.redirect_stderr(nowhere):
            log.configure("info", "json")
        with asyncio.Runner(loop_factory=auto_loop_factory()) as runner:
            delays = runner.run(_delays(Path(directory) / "delays"))
        say("onboarding at concurrency 8")
        return [*delays, *_process(Path(directory) / "process")]


class SlowWire(httpx.AsyncBaseTransport):
    """The way to a platform, with a delay for each call."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        """Pass everything on to ``inner``."""
        self._inner = inner
        self.waited: list[float] = []
        """How long each call was held up, in seconds."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on after the delay."""
        started = time.perf_counter()
        await asyncio.sleep(DELAY)
        self.waited.append(time.perf_counter() - started)
        return await self._inner.handle_async_request(request)


async def _delays(directory: Path) -> list[Result]:
    with served(directory / "platform") as platform:
        base, account = platform.base_url, platform.account
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
        ):
            tokens = []
            for _ in range(TIMES):
                tokens.append(await _token(sign_in, account))
                # Tokens of the same second are the same token.
                await asyncio.sleep(1.1)
            keep_what_is_loaded()
            cold, warm = [], []
            for number, token in enumerate(tokens):
                cold.append(await _onboard(service.app, account, token, f"cold-{number}"))
                warm.append(await _onboard(service.app, account, token, f"warm-{number}"))
    delay = statistics.median(wire.waited)
    return [
        figure.measured_in_rounds([each / delay for each in seconds], _milliseconds(seconds, delay))
        for figure, seconds in ((NEW_TOKEN, cold), (KNOWN_TOKEN, warm))
    ]


def _milliseconds(seconds: list[float], delay: float) -> str:
    whole = statistics.median(seconds) * 1e3
    return f"{whole:.0f} ms with {delay * 1e3:.1f} ms added to each call"


async def _onboard(app: ASGIApp, account: Account, token: str, external_id: str) -> float:
    """Return the seconds until the whole answer; the app is asked without a client in between."""
    body = json.dumps({"external_id": external_id, "external_key": KEY}).encode()
    path = f"/{account.domain_id}/mapping"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", b"service"),
            (b"authorization", f"Bearer {token}".encode()),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    sent: list[tuple[float, Message]] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        sent.append((time.perf_counter(), message))

    started = time.perf_counter()
    await app(scope, receive, send)
    (_, head), (answered, _) = sent[0], sent[-1]
    assert head["status"] == 201, sent
    return answered - started


async def _token(http: httpx.AsyncClient, account: Account) -> str:
    body = {"username": account.username, "password": account.password}
    return str((await http.post("/users/tokens/issue", json=body)).json()["access_token"])


def _process(directory: Path) -> list[Result]:
    with served(directory) as service:
        token = service.token()
        ratios, rates, floors = [], [], []
        for number in range(RATE_ROUNDS):
            names = [f"gateway-{number}-{each}" for each in range(GATEWAYS)]
            requests = list(service.mappings(token, names))
            before = scrypt_rate(KEYS)
            measured = asyncio.run(each_once(service.port, requests, connections=8))
            assert measured.statuses == {201: GATEWAYS}, measured.statuses
            floors.append(statistics.mean((before, scrypt_rate(KEYS))))
            rates.append(measured.rate)
            ratios.append(rates[-1] / floors[-1])
        rate, floor = statistics.median(rates), statistics.median(floors)
        note = f"{rate:.1f}/s at concurrency 8, scrypt {floor:.1f}/s"
        say("fetches of the whole service")
        return [ONBOARDING_RATE.measured_in_rounds(ratios, note), _fetch(service)]


def _fetch(service: Served) -> Result:
    path = "/clients/bootstrap/gateway-0-1"
    fetch = get(path, f"Client {KEY}")
    answer = httpx.get(service.base_url + path, headers={"Authorization": f"Client {KEY}"})
    with serving(bare_app, answer.content) as bare:
        ratios: list[float] = []
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(ROUNDS):
            for rates, where in ((ours, service.port), (theirs, bare)):
                measured = asyncio.run(
                    load(where, [fetch], seconds=ROUND_SECONDS, connections=CONNECTIONS)
                )
                assert set(measured.statuses) == {200}, measured.statuses
                rates.append(measured.rate)
            ratios.append(ours[-1] / theirs[-1])
    note = f"{statistics.median(ours):,.0f} of {statistics.median(theirs):,.0f}/s"
    return SERVICE_FETCH.measured_in_rounds(ratios, note)
