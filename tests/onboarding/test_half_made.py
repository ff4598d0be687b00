"""A platform that is cut off in the middle of a creation, and keeps its half: on virtual time."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve
from sqlalchemy import Engine
from structlog.testing import capture_logs

from provision.onboarding.errors import StepFailed, StillRunning
from provision.onboarding.model import OnExisting, State
from provision.platform import errors
from tests.onboarding.simulated_platform import CALL_TIMEOUT, Faults, Half
from tests.onboarding.stories import left_behind, make, start_again
from tests.onboarding.world import OwnToken, World, audit, onboardings, simulated
from tests.onboarding.world import world as new_world

CREATIONS = ["create_clients", "create_channels"]
HALVES = [Half.ROW, Half.TUPLES]


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("name", CREATIONS)
def test_a_new_gateway_is_made_whole_under_other_ids(
    database: Engine, name: str, half: Half
) -> None:
    @simulated
    async def story(world: World) -> None:
        world.start_replica()
        world.platform.cut_short[name] = half

        done = await make(world)

        assert done.state is State.DONE
        assert done.created_ids.isdisjoint(world.platform.halves)
        (row,) = onboardings(world.database)
        assert {each.id for each in row.leftovers} == world.platform.halves.keys()
        assert all(each.certain for each in row.leftovers)
        trail = await world.replicas[-1].parts.audit.list(row.domain_id, "gw-1", 0, 10)
        (fresh,) = [each for each in trail.items if each.outcome == "with other IDs"]
        assert all(each in fresh.message for each in world.platform.halves)
        audit(world)

    story(database)


@pytest.mark.parametrize("half", HALVES)
def test_what_a_crash_left_half_made_is_finished_under_other_ids(
    database: Engine, half: Half
) -> None:
    @simulated
    async def story(world: World) -> None:
        world.own = OwnToken(world.platform.token(1e9))
        row = await _cut_off_by_a_crash(world, half)
        await start_again(world)
        await world.come_to_rest()

        (done,) = onboardings(world.database)
        assert (done.id, done.state) == (row.id, State.DONE)
        assert {each.id for each in done.leftovers} == world.platform.halves.keys()
        audit(world)

    story(database)


@pytest.mark.parametrize("half", HALVES)
def test_what_a_crash_left_half_made_can_be_removed_and_is_told(
    database: Engine, half: Half
) -> None:
    @simulated
    async def story(world: World) -> None:
        await _cut_off_by_a_crash(world, half)
        # Nobody has credentials for it until somebody asks for its removal.
        await start_again(world)
        await asyncio.sleep(20.0)
        service = world.replicas[-1].service
        removed = await service.remove(world.caller(), "gw-1")
        await world.come_to_rest()

        assert removed.state in (State.UNDOING, State.UNDONE)
        (row,) = onboardings(world.database)
        assert row.state is State.UNDONE
        assert world.platform.halves.keys() <= {each.id for each in row.leftovers}
        audit(world)

    story(database)


async def _cut_off_by_a_crash(world: World, half: Half) -> object:
    """Kill the process while channels are created, of which the platform keeps the half."""
    world.platform.late.add("create_channels")
    world.platform.cut_short["create_channels"] = half
    row = await left_behind(world, world.caller(5.5))
    world.platform.late.clear()
    await asyncio.sleep(6.0)
    assert world.platform.halves
    return row


@simulated
async def test_what_got_no_answer_and_is_not_there_may_be_left(world: World) -> None:
    world.start_replica()
    world.platform.failing["create_channels"] = errors.TimedOut()
    with pytest.raises(StepFailed) as caught:
        await make(world)
    await world.come_to_rest()
    (row,) = onboardings(world.database)
    assert row.state is State.UNDONE
    assert {each.id for each in row.leftovers} == {each.id for each in row.plan.channels}
    assert not any(each.certain for each in row.leftovers)
    assert caught.value.details["leftovers"] == [
        {"kind": "channel", "id": each.id, "certain": False} for each in row.plan.channels
    ]


@simulated
async def test_a_gateway_that_was_whole_is_replaced_where_a_repair_made_a_half(
    world: World,
) -> None:
    world.start_replica()
    made = await make(world)
    lost = made.plan.channels[0].id
    await asyncio.sleep(5.0)
    del world.platform.channels[lost]
    world.platform.connections = {each for each in world.platform.connections if each[1] != lost}
    world.platform.cut_short["create_channels"] = Half.ROW

    with pytest.raises(StepFailed) as caught:
        await make(world, OnExisting.REPAIR)

    assert (caught.value.status, caught.value.code) == (502, "half_made_on_platform")
    assert lost in caught.value.message
    assert 'on_existing "replace"' in caught.value.message
    assert caught.value.details["leftovers"] == [{"kind": "channel", "id": lost, "certain": True}]
    replaced = await make(world, OnExisting.REPLACE)
    assert replaced.state is State.DONE
    await world.come_to_rest()
    audit(world)


@simulated
async def test_what_the_administrator_removed_can_be_made_and_is_left_no_more(
    world: World,
) -> None:
    world.start_replica()
    made = await make(world)
    lost = made.plan.channels[0].id
    await asyncio.sleep(5.0)
    del world.platform.channels[lost]
    world.platform.connections = {each for each in world.platform.connections if each[1] != lost}
    world.platform.cut_short["create_channels"] = Half.ROW
    with pytest.raises(StepFailed):
        await make(world, OnExisting.REPAIR)
    world.platform.halves.clear()

    repaired = await make(world, OnExisting.REPAIR)

    assert repaired.leftovers == ()
    audit(world)


@simulated
async def test_a_half_that_only_shows_itself_by_its_id_counts_as_gone_in_a_removal(
    world: World,
) -> None:
    world.start_replica()
    made = await make(world)
    channel = made.plan.channels[0]
    await asyncio.sleep(60.0)
    # As if its roles had never been written.
    world.platform.halves[channel.id] = (world.platform.channels.pop(channel.id), Half.TUPLES)

    removed = await world.replicas[-1].remove(world.caller(), "gw-1")

    assert removed.state is State.UNDONE
    assert [(each.id, each.certain) for each in removed.leftovers] == [(channel.id, True)]
    audit(world)


@simulated
async def test_what_the_asker_could_not_see_is_not_called_half_made(world: World) -> None:
    world.own = OwnToken(world.platform.token(1e9))
    world.platform.actions = frozenset({"read"})
    await _cut_off_by_a_crash(world, Half.ROW)
    await start_again(world)
    await asyncio.sleep(60.0)
    (row,) = onboardings(world.database)
    assert (row.state, row.error_code) == (State.STUCK, "not_permitted")
    world.platform.actions = None
    await world.come_to_rest()
    audit(world)


@simulated
async def test_a_route_that_another_channel_has_is_no_half(world: World) -> None:
    world.start_replica()
    world.platform.failing["create_channels"] = errors.RouteTaken()
    with pytest.raises(StepFailed) as caught:
        await make(world)
    assert (caught.value.status, caught.value.code) == (409, "already_exists")


@simulated
async def test_halves_of_several_starts_are_all_told(world: World) -> None:
    world.start_replica()
    world.platform.faults = Faults(rate=0.6, halves=1.0)
    for _ in range(4):
        try:
            await make(world)
        except (StepFailed, StillRunning):
            continue
        break
    world.platform.faults = evolve(world.platform.faults, rate=0.0)
    await world.come_to_rest()
    audit(world)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", CREATIONS)
def test_a_creation_that_arrives_late_finds_its_gateway_and_not_the_gap_that_it_left(
    database: Engine, name: str, seed: int
) -> None:
    async def story(world: World) -> None:
        world.start_replica()
        world.platform.late.add(name)
        world.platform.faults = Faults(halves=1.0)
        making = asyncio.ensure_future(make(world))
        await asyncio.sleep(CALL_TIMEOUT + 0.01)
        # The first call got no answer and is on its way; the second one makes it.
        world.platform.late.clear()
        await making

        await world.replicas[-1].parts.onboardings.remove(world.caller(), "gw-1")
        await world.come_to_rest()

        assert not world.platform.halves
        audit(world)

    with capture_logs(), new_world(seed, database) as opened:
        opened.loop.run_until_complete(story(opened))
