"""Rows that are taken over, by whom and when it is no longer needed: on virtual time."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from provision.onboarding.errors import StillRunning
from provision.onboarding.model import OnExisting, State
from tests.onboarding.stories import cut_short, held, make, steal
from tests.onboarding.world import World, audit, onboardings, simulated


@simulated
@pytest.mark.slow
async def test_a_gateway_that_somebody_works_on_is_not_replaced(world: World) -> None:
    replica, row = await held(world)
    holding = asyncio.ensure_future(replica.hold(row, lambda _: asyncio.sleep(60.0)))
    began = world.loop.time()
    with pytest.raises(StillRunning):
        await make(world, OnExisting.REPLACE)
    assert 20.0 <= world.loop.time() - began < 25.0
    assert [each.id for each in onboardings(world.database)] == [row.id]
    await holding
    await replica.leases.release(row)
    assert (await make(world, OnExisting.REPLACE)).replaces == row.id


@simulated
async def test_what_is_no_longer_there_is_not_repaired_and_its_lease_let_go(
    world: World,
) -> None:
    replica = world.start_replica()
    made = await make(world)
    await replica.remove(world.caller(), "gw-1")
    with pytest.raises(StillRunning) as caught:
        await replica.repair(world.caller(), made)
    assert caught.value.details == {"onboarding_id": made.id}
    assert await replica.leases.take(made.id) is not None


@simulated
async def test_at_most_sixteen_gateways_are_taken_over_at_once(world: World) -> None:
    first = world.start_replica()
    requests = [world.request(f"gw-{number}", "key-1") for number in range(20)]
    asking = [asyncio.ensure_future(first.submit(world.caller(), each)) for each in requests]
    await asyncio.sleep(0.15)
    await first.kill()
    await asyncio.wait(asking)
    left = [each for each in onboardings(world.database) if not each.state.is_at_rest]
    assert len(left) > 16
    reborn = world.start_replica()
    await reborn.leases.release_all()
    most = 0
    while world.unrest():
        most = max(most, reborn.working)
        await asyncio.sleep(0.05)
    assert most == 16
    audit(world)


@simulated
async def test_what_has_ended_since_it_was_seen_is_left_as_it_is(world: World) -> None:
    seen = await cut_short(world)
    await world.come_to_rest()
    replica, effects = world.replicas[-1], world.platform.effects
    for _ in range(2):
        after = await replica.go_on(world.caller(), seen)
        assert after is not None
        assert after.state is State.DONE
        assert world.platform.effects == effects
    await world.replicas[-1].remove(world.caller(), "gw-1")
    effects = world.platform.effects
    after = await replica.go_on(world.caller(), seen)
    assert after is not None
    assert after.state is State.UNDONE
    assert world.platform.effects == effects
    removed = await replica.remove_seen(world.caller(), seen)
    assert removed.state is State.UNDONE
    assert world.platform.effects == effects
    assert await world.replicas[-1].leases.take(seen.id) is not None


@simulated
async def test_what_was_lost_while_it_waited_is_not_gone_on_with(world: World) -> None:
    replica, row = await held(world)
    leased_at = replica.clock.monotonic()
    await asyncio.sleep(2.0)
    steal(world, row)
    asked = dict(world.platform.asked)
    await replica.take_over(row, leased_at)
    assert dict(world.platform.asked) == asked


@simulated
async def test_a_replaced_gateway_that_is_taken_meanwhile_is_left_to_its_taker(
    world: World,
) -> None:
    replica = world.start_replica()
    old = await make(world)
    replacing = asyncio.ensure_future(make(world, OnExisting.REPLACE))
    while len(onboardings(world.database)) < 2:  # noqa: ASYNC110 - the journal tells nobody
        await asyncio.sleep(0.001)
    taken = await replica.leases.take(old.id)
    assert taken is not None
    assert (await replacing).replaces == old.id
    await asyncio.sleep(5.0)
    states = {each.id: each.state for each in onboardings(world.database)}
    assert states[old.id] is State.UNDOING
    await replica.leases.release(taken)
    await world.come_to_rest()
    audit(world)


@simulated
async def test_a_replacement_that_was_cut_short_is_finished_and_the_old_gateway_removed(
    world: World,
) -> None:
    replica = world.start_replica()
    old = await make(world)
    asked = world.platform.asked["connect"]
    replacing = asyncio.ensure_future(make(world, OnExisting.REPLACE))
    while world.platform.asked["connect"] == asked:  # noqa: ASYNC110 - the platform tells nobody
        await asyncio.sleep(0.001)
    await replica.kill()
    with contextlib.suppress(asyncio.CancelledError):
        await replacing
    await world.start_replica().leases.release_all()
    await world.come_to_rest()
    states = {each.replaces: each.state for each in onboardings(world.database)}
    assert states == {None: State.UNDONE, old.id: State.DONE}
    audit(world)


@simulated
async def test_when_it_ended_is_written_down(world: World) -> None:
    replica = world.start_replica()
    made = await make(world)
    (row,) = onboardings(world.database)
    assert row.finished_at
    assert 0.0 <= (row.finished_at - made.created_at).total_seconds() <= world.loop.time()
    await asyncio.sleep(60.0)
    await replica.remove(world.caller(), "gw-1")
    (undone,) = onboardings(world.database)
    assert undone.finished_at
    assert (undone.finished_at - row.finished_at).total_seconds() >= 60.0
    assert undone.created_at == row.created_at


@simulated
async def test_who_has_nothing_to_do_looks_for_work_every_few_seconds(world: World) -> None:
    replica = world.start_replica()
    await make(world)
    opened = replica.engine.opened
    await asyncio.sleep(600.0)
    # Every five seconds or so, and two reads each time.
    assert 150 <= replica.engine.opened - opened <= 350
