"""How long a request waits for another one's work on the same gateway: on virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine, update

from provision.onboarding.errors import GatewayExists, OnboardingNotFound, StillRunning
from provision.onboarding.model import Onboarding, OnExisting, State
from provision.onboarding.tables import onboardings as table
from tests.onboarding.stories import left_behind, make
from tests.onboarding.world import World, audit, onboardings, simulated

BOUND = 20.0
Ask = Callable[[World, Onboarding], Awaitable[object]]


def mapped(on_existing: OnExisting) -> Ask:
    async def ask(world: World, _: Onboarding) -> object:
        return await make(world, on_existing)

    return ask


async def removed(world: World, _: Onboarding) -> object:
    return await world.replicas[-1].remove(world.caller(), "gw-1")


async def undone(world: World, made: Onboarding) -> object:
    return await world.replicas[-1].service.undo(world.caller(), made.id)


async def repaired(world: World, made: Onboarding) -> object:
    return await world.replicas[-1].service.repair(world.caller(), made.id)


ASKS = [
    *(pytest.param(mapped(each), id=each.value) for each in OnExisting),
    pytest.param(removed, id="remove"),
    pytest.param(undone, id="undo"),
    pytest.param(repaired, id="repair by ID"),
]


def busy(world: World, made: Onboarding, seconds: float) -> asyncio.Future[Onboarding]:
    """Work on a gateway for so long, in this process."""
    return asyncio.ensure_future(world.replicas[-1].occupy(made, seconds))


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("lengths", [(90.0,), (15.0, 15.0)], ids=["one", "one after another"])
def test_all_of_the_waiting_is_bounded(
    database: Engine, ask: Ask, lengths: tuple[float, ...]
) -> None:
    @simulated
    async def story(world: World) -> None:
        world.start_replica()
        made = await make(world)
        others = [busy(world, made, seconds) for seconds in lengths]
        await asyncio.sleep(0.01)
        began = world.loop.time()
        with pytest.raises(StillRunning) as refused:
            await ask(world, made)
        assert BOUND - 0.2 < world.loop.time() - began < BOUND + 0.5
        assert refused.value.details == {"onboarding_id": made.id}
        (kept,) = onboardings(world.database)
        assert kept.state is State.DONE
        await asyncio.gather(*others)
        # Asked again, it is done at once; but one that may not be there is refused.
        with contextlib.suppress(GatewayExists):
            await ask(world, made)

    story(database)


@simulated
async def test_an_earlier_one_that_takes_long_to_finish_goes_on_without_the_request(
    world: World,
) -> None:
    await left_behind(world)
    replica = world.start_replica()
    await replica.stop_looking()
    await replica.leases.release_all()
    # Somebody may have called the platform a minute from now, by the clock of another machine.
    minute = timedelta(minutes=1)
    with world.database.begin() as connection:
        connection.execute(update(table).values(updated_at=world.clock.now() + minute))
    began = world.loop.time()
    with pytest.raises(StillRunning):
        await make(world)
    assert BOUND - 0.2 < world.loop.time() - began < BOUND + 0.5
    await world.come_to_rest(patience=100.0)
    audit(world)
    (row,) = onboardings(world.database)
    assert row.state is State.DONE


@simulated
async def test_a_removal_is_not_in_the_way_of_who_wants_to_finish_it(world: World) -> None:
    """The background takes what it is about to go on with in the moment of the request."""
    row = await left_behind(world)
    replica = world.start_replica()
    await replica.stop_looking()
    await replica.leases.release_all()
    (taken,) = await replica.due()
    assert taken.id == row.id
    removing = asyncio.ensure_future(replica.remove(world.caller(), row.external_id))
    await asyncio.sleep(0.5)
    began = world.loop.time()
    await replica.take_over(taken, began)
    removed_row = await removing
    assert world.loop.time() - began < BOUND / 2
    assert removed_row.state in (State.UNDOING, State.UNDONE)
    await world.come_to_rest()
    audit(world)


@simulated
async def test_what_is_forgotten_meanwhile_is_not_waited_for(world: World) -> None:
    """A row that another process had leased is taken out of the journal."""
    replica = world.start_replica()
    made = await make(world)
    await replica.stop_looking()
    assert await replica.leases.take(made.id)
    removing = asyncio.ensure_future(undone(world, made))
    await asyncio.sleep(1.0)
    with world.database.begin() as connection:
        connection.execute(update(table).values(id="another", place=None))
    began = world.loop.time()
    with pytest.raises(OnboardingNotFound):
        await removing
    assert world.loop.time() - began < 1.0
