"""Several replicas of the service on one store and one platform, and the audit of both at rest."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from typing import Any, cast

from attrs import define, field
from sqlalchemy import Engine, select
from structlog.testing import capture_logs

from bootstrap_core.enrollments import Enroller
from bootstrap_core.model import Caller
from bootstrap_core.secrets import Sealer, SealingKey, Secret
from provision.layout.plan import Plan
from provision.layout.reader import read
from provision.onboarding import assembly
from provision.onboarding.certificates.signing import KeepKeys
from provision.onboarding.clock import Timing
from provision.onboarding.credentials import TokenSource
from provision.onboarding.jobs import Job
from provision.onboarding.leases import Lease, LeaseKeeper, Leases
from provision.onboarding.model import MappingRequest, Onboarding, OnExisting, State
from provision.onboarding.rows import RowCodec
from provision.onboarding.service import Onboardings
from provision.onboarding.tables import onboardings as table
from provision.pki.keys import KeyType, make_key
from provision.platform.types import Certificate
from tests.onboarding.simulated_platform import SimulatedPlatform, Wire, certificates_in_force
from tests.onboarding.simulated_store import SimulatedEngine, clear, open_database, rows
from tests.onboarding.virtual import VirtualClock, VirtualLoop

DOMAIN = "5ad4f5bc-4f0b-4c0a-9d7f-1b1f2d3c4e5f"
OTHER_DOMAIN = "6bd4f5bc-4f0b-4c0a-9d7f-1b1f2d3c4e5f"
TIMING = Timing()
FOREVER = 1e9
SEALER = Sealer([SealingKey(bytes(32))])
LAYOUT = read(
    """
[layout]
name = "pair"

[[clients]]
key = "agent"
name = "{{ .ExternalID }}-agent"
bootstrap = true
certificate = true

[[clients]]
key = "helper"
name = "{{ .ExternalID }}-helper"

[[channels]]
key = "control"
name = "{{ .ExternalID }}-control"

[[channels]]
key = "data"
name = "{{ .ExternalID }}-data"

[[connections]]
clients = ["agent", "helper"]
channels = ["data"]

[[connections]]
clients = ["agent"]
channels = ["control"]
types = ["subscribe"]

[certificates]
renew = "auto"
ttl = "2400h"
key_type = "ec-p256"

[profile]
name = "pair"
content_format = "json"
content_template = '{"id": "{{ .Device.ID }}"}'

[[profile.binding_slots]]
name = "agent"
type = "client"
required = true

