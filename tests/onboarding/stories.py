"""What the stories on virtual time begin with."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

from attrs import evolve
from sqlalchemy import update

from bootstrap_core.model import Caller
from provision.layout.model import Layout
from provision.layout.reader import read
from provision.onboarding.model import Onboarding, OnExisting, State
from provision.onboarding.tables import onboardings as table
from tests.onboarding.simulated_store import rows
from tests.onboarding.world import LAYOUT, Replica, World, onboardings

PLAIN = read(
    """
[layout]
name = "plain"

[[clients]]
key = "one"
name = "{{ .ExternalID }}-one"

[[channels]]
key = "only"
name = "{{ .ExternalID }}-only"

[[channels]]
key = "apart"
name = "{{ .ExternalID }}-apart"

[[connections]]
clients = ["one"]
channels = ["only"]
""",
    file="plain.toml",
).layout


class Longest(random.Random):
    """Draws the longest pause each time."""

    def uniform(self, a: float, b: float, /) -> float:
        return b


async def make(
    world: World,
    on_existing: OnExisting = OnExisting.REUSE,
    layout: Layout = LAYOUT,
    external_id: str = "gw-1",
) -> Onboarding:
    """Ask the last process for a gateway."""
    request = evolve(world.request(external_id, "key-1", on_existing), layout=layout)
    return await world.replicas[-1].submit(world.caller(), request)


async def cut_short(world: World, caller: Caller | None = None) -> Onboarding:
    """Kill a process while it makes a gateway, start another, and return the row left behind."""
    row = await left_behind(world, caller)
    await start_again(world)
    return row


async def start_again(world: World) -> None:
    """Start a process; what others had leased is free."""
    reborn = world.start_replica()
    await reborn.leases.release_all()


async def left_behind(world: World, caller: Caller | None = None) -> Onboarding:
    """Kill a process while it makes a gateway, and return the row left behind."""
    first = world.start_replica()
    request = world.request("gw-1", "key-1")
    asking = asyncio.ensure_future(first.submit(caller or world.caller(), request))
    await until_there(world)
    await first.kill()
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    (row,) = onboardings(world.database)
    assert row.state is State.PLANNED
    return row


async def until_there(world: World) -> None:
    while not world.platform.clients:  # noqa: ASYNC110 - the platform tells nobody
        await asyncio.sleep(0.001)


async def hold(world: World) -> tuple[Replica, Replica, asyncio.Future[Onboarding]]:
    """Let a process stop in the middle of making a gateway; return it and another one."""
    stopped = world.start_replica()
    request = world.request("gw-1", "key-1")
    making = asyncio.ensure_future(stopped.submit(world.caller(), request))
    await until_there(world)
    stopped.clock.frozen_until = world.loop.time() + 1000.0
    return stopped, world.start_replica(), making


async def watch(world: World, seconds: float) -> list[Onboarding]:
    """Return what the only row was for so long, once for each attempt."""
    until = world.loop.time() + seconds
    seen: list[Onboarding] = []
    last: list[dict[str, Any]] = []
    while world.loop.time() < until:
        now = rows(world.database, "SELECT state, attempts FROM onboardings")
        if now != last:
            seen += onboardings(world.database)
        last = now
        await asyncio.sleep(1.0)
    return seen


async def held(world: World) -> tuple[Replica, Onboarding]:
    """Return a process that holds the lease of a gateway, and looks for no other work."""
    replica = world.start_replica()
    made = await make(world)
    await replica.stop_looking()
    row = await replica.leases.take(made.id)
    assert row is not None
    return replica, row


def steal(world: World, row: Onboarding) -> None:
    with world.database.begin() as connection:
        connection.execute(
            update(table).where(table.c.id == row.id).values(lease_owner="somebody else")
        )
