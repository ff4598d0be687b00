"""What 10 to 10,000 onboardings cost the next one: all of them real, on the embedded platform."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.growth.curves import Curves, Drawing
from bench.growth.probe import milliseconds, start_milliseconds, stored_mebibytes
from bench.load import each_once, get
from bench.progress import say
from bench.scrypt import scrypt_seconds
from bench.service import Served, served
from bootstrap_core.secrets import Secret
from provision.onboarding.clock import SystemClock
from provision.onboarding.creation import RandomIdentifiers
from provision.onboarding.leases import Leases
from provision.onboarding.rows import RowCodec
from provision.store.data_directory import DataDirectory
from provision.store.database import open_engine

SIZES = (10, 100, 1_000, 10_000)
TIMES = 15
AT_ONCE = 8
TAKEN = 16

NEXT = "the next onboarding"
REPEATED = "the same again"
REMOVAL = "removal"
GATEWAYS = "10 gateways listed"
JOURNAL = "10 onboardings listed"
METRICS = "metrics"
SCAN = "look for work left behind"
RELEASE = "release of leases at start"
SCRYPT = "one scrypt"
START = "start of the service"
DATABASE = "database"
MEMORY = "memory after it did all"
FRESH = "memory after a start"
DRAWINGS = (
    Drawing(
        "growth-onboardings-work",
        "One more onboarding",
        "milliseconds",
        (NEXT, REPEATED, REMOVAL, SCRYPT),
    ),
    Drawing(
        "growth-onboardings-lists",
        "Lists, start and recovery",
        "milliseconds",
        (GATEWAYS, JOURNAL, METRICS, SCAN, RELEASE, START),
    ),
    Drawing("growth-onboardings-space", "Space for onboardings", "MiB", (DATABASE, MEMORY, FRESH)),
)


def run(largest: int) -> Curves:
    """Measure at each size up to ``largest``."""
    curves = Curves("onboardings", DRAWINGS)
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        before = 0
        for size in (each for each in SIZES if each <= largest):
            say(f"{size:,} onboardings")
            with served(data) as service:
                _onboard(service, range(before, size))
                curves.put(size, {MEMORY: service.resident_mebibytes})
            before = size
            curves.put(size, {START: start_milliseconds(data), DATABASE: stored_mebibytes(data)})
            curves.put(size, asyncio.run(_recovery(data)))
            with served(data) as service:
                curves.put(size, {FRESH: service.resident_mebibytes})
                curves.put(size, _measured(service, size))
    return curves


def _onboard(service: Served, numbers: range) -> None:
    names = [f"gateway-{number}" for number in numbers]
    requests = list(service.mappings(service.token(), names))
    done = asyncio.run(each_once(service.port, requests, connections=AT_ONCE))
    assert done.statuses == {201: len(numbers)}, done.statuses


async def _recovery(data: Path) -> dict[str, float]:
    """Measure what is done at start, and every second, to find work that was left behind."""
    engine = open_engine(f"sqlite+aiosqlite:///{data / 'provision.db'}")
    sealer = DataDirectory(data).sealer(Secret(""))
    leases = Leases(engine, RowCodec(sealer), SystemClock(), RandomIdentifiers().uuid)
    try:
        return {
            RELEASE: await _milliseconds(leases.release_all),
            SCAN: await _milliseconds(lambda: leases.take_due(TAKEN)),
        }
    finally:
        await engine.dispose()


async def _milliseconds(work: Callable[[], Awaitable[object]]) -> float:
    taken = []
    for _ in range(TIMES):
        started = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - started)
    return 1e3 * statistics.median(taken)


def _measured(service: Served, size: int) -> dict[str, float]:
    token = service.token()
    new = [f"new-{size}-{number}" for number in range(TIMES)]
    present = [f"gateway-{size * number // TIMES}" for number in range(TIMES)]
    removed = [service.request("DELETE", f"/mapping/{each}", token) for each in new]
    return {
        SCRYPT: 1e3 * statistics.median(scrypt_seconds() for _ in range(TIMES)),
        NEXT: milliseconds(service, service.mappings(token, new), 201),
        REPEATED: milliseconds(service, service.mappings(token, present), 200),
        REMOVAL: milliseconds(service, removed, 204),
        GATEWAYS: milliseconds(service, [service.request("GET", "/gateways", token)] * TIMES),
        JOURNAL: milliseconds(service, [service.request("GET", "/onboardings", token)] * TIMES),
        METRICS: milliseconds(service, [get("/metrics", "")] * TIMES),
    }