[[bindings]]
slot = "agent"
client = "agent"
""",
    file="pair.toml",
).layout
KEYS = [Secret(make_key(KeyType.EC_P256).pem()) for _ in range(64)]


class Hasher:
    """Stands in for scrypt, which would take most of the time."""

    async def hash(self, key: Secret) -> str:
        return f"hash of {key.reveal()}"

    async def verify(self, key: Secret, hashed: str) -> bool:
        return hashed == await self.hash(key)


@define
class SeededIdentifiers:
    rng: random.Random

    def uuid(self) -> str:
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))

    def secret(self) -> Secret:
        return Secret(self.uuid())


class Silent:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[tuple[str, str]] = []

    def note(self, onboarding: Onboarding, action: str, outcome: str) -> None:
        self.notes.append((action, outcome))


@define
class OwnToken:
    """Credentials of the service itself."""

    secret: Secret

    async def token(self) -> Secret:
        return self.secret

    async def renewed(self, refused: Secret) -> Secret:
        raise AssertionError("they never end here")


@define
class Replica:
    """One process of the service."""

    parts: assembly.Assembly
    engine: SimulatedEngine
    wire: Wire
    clock: VirtualClock
    observer: Silent

    @property
    def service(self) -> Onboardings:
        return self.parts.onboardings

    @property
    def leases(self) -> Leases:
        return self.parts.leases

    @property
    def working(self) -> int:
        """How many gateways are worked on."""
        return self.parts.engine.jobs.count

    async def submit(self, caller: Caller, request: MappingRequest) -> Onboarding:
        return await self.service.map(caller, request)

    async def remove(self, caller: Caller, external_id: str) -> Onboarding:
        return await self.service.remove(caller, external_id)

    async def tick(self) -> None:
        """Look once for work that was left behind, and end it."""
        asked_at = self.clock.monotonic()
        await asyncio.gather(*(self.take_over(row, asked_at) for row in await self.due()))

    async def due(self) -> Sequence[Onboarding]:
        """Lease what was left behind."""
        return await self.parts.engine.due(16)

    async def take_over(self, row: Onboarding, asked_at: float) -> None:
        """Go on with what was leased after that time."""
        await self.parts.engine.take_over(row, asked_at)

    async def go_on(self, caller: Caller, seen: Onboarding) -> Onboarding | None:
        engine = self.parts.engine
        return await engine.go_on(seen, caller, engine.deadline())

    async def remove_seen(self, caller: Caller, seen: Onboarding) -> Onboarding:
        """Remove what was seen, whatever has become of it."""
        engine = self.parts.engine
        return await engine.remove(seen, caller, engine.deadline())

    async def repair(self, caller: Caller, seen: Onboarding) -> Onboarding:
        """Repair what was seen, whatever has become of it."""
        engine = self.parts.engine
        return await engine.repair(seen, caller, engine.deadline())

    async def resume_with(self, caller: Caller) -> None:
        """Let a caller be known, as every request does."""
        await self.parts.engine.resume_with(caller)

    async def occupy(self, made: Onboarding, seconds: float) -> Onboarding:
        """Work on a gateway for so long."""

        async def work(_: Job) -> Onboarding:
            await asyncio.sleep(seconds)
            return made

        return await self.parts.engine.jobs.run(made, work)

    async def hold(self, row: Onboarding, work: Callable[[Lease], Awaitable[None]]) -> None:
        """Do work under the lease of a row that was taken."""
        async with LeaseKeeper(self.leases, self.clock).keep(row) as lease:
            await work(lease)

    async def stop_looking(self) -> None:
        """Leave alone what is left behind, until a tick."""
        await self.parts.engine.stop()

    async def kill(self) -> None:
        """End the process at once: nothing that it would still do takes effect."""
        self.engine.dead = self.wire.dead = True
        await self.stop_looking()
        with contextlib.suppress(asyncio.CancelledError):
            await self.parts.engine.jobs.close(0)
            await self.parts.idempotency.close()


async def anybody(_: str, __: str, ___: Secret, *, reserve: bool = False) -> None:
    """Admit every key: there is one domain."""


@define
class World:
    """Everything that there is, from one seed."""

    loop: VirtualLoop
    database: Engine
    rng: random.Random
    clock: VirtualClock
    platform: SimulatedPlatform
    own: TokenSource | None = None
    chance: random.Random | None = None
    keep: KeepKeys = KeepKeys.ALWAYS
    replicas: list[Replica] = field(factory=list)
    keys: list[Secret] = field(factory=list)

    def start_replica(self) -> Replica:
        """Start another process on the same store."""
        clock = VirtualClock(self.loop)
        engine = SimulatedEngine(self.database, clock, self.rng)
        wire = Wire(self.platform, clock, TIMING.settled_after)
        observer = Silent()
        parts = assembly.assemble(
            assembly.Store(
                cast("Any", engine), SEALER, Enroller(SEALER, clock.now), Hasher(), anybody
            ),
            assembly.Dependencies(
                platform=cast("Any", wire),
                authority=cast("Any", wire),
                own=self.own,
                observer=observer,
                clock=clock,
                random=self.chance or self.rng,
                identifiers=SeededIdentifiers(self.rng),
                timing=TIMING,
                make_keys=self._make_keys,
                keep=self.keep,
                look_every=5.0,
            ),
        )
        parts.engine.start()
        replica = Replica(parts, engine, wire, clock, observer)
        self.replicas.append(replica)
        return replica

    def caller(self, seconds: float = FOREVER) -> Caller:
        """Return a member of the domain whose token is good for so long."""
        return Caller("somebody", DOMAIN, self.platform.token(seconds))

    def request(
        self, external_id: str, key: str, on_existing: OnExisting = OnExisting.REUSE
    ) -> MappingRequest:
        return MappingRequest(external_id, Secret(key), LAYOUT, on_existing=on_existing)

    async def come_to_rest(self, patience: float = 3000.0) -> None:
        """Wait until every row is at rest. Nobody acts but the replicas themselves."""
        until = self.loop.time() + patience
        quiet_for = 0.0
        # What a call that was cut off left to happen has happened after that time.
        while quiet_for < TIMING.settled_after + 1.0:
            assert self.loop.time() < until, f"never at rest: {self.unrest()}"
            await asyncio.sleep(3.0)
            quiet_for = 0.0 if self.unrest() or self._busy() else quiet_for + 3.0

    def _busy(self) -> bool:
        """Whether a process works on something, or is stopped and may have to go on with it."""
        alive = [each for each in self.replicas if not each.engine.dead]
        return any(each.working or each.clock.frozen_until > self.loop.time() for each in alive)

    def unrest(self) -> list[dict[str, Any]]:
        return rows(
            self.database,
            "SELECT id, external_id, state, heading, outcome, attempts, error_message "
            "FROM onboardings WHERE state NOT IN ('done', 'undone') "
            "OR lease_until IS NOT NULL AND state = 'never'",
        )

    async def close(self) -> None:
        for replica in self.replicas:
            await replica.kill()

    async def _make_keys(self, plan: Plan, but: Collection[str] = ()) -> Mapping[str, Secret]:
        if not self.keys:
            self.keys.extend(self.rng.sample(KEYS, len(KEYS)))
        return {
            each.client_id: self.keys.pop()
            for each in plan.certificates
            if each.client_id not in but
        }


@contextlib.contextmanager
def world(seed: object, database: Engine) -> Iterator[World]:
    """Open a world of its own on a database that is emptied first."""
    clear(database)
    rng = random.Random(str(seed))  # noqa: S311 - chance, not secrecy
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    made = World(loop, database, rng, clock, SimulatedPlatform(clock, rng))
    try:
        yield made
    finally:
        loop.run_until_complete(made.close())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def simulated(story: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[Engine], None]:
    """Return a test that plays a story on virtual time, in a world of its own."""

    def test(database: Engine) -> None:
        with capture_logs(), world(story.__name__, database) as opened:
            opened.loop.run_until_complete(story(opened))

    return test


def new_database() -> Engine:
    return open_database()


def onboardings(database: Engine) -> list[Onboarding]:
    """Return all rows, opened."""
    codec = RowCodec(SEALER)
    with database.connect() as connection:
        return [codec.decode(row) for row in connection.execute(select(table)).mappings()]


def audit(world: World) -> None:
    """Compare platform, bootstrap records and journal: whole gateways, and nothing else."""
    found = onboardings(world.database)
    there = [each for each in found if each.state is State.DONE]
    assert all(each.state.is_at_rest for each in found)
    assert len({each.external_id for each in there}) == len(there), "two gateways of one ID"
    for each in found:
        assert not each.token, "a token is kept"
        assert not each.intent.external_key, "an external key is kept in clear"
    _audit_halves(world.platform, found)
    _audit_platform(world.platform, [each.plan for each in there])
    _audit_certificates(world.platform, there)
    configs = {
        row["id"]: row["external_key_hash"]
        for row in rows(world.database, "SELECT id, external_key_hash FROM configs")
    }
    assert configs == {
        each.plan.config.id: each.intent.external_key_hash for each in there if each.plan.config
    }
    bound = [row["config_id"] for row in rows(world.database, "SELECT config_id FROM bindings")]
    assert sorted(bound) == sorted(configs)
    places = rows(world.database, "SELECT id, place FROM onboardings WHERE place IS NOT NULL")
    assert {row["id"]: row["place"] for row in places} == {
        each.id: f"{each.domain_id}/{each.external_id}" for each in there
    }


def _audit_platform(platform: SimulatedPlatform, plans: list[Plan]) -> None:
    secrets = {each.id: each.secret for plan in plans for each in plan.clients}
    left = platform.clients.keys() - secrets.keys()
    assert not left, f"clients are left over: {left}"
    assert not secrets.keys() - platform.clients.keys(), "a client is missing"
    assert {each.id: each.secret for each in platform.clients.values()} == secrets
    assert platform.channels.keys() == {each.id for plan in plans for each in plan.channels}
    assert platform.connections == {
        (pair.client_id, pair.channel_id, kind)
        for plan in plans
        for pair in plan.pairs
        for kind in pair.types
    }


def _audit_halves(platform: SimulatedPlatform, found: list[Onboarding]) -> None:
    told = {left.id: left for each in found for left in each.leftovers}
    assert platform.halves.keys() <= told.keys(), "something half made is told nowhere"
    certain = {each.id for each in told.values() if each.certain}
    assert certain <= platform.halves.keys(), "something is told to be left that is not"


def _audit_certificates(platform: SimulatedPlatform, there: list[Onboarding]) -> None:
    wanted = {c.client_id: c for each in there for c in each.intent.certificates}
    for client_id in {each.client_id for each in platform.certificates.values()}:
        valid: list[Certificate] = certificates_in_force(platform, client_id)
        if client_id not in wanted:
            assert not valid, "a certificate outlived its client"
            continue
        assert wanted[client_id].serial in {each.serial for each in valid}, "it was revoked"
        # Magistrala may sign a request twice when its answer is lost; but never another key's.
        assert {each.certificate for each in valid} == {wanted[client_id].certificate}
