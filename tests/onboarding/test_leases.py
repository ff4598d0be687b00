"""Leases, and work under them: on virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import update

from provision.onboarding.errors import LeaseLost, StillRunning
from provision.onboarding.holding import Holding, guarded
from provision.onboarding.model import Onboarding, State
from provision.onboarding.service import OnExisting
from provision.onboarding.tables import onboardings as table
from provision.platform import errors
from tests.onboarding.simulated_store import rows
from tests.onboarding.stories import cut_short, hold, make
from tests.onboarding.world import DOMAIN, TIMING, Replica, World, audit, onboardings, simulated


@simulated
async def test_leases_last_thirty_seconds_and_belong_to_one(world: World) -> None:
    replica = world.start_replica()
    made = await make(world)
    leases = replica.parts.leases
    held = await leases.take(made.id)
    assert held is not None
    assert await leases.take(made.id) is None
    await asyncio.sleep(20.0)
    assert await leases.renew(held)
    await asyncio.sleep(29.0)
    assert await leases.take(made.id) is None
    await asyncio.sleep(2.0)
    other = await leases.take(made.id)
    assert other is not None
    assert other.lease != held.lease
    assert not await leases.renew(held)
    await leases.release(held)
    assert await leases.take(made.id) is None
    await leases.release(other)
    assert await leases.take(made.id) is not None


@simulated
async def test_a_lease_that_nobody_renews_is_taken_over_after_thirty_seconds(
    world: World,
) -> None:
    stopped, other, making = await hold(world)
    began = world.loop.time()
    await asyncio.sleep(28.0)
    assert not other.parts.worker.tasks.count
    while onboardings(world.database)[0].state is not State.DONE:
        await asyncio.sleep(0.5)
        assert world.loop.time() - began < 60.0
    assert world.loop.time() - began > 30.0 + TIMING.settled_after
    stopped.clock.frozen_until = 0.0
    making.cancel()


async def held(world: World) -> tuple[Replica, Onboarding]:
    """Return a process that holds the lease of a gateway, and looks for no other work."""
    replica = world.start_replica()
    made = await make(world)
    await replica.parts.reconciler.stop()
    row = await replica.parts.leases.take(made.id)
    assert row is not None
    return replica, row


def steal(world: World, row: Onboarding) -> None:
    with world.database.begin() as connection:
        connection.execute(
            update(table).where(table.c.id == row.id).values(lease_owner="somebody else")
        )


@simulated
async def test_work_of_any_length_keeps_its_lease_and_lets_it_go(world: World) -> None:
    replica, row = await held(world)

    async def work() -> None:
        for _ in range(50):
            await asyncio.sleep(5.0)
            assert await replica.parts.leases.take(row.id) is None
        await replica.parts.leases.release(row)

    await Holding(replica.parts.leases, replica.clock).run(row, work())
    assert await replica.parts.leases.take(row.id) is not None


@simulated
async def test_work_whose_lease_is_lost_is_cut_short(world: World) -> None:
    replica, row = await held(world)
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(1000.0)
        finally:
            ended.append("cut short")

    began = world.loop.time()
    steal(world, row)
    with pytest.raises(LeaseLost):
        await Holding(replica.parts.leases, replica.clock).run(row, work())
    assert ended == ["cut short"]
    assert 10.0 < world.loop.time() - began < 13.0


@simulated
async def test_work_that_ends_as_its_lease_is_lost_has_ended(world: World) -> None:
    replica, row = await held(world)
    steal(world, row)
    await Holding(replica.parts.leases, replica.clock).run(row, asyncio.sleep(10.5))
    with pytest.raises(errors.Rejected):
        await Holding(replica.parts.leases, replica.clock).run(row, _fail())


async def _fail() -> None:
    raise errors.Rejected


@simulated
async def test_who_is_cut_off_lets_the_lease_go(world: World) -> None:
    replica, row = await held(world)
    holding = Holding(replica.parts.leases, replica.clock)
    running = asyncio.ensure_future(holding.run(row, asyncio.sleep(1000.0)))
    await asyncio.sleep(1.0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await replica.parts.leases.take(row.id) is not None


@simulated
async def test_a_lease_that_can_not_be_let_go_ends_by_itself(world: World) -> None:
    replica, row = await held(world)
    holding = Holding(replica.parts.leases, replica.clock)
    running = asyncio.ensure_future(holding.run(row, asyncio.sleep(1000.0)))
    await asyncio.sleep(1.0)
    replica.engine.failure_rate = 1.0
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    replica.engine.failure_rate = 0.0
    assert await replica.parts.leases.take(row.id) is None
    await asyncio.sleep(31.0)
    assert await replica.parts.leases.take(row.id) is not None


@simulated
async def test_a_store_that_fails_for_a_while_costs_no_lease_and_for_long_all_work(
    world: World,
) -> None:
    replica, row = await held(world)
    platform = guarded(replica.wire, replica.clock)
    went_well: list[float] = []
    began = world.loop.time()

    async def work(until: float) -> None:
        while world.loop.time() - began < until:
            await asyncio.sleep(1.0)
            await platform.view_domain(world.caller().token, DOMAIN)
            went_well.append(world.loop.time() - began)

    holding = Holding(replica.parts.leases, replica.clock)
    replica.engine.failure_rate = 1.0
    running = asyncio.ensure_future(holding.run(row, work(200.0)))
    await asyncio.sleep(12.0)
    replica.engine.failure_rate = 0.0
    await asyncio.sleep(34.0)
    assert not running.done()
    replica.engine.failure_rate = 1.0
    with pytest.raises(LeaseLost):
        await running
    # The lease was renewed at 40 seconds for the last time; it is trusted until 5 before its end.
    assert 63.0 < went_well[-1] < 66.0
    assert world.loop.time() - began < 68.0


@simulated
async def test_calls_without_a_lease_pass(world: World) -> None:
    replica = world.start_replica()
    await asyncio.sleep(1000.0)
    platform = guarded(replica.wire, replica.clock)
    assert (await platform.view_domain(world.caller().token, DOMAIN)).id == DOMAIN


@simulated
async def test_a_process_that_was_stopped_makes_no_call_once_another_went_on(
    world: World,
) -> None:
    stopped, _, making = await hold(world)
    stopped.clock.frozen_until = world.loop.time() + 100.0
    await asyncio.sleep(99.0)
    assert onboardings(world.database)[0].state is State.DONE
    effects = world.platform.effects
    with pytest.raises(LeaseLost):
        await making
    assert world.platform.effects == effects
    audit(world)


@simulated
async def test_a_row_that_can_not_be_read_is_set_aside_and_holds_up_no_other(
    world: World,
) -> None:
    row = await cut_short(world)
    whole: dict[str, Any] = rows(world.database, "SELECT intent FROM onboardings")[0]
    with world.database.begin() as connection:
        connection.execute(update(table).values(intent="unreadable"))
    await asyncio.sleep(20.0)
    (seen,) = rows(
        world.database,
        "SELECT state, error_code, error_message, lease_owner, lease_until FROM onboardings",
    )
    assert seen["state"] == "stuck"
    assert seen["error_code"]
    assert seen["error_message"]
    assert seen["lease_owner"] is seen["lease_until"] is None
    with world.database.begin() as connection:
        connection.execute(update(table).values(intent=whole["intent"]))
    await asyncio.sleep(270.0)
    assert onboardings(world.database)[0].state is State.STUCK
    await asyncio.sleep(60.0)
    assert onboardings(world.database)[0].state is State.DONE
    with world.database.begin() as connection:
        connection.execute(update(table).values(intent="unreadable"))
    assert await world.replicas[-1].parts.leases.take(row.id) is None
    (seen,) = rows(world.database, "SELECT state, error_code FROM onboardings")
    assert seen == {"state": "done", "error_code": ""}


@simulated
async def test_work_that_makes_no_call_ends_when_its_lease_can_not_be_renewed(
    world: World,
) -> None:
    replica, row = await held(world)
    replica.engine.failure_rate = 1.0
    began = world.loop.time()
    with pytest.raises(LeaseLost):
        await Holding(replica.parts.leases, replica.clock).run(row, asyncio.sleep(1000.0))
    assert 25.0 <= world.loop.time() - began < 33.0


@simulated
async def test_a_gateway_that_somebody_works_on_is_not_replaced(world: World) -> None:
    replica, row = await held(world)
    holding = asyncio.ensure_future(
        Holding(replica.parts.leases, replica.clock).run(row, asyncio.sleep(60.0))
    )
    began = world.loop.time()
    with pytest.raises(StillRunning):
        await make(world, OnExisting.REPLACE)
    assert 20.0 <= world.loop.time() - began < 25.0
    assert [each.id for each in onboardings(world.database)] == [row.id]
    await holding
    await replica.parts.leases.release(row)
    assert (await make(world, OnExisting.REPLACE)).replaces == row.id


@simulated
async def test_what_is_no_longer_there_is_not_repaired_and_its_lease_let_go(
    world: World,
) -> None:
    replica = world.start_replica()
    made = await make(world)
    await replica.parts.onboardings.remove(world.caller(), "gw-1")
    with pytest.raises(StillRunning) as caught:
        await replica.parts.worker.repair(made, world.caller())
    assert caught.value.details == {"onboarding_id": made.id}
    assert await replica.parts.leases.take(made.id) is not None


@simulated
async def test_at_most_sixteen_gateways_are_taken_over_at_once(world: World) -> None:
    first = world.start_replica()
    requests = [world.request(f"gw-{number}", "key-1") for number in range(20)]
    asking = [
        asyncio.ensure_future(first.parts.onboardings.map(world.caller(), each))
        for each in requests
    ]
    await asyncio.sleep(0.15)
    await first.kill()
    await asyncio.wait(asking)
    left = [each for each in onboardings(world.database) if not each.state.is_at_rest]
    assert len(left) > 16
    reborn = world.start_replica()
    await reborn.parts.leases.release_all()
    most = 0
    while world.unrest():
        most = max(most, reborn.parts.worker.tasks.count)
        await asyncio.sleep(0.05)
    assert most == 16
    audit(world)
