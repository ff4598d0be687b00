"""What 1,000 to 1,000,000 stored configs cost: fetches, lists, creation, start and space."""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.bootstrap import bare_app
from bench.config_store import CHEAP, KEY, add_configs, add_profile, hashed_key
from bench.growth.curves import Curves, Drawing
from bench.growth.probe import milliseconds, seconds, start_milliseconds, stored_mebibytes
from bench.load import each_once, get, load
from bench.progress import say
from bench.scrypt import scrypt_seconds
from bench.server import serving
from bench.service import Served, served
from bootstrap_core.keys import COST
from bootstrap_core.model import Profile
from provision.store.database import open_engine

SIZES = (1_000, 10_000, 100_000, 1_000_000)
STRANGERS = 30
KNOWN = 10_000
ROUNDS = 5
ROUND_SECONDS = 1.0
TIMES = 15

FETCH = "rate of known-key fetches"
CONTACT = "first contact"
CREATION = "creating a config"
NEWEST = "10 newest"
BY_NAME = "10 by a part of the name"
BY_ID = "one by its external ID"
METRICS = "metrics"
START = "start of the service"
DATABASE = "database"
MEMORY = "memory of the service"
DRAWINGS = (
    Drawing(
        "growth-configs-floors",
        "Devices and creation, against the machine's floors",
        "fetches: share of a bare route's rate; the others: in scrypts",
        (FETCH, CONTACT, CREATION),
    ),
    Drawing(
        "growth-configs-times",
        "Lists and start",
        "milliseconds",
        (NEWEST, BY_NAME, BY_ID, METRICS, START),
    ),
    Drawing("growth-configs-space", "Space for configs", "MiB", (DATABASE, MEMORY)),
)


def run(largest: int) -> Curves:
    """Measure at each size up to ``largest``."""
    curves = Curves("configs", DRAWINGS)
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        with served(data) as service:
            domain_id = service.account.domain_id
        profile = asyncio.run(_profile(data, domain_id))
        before = 0
        for size in (each for each in SIZES if each <= largest):
            say(f"{size:,} configs")
            asyncio.run(_fill(data, profile, range(before, size)))
            before = size
            start = start_milliseconds(data)
            stored = stored_mebibytes(data)
            with served(data) as service:
                curves.put(size, _measured(service, size))
                curves.put(size, {MEMORY: service.resident_mebibytes})
            curves.put(size, {START: start, DATABASE: stored})
    return curves


async def _profile(data: Path, domain_id: str) -> Profile:
    async with _opened(data) as engine:
        return await add_profile(engine, domain_id)


async def _fill(data: Path, profile: Profile, numbers: range) -> None:
    """Add configs; the last ones have a key that costs what keys cost, for first contacts."""
    strangers = numbers[-STRANGERS:]
    async with _opened(data) as engine:
        cheap, dear = await hashed_key(CHEAP), await hashed_key(COST)
        await add_configs(engine, profile, cheap, numbers[:-STRANGERS])
        await add_configs(engine, profile, dear, strangers)
        async with engine.connect() as connection:
            await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))


@contextlib.asynccontextmanager
async def _opened(data: Path) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(f"sqlite+aiosqlite:///{data / 'provision.db'}")
    try:
        yield engine
    finally:
        await engine.dispose()


def _measured(service: Served, size: int) -> dict[str, float]:
    token = service.token()
    lists = {
        NEWEST: "/clients/configs",
        BY_NAME: f"/clients/configs?name=y-{size // 100}",
        BY_ID: f"/clients/configs?external_id=gw-{size // 2}",
    }
    values = {
        name: milliseconds(service, [service.request("GET", path, token)] * TIMES)
        for name, path in lists.items()
    }
    values[METRICS] = milliseconds(service, [get("/metrics", "")] * TIMES)
    created = [
        service.request("POST", "/clients/configs", token, json.dumps(_new(size, number)))
        for number in range(TIMES)
    ]
    strangers = [_fetch(number) for number in range(size - STRANGERS, size)]
    values[CONTACT] = _in_scrypts(service, strangers, 200)
    values[CREATION] = _in_scrypts(service, created, 201)
    known = [_fetch(number) for number in range(0, size - STRANGERS, max(1, size // KNOWN))]
    headers = {"Authorization": f"Client {KEY}"}
    body = httpx.get(f"{service.base_url}/clients/bootstrap/gw-0", headers=headers).content
    values[FETCH] = asyncio.run(_fetches(service, known, body))
    return values


def _new(size: int, number: int) -> dict[str, str]:
    return {
        "external_id": f"new-{size}-{number}",
        "external_key": KEY,
        "name": f"n-{size}-{number}",
    }


def _fetch(number: int) -> bytes:
    return get(f"/clients/bootstrap/gw-{number}", f"Client {KEY}")


def _in_scrypts(service: Served, requests: Sequence[bytes], status: int) -> float:
    taken, floors = [], []
    for each in requests:
        taken.append(seconds(service, each, status))
        floors.append(scrypt_seconds())
    return statistics.median(taken) / statistics.median(floors)


async def _fetches(service: Served, known: Sequence[bytes], body: bytes) -> float:
    warm = await each_once(service.port, known, connections=16)
    assert warm.statuses == {200: len(known)}, warm.statuses
    ratios = []
    with serving(bare_app, body) as bare:
        for _ in range(ROUNDS):
            mine = await load(service.port, known, seconds=ROUND_SECONDS)
            ratios.append(mine.rate / (await load(bare, known, seconds=ROUND_SECONDS)).rate)
    return statistics.median(ratios)
