"""The bootstrap core's figures: ``python -m bench bootstrap``.

Known-key fetches against a bare Starlette route that answers the same bytes, first contacts
against the rate and time of scrypt alone, and lists of many configs against lists of few.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import statistics
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import uvloop
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.config_store import CHEAP, KEY, SEALER, store
from bench.load import Measured, each_once, get, load
from bench.progress import say
from bench.result import Figure, Floor, Result
from bench.scrypt import scrypt_rate, scrypt_seconds
from bench.server import serving
from bootstrap_core.core import BootstrapCore, Foundation, Options
from bootstrap_core.keys import COST
from bootstrap_core.model import Caller, Resource, ResourceType
from bootstrap_core.ports import Keep, NewParts
from bootstrap_core.secrets import Secret

DEVICES = 10_000
ROUNDS = 9
ROUND_SECONDS = 2.0
CONTACTS = 160
LIST_ROUNDS = 31
FILTERS = {
    "enabled ones": "",
    "any status": "?status=all",
    "part of the name, all match": "?name=gateway",
    "part of the name, few match": "?name=y-99",
    "part of the name, none match": "?name=nowhere",
    "external ID": "?external_id=gw-500",
}
KNOWN_KEY = Figure("known-key fetch, core alone", Floor.BARE_ROUTE, least=0.6)
FIRST_CONTACT = Figure("first contact, in scrypts", Floor.SCRYPT, most=1.25)
FIRST_CONTACTS_AT_ONCE = Figure("first contacts, 16 at once", Floor.SCRYPT, least=0.8)
LISTS_OF_MANY = {
    name: Figure(f"10 of 100,000 configs, in 10 of 1,000: {name}", Floor.ITSELF, most=10.0)
    for name in FILTERS
}
FIGURES = (KNOWN_KEY, FIRST_CONTACT, FIRST_CONTACTS_AT_ONCE, *LISTS_OF_MANY.values())


class Anyone:
    """No platform: anybody is a member, and delivery asks nobody."""

    async def identify(self, token: Secret, domain_id: str | None) -> Caller:
        """Let the caller in."""
        return Caller("anyone", domain_id or "", token)

    async def resolve(self, caller: Caller, kind: ResourceType, resource_id: str) -> Resource:
        """Never asked."""
        raise NotImplementedError

    async def connect(self, caller: Caller, client_id: str, channel_id: str) -> None:
        """Never asked."""

    async def disconnect(self, caller: Caller, client_id: str, channel_id: str) -> None:
        """Never asked."""

    async def make(self, caller: Caller, parts: NewParts, keep: Keep) -> None:
        """Never asked."""


def core_app(database: str) -> Starlette:
    """Return an app with the core's routes and nothing else."""
    engine = create_async_engine(database)
    core = BootstrapCore(Foundation.lay(engine, SEALER, Options()), Anyone(), Anyone())

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        core.start()
        yield
        await core.stop()
        await engine.dispose()

    app = Starlette(routes=core.routes(), lifespan=lifespan)
    app.router.redirect_slashes = False
    return app


def bare_app(body: bytes) -> Starlette:
    """Return an app with one plain Starlette route that answers ``body``."""

    async def answer(_: Request) -> Response:
        return Response(body, media_type="application/json")

    return Starlette(routes=[Route("/clients/bootstrap/{external_id}", answer)])


async def known_keys(directory: Path) -> Result:
    """Measure fetches with a key that was verified before."""
    say("known keys")
    requests = [
        get(f"/clients/bootstrap/gw-{number}", f"Client {KEY}") for number in range(DEVICES)
    ]
    async with store(directory, CHEAP, {"domain": DEVICES}) as url:
        with serving(core_app, url) as port:
            body = await _body(port, requests[0])
            warm = await each_once(port, requests, connections=16)
            assert warm.statuses == {200: DEVICES}, warm.statuses
            with serving(bare_app, body) as bare_port:
                ratios, rates = [], []
                for _ in range(ROUNDS):
                    mine = await load(port, requests, seconds=ROUND_SECONDS)
                    bare = await load(bare_port, requests, seconds=ROUND_SECONDS)
                    assert set(mine.statuses) == set(bare.statuses) == {200}
                    ratios.append(mine.rate / bare.rate)
                    rates.append((mine.rate, bare.rate))
    mine_rate, bare_rate = (statistics.median(each) for each in zip(*rates, strict=True))
    note = f"{mine_rate:,.0f}/s against {bare_rate:,.0f}/s, {DEVICES:,} configs"
    return KNOWN_KEY.measured_in_rounds(ratios, note)


async def first_contacts(directory: Path) -> list[Result]:
    """Measure fetches whose key has to be verified, against scrypt and nothing else."""
    say("first contacts")
    taken: Iterator[bytes] = iter(_fetches())
    times, floors, together = [], [], []
    async with store(directory, COST, {"domain": DEVICES}) as url:
        with serving(core_app, url) as port:
            for _ in range(CONTACTS // 4):
                times.append(_median(await each_once(port, [next(taken)], connections=1)))
                floors.append(scrypt_seconds())
            for _ in range(3):
                many = [next(taken) for _ in range(CONTACTS)]
                rate = (await each_once(port, many, connections=16)).rate
                together.append(rate / scrypt_rate(CONTACTS))
    contact, floor = statistics.median(times), statistics.median(floors)
    return [
        FIRST_CONTACT.measured(contact / floor, _against(contact, floor)),
        FIRST_CONTACTS_AT_ONCE.measured_in_rounds(together),
    ]


async def lists(directory: Path) -> list[Result]:
    """Measure lists of 10 of 100,000 configs against 10 of 1,000."""
    say("lists of configs")
    results = []
    async with store(directory, CHEAP, {"few": 1_000, "many": 100_000}) as url:
        with serving(core_app, url) as port:
            for name, query in FILTERS.items():
                requests = {
                    domain: get(f"/{domain}/clients/configs{query}", "Bearer token")
                    for domain in ("few", "many")
                }
                taken: dict[str, list[float]] = {"few": [], "many": []}
                for _, domain in itertools.product(range(LIST_ROUNDS), requests):
                    one = await each_once(port, [requests[domain]], connections=1)
                    taken[domain].append(_median(one))
                times = {domain: statistics.median(each) for domain, each in taken.items()}
                ratio, note = times["many"] / times["few"], _against(times["many"], times["few"])
                results.append(LISTS_OF_MANY[name].measured(ratio, note))
    return results


def run() -> list[Result]:
    """Measure everything; takes two minutes."""
    with tempfile.TemporaryDirectory() as directory:
        return uvloop.run(_all(Path(directory)))


async def _all(directory: Path) -> list[Result]:
    return [
        await known_keys(directory),
        *await first_contacts(directory),
        *await lists(directory),
    ]


async def _body(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    answer = await reader.read()
    writer.close()
    return answer.partition(b"\r\n\r\n")[2]


def _median(measured: Measured) -> float:
    assert set(measured.statuses) == {200}, measured.statuses
    return statistics.median(measured.latencies)


def _fetches() -> list[bytes]:
    return [get(f"/clients/bootstrap/gw-{number}", f"Client {KEY}") for number in range(DEVICES)]


def _against(mine: float, other: float) -> str:
    return f"{mine * 1e3:.1f} ms against {other * 1e3:.1f} ms"
