"""The journal's figures: ``python -m bench onboarding_recovery``.

What the durable writes of an onboarding cost, against the same run on a store that does not wait
for the disk; and how fast onboardings that a crash left behind are finished, against the rate of
new ones. The platform is in memory and answers after a short delay.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from attrs import define, field, frozen
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.progress import say
from bench.result import Figure, Floor, Result
from bootstrap_core.enrollments import Enroller
from bootstrap_core.keys import COST, Cost, KeyHasher
from bootstrap_core.model import Caller, Status
from bootstrap_core.secrets import Sealer, SealingKey, Secret
from bootstrap_core.store.ownership import Ownership
from bootstrap_core.store.pair_rows import KeyChanges, PairDigests
from provision.layout.reader import read
from provision.onboarding import assembly
from provision.onboarding.clock import SystemClock, Timing
from provision.onboarding.creation import RandomIdentifiers
from provision.onboarding.journal import unchecked
from provision.onboarding.model import Intent, MappingRequest, Onboarding, Outcome, State
from provision.platform.errors import AlreadyExists
from provision.platform.types import Connections, Domain, EntityQuery, NewEntity, Page
from provision.store.database import migrate, open_engine

SEALER = Sealer([SealingKey(bytes(32))])
CHEAP = Cost(ln=1, r=1, p=1)
CALLER = Caller("bench", "5ad4f5bc-4f0b-4c0a-9d7f-1b1f2d3c4e5f", Secret("token"))
DELAY = 0.005
AT_ONCE = 16
ROUNDS = 3
ONBOARDED = 120
NEW = 1500
LEFT_BEHIND = 10_000
JOURNALLING = Figure("share of the rate that the journal costs", Floor.ITSELF, most=0.15)
RECOVERY = Figure(
    f"recovery of {LEFT_BEHIND:,} onboardings, of the normal rate", Floor.ITSELF, least=0.5
)
FIGURES = (JOURNALLING, RECOVERY)
LAYOUT = read(
    """
[layout]
name = "bench"

[[clients]]
key = "agent"
name = "{{ .ExternalID }}-agent"
bootstrap = true

[[channels]]
key = "control"
name = "{{ .ExternalID }}-control"

[[channels]]
key = "data"
name = "{{ .ExternalID }}-data"

