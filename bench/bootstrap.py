"""The bootstrap core's figures: ``python -m bench.bootstrap``.

Known-key fetches against a bare Starlette route that answers the same bytes, first contacts
against the rate and time of scrypt alone, and lists of many configs against lists of few.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import uvloop
from attrs import evolve
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.load import Measured, each_once, get, load
from bench.result import Result, at_least, at_most, show
from bench.server import serving
from bootstrap_core import config_rows, profile_rows
from bootstrap_core.core import BootstrapCore, Options
from bootstrap_core.keys import COST, Cost, KeyHasher
from bootstrap_core.model import (
    Caller,
    Config,
    Profile,
    Resource,
    ResourceType,
    new_id,
    new_revision,
    utc_now,
)
from bootstrap_core.rendering import ContentFormat
from bootstrap_core.sealing import Sealer, SealingKey
from bootstrap_core.secret import Secret
from bootstrap_core.tables import configs, metadata, profiles

KEY = "a-device-key"
DEVICES = 10_000
CHEAP = Cost(ln=1, r=1, p=1)
ROUNDS = 5
ROUND_SECONDS = 2.0
FIRST_CONTACTS = 160
LISTS = 31
FILTERS = {
    "enabled ones": "",
    "any status": "?status=all",
    "part of the name, all match": "?name=gateway",
    "part of the name, few match": "?name=y-99",
    "part of the name, none match": "?name=nowhere",
    "external ID": "?external_id=gw-500",
}
SEALER = Sealer([SealingKey(bytes(32))])
TEMPLATE = '{"id": "{{ .Device.ID }}", "site": "{{ .Vars.site }}", "filler": "' + "x" * 2900 + '"}'


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

    async def create_client(self, caller: Caller, client_id: str, name: str) -> Resource:
        """Never asked."""
        raise NotImplementedError

    async def create_channel(self, caller: Caller, channel_id: str, name: str) -> Resource:
        """Never asked."""
        raise NotImplementedError

    async def delete_client(self, caller: Caller, client_id: str) -> None:
        """Never asked."""


def core_app(database: str) -> Starlette:
    """Return an app with the core's routes and nothing else."""
    engine = create_async_engine(database)
    core = BootstrapCore(engine, SEALER, Anyone(), Anyone(), Options())

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


@contextlib.asynccontextmanager
async def store(directory: Path, cost: Cost, per_domain: dict[str, int]) -> AsyncIterator[str]:
    """Make a database with so many configs in each domain; give its URL."""
    url = f"sqlite+aiosqlite:///{directory / f'{new_id()}.db'}"
    engine = create_async_engine(url)
    hasher = KeyHasher(cost)
    hashed = await hasher.hash(Secret(KEY))
    hasher.close()
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            await connection.run_sync(metadata.create_all)
            for domain_id, count in per_domain.items():
                profile = _profile(domain_id)
                await connection.execute(insert(profiles).values(profile_rows.to_row(profile)))
                for start in range(0, count, 5000):
                    numbers = range(start, min(start + 5000, count))
                    rows = [_row(profile, hashed, number) for number in numbers]
                    await connection.execute(insert(configs), rows)
        yield url
    finally:
        await engine.dispose()


async def known_keys(directory: Path) -> Result:
    """Measure fetches with a key that was verified before."""
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
    return at_least("known-key fetch / bare Starlette route", statistics.median(ratios), 0.6, note)


async def first_contacts(directory: Path) -> list[Result]:
    """Measure fetches whose key has to be verified, against scrypt and nothing else."""
    taken: Iterator[bytes] = iter(_fetches())
    times, floors, together = [], [], []
    async with store(directory, COST, {"domain": DEVICES}) as url:
        with serving(core_app, url) as port:
            for _ in range(FIRST_CONTACTS // 4):
                times.append(_median(await each_once(port, [next(taken)], connections=1)))
                floors.append(_scrypt())
            for _ in range(3):
                many = [next(taken) for _ in range(FIRST_CONTACTS)]
                rate = (await each_once(port, many, connections=16)).rate
                together.append(rate / _scrypt_rate(FIRST_CONTACTS))
    contact, floor = statistics.median(times), statistics.median(floors)
    return [
        at_most("first contact / one scrypt", contact / floor, 1.25, _against(contact, floor)),
        at_least("first contacts at once / scrypt rate", statistics.median(together), 0.8),
    ]


async def lists(directory: Path) -> list[Result]:
    """Measure lists of 10 of 100,000 configs against 10 of 1,000."""
    results = []
    async with store(directory, CHEAP, {"few": 1_000, "many": 100_000}) as url:
        with serving(core_app, url) as port:
            for name, query in FILTERS.items():
                requests = {
                    domain: get(f"/{domain}/clients/configs{query}", "Bearer token")
                    for domain in ("few", "many")
                }
                taken: dict[str, list[float]] = {"few": [], "many": []}
                for _, domain in itertools.product(range(LISTS), requests):
                    one = await each_once(port, [requests[domain]], connections=1)
                    taken[domain].append(_median(one))
                times = {domain: statistics.median(each) for domain, each in taken.items()}
                ratio, note = times["many"] / times["few"], _against(times["many"], times["few"])
                results.append(at_most(f"10 of 100,000 / 10 of 1,000: {name}", ratio, 10.0, note))
    return results


def run() -> list[Result]:
    """Measure everything."""
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


def _scrypt(_: int = 0) -> float:
    started = time.perf_counter()
    n, r, p = 1 << COST.ln, COST.r, COST.p
    hashlib.scrypt(KEY.encode(), salt=b"s" * 16, n=n, r=r, p=p, dklen=32, maxmem=64 * 1024 * 1024)
    return time.perf_counter() - started


def _scrypt_rate(count: int) -> float:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        started = time.perf_counter()
        list(pool.map(_scrypt, range(count)))
        return count / (time.perf_counter() - started)


def _profile(domain_id: str) -> Profile:
    at = utc_now()
    return Profile(
        id=new_id(),
        domain_id=domain_id,
        name="bench",
        content_format=ContentFormat.JSON,
        created_at=at,
        updated_at=at,
        content_template=TEMPLATE,
        defaults={"site": "north"},
        revision=new_revision(),
    )


def _row(profile: Profile, hashed: str, number: int) -> dict[str, object]:
    at = utc_now()
    config = Config(
        id=new_id(),
        domain_id=profile.domain_id,
        external_id=f"gw-{number}",
        external_key_hash=hashed,
        created_at=at,
        updated_at=at,
        name=f"gateway-{number}",
        profile_id=profile.id,
    )
    return dict(config_rows.to_row(evolve(config, revision=new_revision())))


if __name__ == "__main__":
    sys.exit(not show(run()))
