"""Leases, and work under them: on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError

from bootstrap_core.secrets import Secret
from provision.onboarding.errors import LeaseLost, StepFailed
from provision.onboarding.leases import LEASE, Lease, LeasedAuthority, LeasedPlatform
from provision.onboarding.model import State
from provision.onboarding.tables import onboardings as table
from provision.platform import errors
from provision.platform.types import Certificate, Client, Domain
from tests.onboarding.simulated_store import SimulatedConnection, rows
from tests.onboarding.stories import held, hold, left_behind, make, start_again, steal
from tests.onboarding.world import DOMAIN, TIMING, World, audit, onboardings, simulated


def idle(seconds: float) -> Callable[[Lease], Awaitable[None]]:
    """Return work that takes so long."""

    async def work(_: Lease) -> None:
        await asyncio.sleep(seconds)

    return work


@simulated
async def test_leases_last_thirty_seconds_and_belong_to_one(world: World) -> None:
    replica = world.start_replica()
    made = await make(world)
    leases = replica.leases
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
    assert not other.working
    while onboardings(world.database)[0].state is not State.DONE:
        await asyncio.sleep(0.5)
        # At most 15 seconds after the end of the lease.
        assert world.loop.time() - began < 45.0
    assert world.loop.time() - began > 30.0 + TIMING.settled_after
    stopped.clock.frozen_until = 0.0
    making.cancel()


@simulated
async def test_work_of_any_length_keeps_its_lease_and_lets_it_go(world: World) -> None:
    replica, row = await held(world)

    async def work(_: Lease) -> None:
        for _ in range(50):
            await asyncio.sleep(5.0)
            assert await replica.leases.take(row.id) is None
        await replica.leases.release(row)

    await replica.hold(row, work)
    assert await replica.leases.take(row.id) is not None


@simulated
async def test_work_whose_lease_is_lost_is_cut_short(world: World) -> None:
    replica, row = await held(world)
    ended: list[str] = []

    async def work(_: Lease) -> None:
        try:
            await asyncio.sleep(1000.0)
        finally:
            ended.append("cut short")

    began = world.loop.time()
    steal(world, row)
    with pytest.raises(LeaseLost):
        await replica.hold(row, work)
    assert ended == ["cut short"]
    assert 10.0 < world.loop.time() - began < 13.0


@simulated
async def test_work_that_ends_as_its_lease_is_lost_has_ended(world: World) -> None:
    replica, row = await held(world)
    steal(world, row)
    await replica.hold(row, idle(10.5))
    with pytest.raises(errors.Rejected):
        await replica.hold(row, _fail)


async def _fail(_: Lease) -> None:
    raise errors.Rejected


@simulated
async def test_who_is_cut_off_lets_the_lease_go(world: World) -> None:
    replica, row = await held(world)
    running = asyncio.ensure_future(replica.hold(row, idle(1000.0)))
    await asyncio.sleep(1.0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await replica.leases.take(row.id) is not None


@simulated
async def test_work_that_fails_gives_the_lease_back(world: World) -> None:
    replica, row = await held(world)
    began = world.loop.time()
    with pytest.raises(errors.Rejected):
        await replica.hold(row, _fail)
    assert await replica.leases.take(row.id) is not None
    assert world.loop.time() - began < 1.0


@simulated
async def test_an_onboarding_whose_undoing_can_not_begin_is_taken_over_at_once(
    world: World,
) -> None:
    """The store fails when what was made is to be undone, and is there again a moment later."""
    replica = world.start_replica()
    await replica.stop_looking()
    world.platform.failing["connect"] = errors.Rejected()
    making = asyncio.ensure_future(make(world))
    while not world.platform.asked["connect"]:  # noqa: ASYNC110 - the platform tells nobody
        await asyncio.sleep(0.001)
    execute = SimulatedConnection.execute
    failures = iter([OperationalError("UPDATE", {}, Exception("database is locked"))])

    async def fail_once(self: SimulatedConnection, statement: Any, values: Any = None) -> Any:
        if failure := next(failures, None):
            raise failure
        return await execute(self, statement, values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SimulatedConnection, "execute", fail_once)
        with pytest.raises(StepFailed, match="it is tried again in the background"):
            await making
    await replica.tick()
    (row,) = onboardings(world.database)
    assert row.state is State.UNDONE
    assert world.loop.time() < LEASE.total_seconds()
    audit(world)


@simulated
async def test_a_lease_that_can_not_be_let_go_ends_by_itself(world: World) -> None:
    replica, row = await held(world)
    running = asyncio.ensure_future(replica.hold(row, idle(1000.0)))
    await asyncio.sleep(1.0)
    replica.engine.failure_rate = 1.0
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    replica.engine.failure_rate = 0.0
    assert await replica.leases.take(row.id) is None
    await asyncio.sleep(31.0)
    assert await replica.leases.take(row.id) is not None


@simulated
async def test_a_store_that_fails_for_a_while_costs_no_lease_and_for_long_all_work(
    world: World,
) -> None:
    replica, row = await held(world)
    went_well: list[float] = []
    began = world.loop.time()

    async def work(lease: Lease) -> None:
        platform = LeasedPlatform(cast("Any", replica.wire), lease)
        while world.loop.time() - began < 200.0:
            await asyncio.sleep(1.0)
            await platform.view_domain(world.caller().token, DOMAIN)
            went_well.append(world.loop.time() - began)

    replica.engine.failure_rate = 1.0
    running = asyncio.ensure_future(replica.hold(row, work))
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
async def test_every_call_takes_what_type_checks_while_the_lease_is_held(world: World) -> None:
    replica = world.start_replica()
    made = await make(world)
    token, client_id = world.caller().token, made.plan.clients[0].id
    lease = Lease(replica.clock, world.loop.time() + 30.0)
    platform = LeasedPlatform(cast("Any", replica.wire), lease)
    authority = LeasedAuthority(cast("Any", replica.wire), lease)

    async def ask() -> tuple[Domain, Client, str, Sequence[Certificate]]:
        return (
            await platform.view_domain(token, domain_id=DOMAIN),
            await platform.clients.view(token=token, domain_id=DOMAIN, entity_id=client_id),
            await authority.chain(),
            await authority.list_certificates(token, DOMAIN, client_id=client_id),
        )

    domain, client, chain, certificates = await ask()
    assert (domain.id, client.id, chain) == (DOMAIN, client_id, world.platform.chain)
    assert len(certificates) == 1
    await asyncio.sleep(26.0)
    for call in (
        platform.view_domain(token, domain_id=DOMAIN),
        platform.clients.update_secret(token, DOMAIN, client_id, Secret("s")),
        platform.channels.delete(token, DOMAIN, made.plan.channels[0].id),
        authority.revoke_certificate(token, DOMAIN, serial=certificates[0].serial),
    ):
        with pytest.raises(LeaseLost):
            await call


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
    row = await left_behind(world)
    whole: dict[str, Any] = rows(world.database, "SELECT intent FROM onboardings")[0]
    with world.database.begin() as connection:
        connection.execute(update(table).values(intent="unreadable"))
    await start_again(world)
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
    assert await world.replicas[-1].leases.take(row.id) is None
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
        await replica.hold(row, idle(1000.0))
    assert 25.0 <= world.loop.time() - began < 33.0