[[connections]]
clients = ["agent"]
channels = ["control", "data"]
""",
    file="bench.toml",
).layout


def run() -> list[Result]:
    """Measure everything; takes one to two minutes."""
    with tempfile.TemporaryDirectory() as directory:
        return asyncio.run(_measure(Path(directory)))


@define
class MemoryPlatform:
    """As much of the platform as an onboarding without certificates asks of it."""

    taken: set[str] = field(factory=set)
    connected: set[tuple[str, str]] = field(factory=set)

    async def view_domain(self, _: Secret, domain_id: str) -> Domain:
        """Let everybody in."""
        await asyncio.sleep(DELAY)
        return Domain(domain_id, "bench", "bench", Status.ENABLED)

    @property
    def clients(self) -> MemoryEntities:
        """The clients."""
        return MemoryEntities(self.taken)

    @property
    def channels(self) -> MemoryEntities:
        """The channels."""
        return MemoryEntities(self.taken)

    async def connect(self, _: Secret, __: str, wanted: Connections) -> None:
        """Connect all or nothing."""
        await asyncio.sleep(DELAY)
        pairs = set(itertools.product(wanted.client_ids, wanted.channel_ids))
        if pairs & self.connected:
            raise AlreadyExists
        self.connected |= pairs


@frozen
class MemoryEntities:
    """As much of the clients or channels."""

    taken: set[str]

    async def create(self, _: Secret, __: str, drafts: Sequence[NewEntity]) -> None:
        """Create all or none."""
        await asyncio.sleep(DELAY)
        identifiers = [draft.id for draft in drafts]
        if self.taken.intersection(identifiers):
            raise AlreadyExists
        self.taken.update(identifiers)

    async def list(self, _: Secret, __: str, query: EntityQuery) -> Page[str]:
        """Tell whether there is one with this ID."""
        await asyncio.sleep(DELAY)
        found = [query.id] if query.id in self.taken else []
        return Page(found, len(found), 0, 1)


class Unheard:
    """An observer that keeps nothing."""

    def note(self, onboarding: Onboarding, action: str, outcome: str) -> None:
        """Do nothing."""


@define
class Bench:
    """The onboarding on a store of its own."""

    parts: assembly.Onboarding
    platform: MemoryPlatform
    engine: AsyncEngine


async def _measure(directory: Path) -> list[Result]:
    say("onboarding with and without durable writes")
    durable, quick = [], []
    for number in range(ROUNDS):
        async with _opened(directory / f"durable-{number}.db", COST) as bench:
            durable.append(await _rate(bench, ONBOARDED))
        async with _opened(directory / f"quick-{number}.db", COST) as bench:
            _wait_for_the_disk(bench, "OFF")
            quick.append(await _rate(bench, ONBOARDED))
    lost = [1 - slow / fast for slow, fast in zip(durable, quick, strict=True)]
    rates = f"{statistics.median(durable):.1f} of {statistics.median(quick):.1f}/s"
    say("recovery")
    async with _opened(directory / "recovery.db", CHEAP) as bench:
        normal = await _rate(bench, NEW)
        recovered = await _recovery_rate(bench)
    return [
        JOURNALLING.measured_in_rounds(lost, rates),
        RECOVERY.measured(recovered / normal, f"{recovered:.0f} of {normal:.0f}/s"),
    ]


@contextlib.asynccontextmanager
async def _opened(file: Path, cost: Cost) -> AsyncIterator[Bench]:
    engine = open_engine(f"sqlite+aiosqlite:///{file}")
    await migrate(engine)
    hasher = KeyHasher(cost)
    platform = MemoryPlatform()
    digests = PairDigests()
    admit = Ownership(engine, digests, KeyChanges()).admit
    parts = assembly.assemble(
        assembly.Store(engine, SEALER, Enroller(SEALER, digests=digests), hasher, admit),
        assembly.Dependencies(
            platform=cast("Any", platform),
            authority=cast("Any", platform),
            own=None,
            observer=Unheard(),
            clock=SystemClock(),
            random=random.SystemRandom(),
            identifiers=RandomIdentifiers(),
            timing=Timing(),
        ),
    )
    try:
        yield Bench(parts, platform, engine)
    finally:
        await parts.engine.jobs.close(5)
        hasher.close()
        await engine.dispose()


def _wait_for_the_disk(bench: Bench, mode: str) -> None:
    """Let commits from now on wait (FULL) or not (OFF)."""

    def choose(connection: DBAPIConnection, *_: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA synchronous = {mode}")
        cursor.close()

    event.listen(bench.engine.sync_engine, "checkout", choose)


async def _rate(bench: Bench, count: int) -> float:
    numbers = iter(range(count))

    async def onboard() -> None:
        for number in numbers:
            request = MappingRequest(f"new-{number}", Secret("key"), LAYOUT)
            await bench.parts.onboardings.map(CALLER, request)

    started = time.perf_counter()
    await asyncio.gather(*(onboard() for _ in range(AT_ONCE)))
    return count / (time.perf_counter() - started)


async def _recovery_rate(bench: Bench) -> float:
    """Leave onboardings behind, every second one half done, and have them finished."""
    _wait_for_the_disk(bench, "OFF")
    for number in range(LEFT_BEHIND):
        opened = await bench.parts.journal.open(_left_behind(bench, number), unchecked)
        if number % 2:
            bench.platform.taken |= opened.created_ids
    await bench.parts.leases.release_all()
    _wait_for_the_disk(bench, "FULL")
    # What was called before the crash has settled by then; that wait is not what is measured.
    await asyncio.sleep(Timing().settled_after)
    started = time.perf_counter()
    bench.parts.engine.start()
    await _all_done(bench)
    seconds = time.perf_counter() - started
    await bench.parts.engine.stop()
    return LEFT_BEHIND / seconds


async def _all_done(bench: Bench) -> None:
    done = 0
    while done < NEW + LEFT_BEHIND:
        await asyncio.sleep(0.5)
        done = (await bench.parts.onboarding_list.count_by_state()).get(State.DONE.value, 0)


def _left_behind(bench: Bench, number: int) -> Onboarding:
    external_id = f"left-{number}"
    request = MappingRequest(external_id, Secret("key"), LAYOUT)
    now = datetime.now(UTC)
    return Onboarding(
        id=RandomIdentifiers().uuid(),
        domain_id=CALLER.domain_id,
        external_id=external_id,
        state=State.PLANNED,
        outcome=Outcome.CREATED,
        actor=CALLER.user_id,
        intent=Intent(bench.parts.onboardings.plan(CALLER.domain_id, request), Secret("key")),
        token=CALLER.token,
        created_at=now,
        updated_at=now,
    )
