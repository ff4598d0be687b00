"""A seeded simulation of several replicas: ``python -m tests.onboarding.simulation --schedules N``.

Everything that is left to chance (who asks what when, delays, losses, crashes, stops, the order of
transactions) comes from one seed, so that a failure replays: ``--seed S``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Sequence

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from provision.onboarding.errors import OnboardingError
from provision.onboarding.model import OnExisting
from provision.platform.errors import PlatformError
from tests.onboarding.simulated_platform import Faults
from tests.onboarding.world import OwnToken, Replica, World, audit, new_database, world

GATEWAYS = ("gw-1", "gw-2")
KEYS = ("key-1", "key-2")
ACTIONS = (*OnExisting, *[OnExisting.REUSE] * 3, "remove", "remove")
BATCH = 50


async def schedule(world: World) -> None:
    """Play one schedule, then let everything come to rest and audit it."""
    rng = world.rng
    if rng.random() < 0.5:
        world.own = OwnToken(world.platform.token(1e9))
    world.platform.faults = Faults(
        rng.choice((0.0, 0.05, 0.2, 0.5)), rng.choice((0.0, 0.1)), rng.choice((0.0, 0.3, 1.0))
    )
    for _ in range(rng.randint(1, 3)):
        world.start_replica()
    horizon = rng.choice((0.5, 5.0, 50.0))
    asking = [asyncio.create_task(_ask(world, horizon)) for _ in range(rng.randint(1, 8))]
    trouble = [asyncio.create_task(_trouble(world, horizon)) for _ in range(rng.randint(0, 4))]
    await asyncio.gather(*trouble)
    await asyncio.sleep(max(0.0, horizon - world.loop.time()))
    world.platform.faults = Faults()
    for replica in world.replicas:
        replica.engine.failure_rate = 0.0
    if all(replica.engine.dead for replica in world.replicas):
        world.start_replica()
    await asyncio.wait(asking)
    for each in asking:
        each.result()
    if world.own is None:
        # What waits for credentials goes on with those of any request to the domain.
        coming = asyncio.create_task(_come(world))
        try:
            await world.come_to_rest()
        finally:
            coming.cancel()
    else:
        await world.come_to_rest()
    audit(world)


async def _ask(world: World, horizon: float) -> None:
    """One person who asks for something at some time, and perhaps hangs up."""
    rng = world.rng
    await asyncio.sleep(rng.uniform(0.0, horizon))
    replica = rng.choice(world.replicas)
    if replica.engine.dead:
        return
    caller = world.caller(rng.choice((0.5, 5.0, 1e9, 1e9)))
    external_id, action = rng.choice(GATEWAYS), rng.choice(ACTIONS)
    if action == "remove":
        work = asyncio.ensure_future(replica.remove(caller, external_id))
    else:
        request = world.request(external_id, rng.choice(KEYS), OnExisting(action))
        work = asyncio.ensure_future(replica.submit(caller, request))
    patience = rng.uniform(0.0, 2.0) if rng.random() < 0.2 else 600.0
    await asyncio.wait([work], timeout=patience)
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError, OnboardingError, PlatformError, DBAPIError):
        await work


async def _trouble(world: World, horizon: float) -> None:
    """A process that dies, stops for a while, or whose store fails for a while."""
    rng = world.rng
    await asyncio.sleep(rng.uniform(0.0, horizon))
    replica = rng.choice(world.replicas)
    if rng.random() < 0.7:
        await _busy(world, replica, horizon)
    match rng.choice(("kill", "stop", "store")):
        case "kill":
            await _kill(world, replica)
        case "stop":
            replica.clock.frozen_until = world.loop.time() + rng.choice((2.0, 32.0, 60.0))
        case "store":
            replica.engine.failure_rate = rng.choice((0.1, 1.0))
            await asyncio.sleep(rng.uniform(0.0, 40.0))
            replica.engine.failure_rate = 0.0


async def _busy(world: World, replica: Replica, horizon: float) -> None:
    """Wait until the process works on something: that is when trouble tells."""
    while world.loop.time() < horizon and not replica.working:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await asyncio.sleep(world.rng.uniform(0.0, 0.5))


async def _kill(world: World, replica: Replica) -> None:
    if replica.engine.dead:
        return
    await replica.kill()
    await asyncio.sleep(world.rng.uniform(0.0, 3.0))
    reborn = world.start_replica()
    if sum(not each.engine.dead for each in world.replicas) == 1:
        with contextlib.suppress(DBAPIError):
            await reborn.leases.release_all()


async def _come(world: World) -> None:
    while True:
        await asyncio.sleep(5.0)
        for replica in world.replicas:
            if not replica.engine.dead:
                await replica.resume_with(world.caller())


def play(seed: int, database: Engine) -> str:
    """Play the schedule of a seed; return what went wrong, or nothing."""
    with capture_logs(), world(seed, database) as opened:
        try:
            opened.loop.run_until_complete(schedule(opened))
        except Exception:
            return traceback.format_exc()
    return ""


def play_all(seeds: Sequence[int]) -> dict[int, str]:
    """Play many schedules; return those that failed."""
    database = new_database()
    failed = {}
    for seed in seeds:
        if trace := play(seed, database):
            failed[seed] = trace
    database.dispose()
    return failed


def main(arguments: Sequence[str] | None = None) -> int:
    """Play schedules on all processors; the exit code tells whether all held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="replay this one")
    options = parser.parse_args(arguments)
    if options.seed is not None:
        seeds = range(options.seed, options.seed + 1)
    else:
        seeds = range(options.first, options.first + options.schedules)
    started = time.perf_counter()
    batches = [seeds[at : at + BATCH] for at in range(0, len(seeds), BATCH)]
    failed: dict[int, str] = {}
    workers = min(os.cpu_count() or 2, len(batches))
    # What is imported stays to the end: looking through it for garbage took a sixth of the time.
    with multiprocessing.get_context("spawn").Pool(workers, gc.freeze) as pool:
        for result in pool.imap_unordered(play_all, batches):
            failed |= result
    for seed, trace in sorted(failed.items())[:5]:
        sys.stdout.write(f"--- seed {seed}\n{trace}\n")
    seconds = time.perf_counter() - started
    sys.stdout.write(
        f"{len(seeds)} schedules in {seconds:.0f} s: {len(failed)} failed {sorted(failed)[:20]}\n"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
