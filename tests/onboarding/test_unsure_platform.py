"""A platform whose answers are lost, or that shows late what it has: on virtual time."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Engine

from provision.onboarding.errors import StepFailed
from provision.onboarding.model import OnExisting, State
from provision.platform import errors
from tests.onboarding.simulated_platform import Faults
from tests.onboarding.stories import cut_short, make
from tests.onboarding.world import TIMING, OwnToken, World, audit, onboardings, simulated


@simulated
async def test_a_rotation_whose_answers_are_lost_is_one_all_the_same(world: World) -> None:
    world.start_replica()
    before = await make(world)
    world.platform.unanswered |= {"update_client_secret", "sign"}
    after = await make(world, OnExisting.ROTATE)
    assert after.plan.clients[0].secret != before.plan.clients[0].secret
    assert world.platform.asked["update_client_secret"] == len(after.plan.clients)
    audit(world)


@pytest.mark.parametrize("error", [errors.TimedOut(), errors.AlreadyExists()])
def test_secrets_that_can_not_be_set_are_tried_thrice_and_then_later(
    database: Engine, error: errors.PlatformError
) -> None:
    @simulated
    async def story(world: World) -> None:
        world.start_replica()
        await make(world)
        world.platform.failing["update_client_secret"] = error
        with pytest.raises(StepFailed) as caught:
            await make(world, OnExisting.ROTATE)
        assert world.platform.asked["update_client_secret"] == 3 * 2
        assert caught.value.details["aftermath"] == "it is tried again in the background"
        assert caught.value.details["state"] == "planned"
        del world.platform.failing["update_client_secret"]
        await world.come_to_rest()
        audit(world)

    story(database)


@simulated
async def test_secrets_that_are_refused_are_not_asked_for_again(world: World) -> None:
    world.start_replica()
    await make(world)
    world.platform.failing["update_client_secret"] = errors.Rejected()
    with pytest.raises(StepFailed):
        await make(world, OnExisting.ROTATE)
    assert world.platform.asked["update_client_secret"] == 2
    del world.platform.failing["update_client_secret"]
    await world.come_to_rest()
    audit(world)


@simulated
async def test_certificates_that_are_gone_need_no_revoking(world: World) -> None:
    world.start_replica()
    made = await make(world)
    world.platform.failing["revoke_certificate"] = errors.NotFound()
    rotated = await make(world, OnExisting.ROTATE)
    assert rotated.state is State.DONE
    assert rotated.intent.certificates != made.intent.certificates


@pytest.mark.parametrize("name", ["create_clients", "create_channels", "connect", "sign"])
def test_what_was_done_though_nobody_learned_of_it_is_ours(database: Engine, name: str) -> None:
    @simulated
    async def story(world: World) -> None:
        world.start_replica()
        world.platform.unanswered.add(name)
        assert (await make(world)).state is State.DONE
        assert world.platform.asked[name] == (2 if name == "connect" else 1)
        assert not world.platform.asked["disconnect"]
        world.platform.unanswered.clear()
        await world.come_to_rest()
        audit(world)

    story(database)


@pytest.mark.parametrize("name", ["create_clients", "create_channels", "connect", "sign"])
def test_what_gets_no_answer_is_tried_thrice(database: Engine, name: str) -> None:
    @simulated
    async def story(world: World) -> None:
        world.start_replica()
        world.platform.failing[name] = errors.TimedOut()
        with pytest.raises(StepFailed) as caught:
            await make(world)
        assert (caught.value.status, caught.value.code) == (504, "platform_timed_out")
        groups = 2 if name == "connect" else 1
        assert world.platform.asked[name] == 3 * groups
        # Until it is settled what became of the calls, they may still take effect.
        assert onboardings(world.database)[0].state is State.UNDOING
        began = world.loop.time()
        await world.come_to_rest()
        assert world.loop.time() - began >= TIMING.settled_after - TIMING.answer_after
        audit(world)

    story(database)


@pytest.mark.parametrize("name", ["create_clients", "create_channels", "connect", "sign"])
def test_what_is_refused_is_tried_once_and_undone_at_once(database: Engine, name: str) -> None:
    @simulated
    async def story(world: World) -> None:
        world.start_replica()
        world.platform.failing[name] = errors.Rejected()
        with pytest.raises(StepFailed) as caught:
            await make(world)
        assert caught.value.details["state"] == "undone"
        assert world.platform.asked[name] == (2 if name == "connect" else 1)
        assert world.loop.time() < TIMING.answer_after
        audit(world)

    story(database)


@simulated
async def test_what_was_never_asked_for_is_not_removed(world: World) -> None:
    world.start_replica()
    world.platform.failing |= {
        "create_clients": errors.Rejected(),
        "create_channels": errors.Unavailable(),
    }
    with pytest.raises(StepFailed):
        await make(world)
    assert not world.platform.asked["delete_client"]
    assert not world.platform.asked["delete_channel"]
    assert not world.platform.asked["revoke_client_certificates"]


@simulated
async def test_what_is_overloaded_may_have_been_done(world: World) -> None:
    world.start_replica()
    world.platform.failing["create_clients"] = errors.Overloaded()
    with pytest.raises(StepFailed):
        await make(world)
    assert world.platform.asked["create_clients"] == 1
    assert world.platform.asked["delete_client"] > 0


@simulated
async def test_what_is_taken_is_waited_for_until_it_must_be_visible(world: World) -> None:
    world.start_replica()
    world.platform.failing["create_clients"] = errors.AlreadyExists()
    with pytest.raises(StepFailed) as caught:
        await make(world)
    # What was never made before is not taken: it is the platform that is not well.
    assert (caught.value.status, caught.value.code) == (502, "half_made_on_platform")
    assert world.platform.asked["create_clients"] == 3 * 2
    once = 2 * TIMING.visible_after + TIMING.settled_after
    assert 2 * once <= world.loop.time() < 2 * once + 5.0


@simulated
async def test_what_stays_invisible_is_connected_in_vain(world: World) -> None:
    world.start_replica()
    world.platform.failing["connect"] = errors.NotFound()
    with pytest.raises(StepFailed) as caught:
        await make(world)
    assert (caught.value.status, caught.value.code) == (403, "not_permitted")
    assert caught.value.details["step"] == "connections"
    assert TIMING.visible_after <= world.loop.time() < 2 * TIMING.visible_after
    # Short pauses, each longer than the last: not a call every few milliseconds.
    assert 4 * 2 <= world.platform.asked["connect"] <= 8 * 2
    audit(world)


@simulated
async def test_what_stays_invisible_is_certified_in_vain(world: World) -> None:
    world.start_replica()
    world.platform.failing["sign"] = errors.NotFound()
    with pytest.raises(StepFailed) as caught:
        await make(world)
    assert caught.value.details["step"] == "certificates"
    assert TIMING.visible_after <= world.loop.time() < 2 * TIMING.visible_after
    audit(world)


@simulated
async def test_what_is_listed_but_can_not_be_deleted_is_not_believed_gone(world: World) -> None:
    world.start_replica()
    await make(world)
    world.platform.failing["delete_client"] = errors.NotFound()
    removed = await world.replicas[-1].remove(world.caller(), "gw-1")
    assert removed.state is State.UNDOING
    await asyncio.sleep(30.0)
    (row,) = onboardings(world.database)
    assert row.error_code == "not_permitted"
    assert row.error_message.startswith("remove clients: ")
    world.platform.failing.clear()
    await asyncio.sleep(200.0)
    await world.come_to_rest()
    audit(world)


@simulated
async def test_a_mistake_of_the_service_is_told_as_one_and_tried_again(world: World) -> None:
    world.start_replica()
    world.platform.failing["connect"] = ZeroDivisionError("inside")
    with pytest.raises(StepFailed) as caught:
        await make(world)
    assert (caught.value.status, caught.value.code) == (500, "internal")
    assert "an error inside the service" in caught.value.message
    audit(world)


@simulated
async def test_a_mistake_may_pass_for_what_was_left_behind(world: World) -> None:
    world.own = OwnToken(world.platform.token(1e9))
    await cut_short(world)
    world.platform.failing["connect"] = ZeroDivisionError("inside")
    await asyncio.sleep(12.0)
    (row,) = onboardings(world.database)
    assert (row.state, row.error_code) == (State.PLANNED, "internal")
    world.platform.failing.clear()
    await world.come_to_rest()
    assert onboardings(world.database)[0].state is State.DONE
    audit(world)


@simulated
async def test_what_is_shown_late_is_not_made_twice(world: World) -> None:
    world.start_replica()
    world.platform.faults = Faults(unseen=1.9)
    world.platform.unanswered |= {"create_clients", "create_channels"}
    assert (await make(world)).state is State.DONE
    # The second call says that they are taken; then they are waited for.
    assert world.platform.asked["create_clients"] <= 2
    assert world.platform.asked["create_channels"] <= 2
    assert world.platform.asked["create_clients"] + world.platform.asked["create_channels"] > 2
    await asyncio.sleep(2.0)
    audit(world)


@simulated
async def test_a_removal_of_what_was_there_for_long_asks_for_nothing_in_vain(
    world: World,
) -> None:
    world.start_replica()
    made = await make(world)
    await asyncio.sleep(60.0)
    before = dict(world.platform.asked)
    began = world.loop.time()
    await world.replicas[-1].remove(world.caller(), "gw-1")
    assert world.loop.time() - began < 2.0
    asked = {
        name: count - before.get(name, 0)
        for name, count in world.platform.asked.items()
        if count != before.get(name, 0)
    }
    assert asked == {
        "revoke_client_certificates": 1,
        "delete_client": len(made.plan.clients),
        "delete_channel": len(made.plan.channels),
    }
    (row,) = onboardings(world.database)
    assert [step.name for step in row.steps][-3:] == [
        "revoke certificates",
        "remove clients",
        "remove channels",
    ]


LOOKS = {
    "create_clients": "list_clients",
    "create_channels": "list_channels",
    "sign": "list_certificates",
}


@pytest.mark.parametrize("name", LOOKS)
def test_what_takes_effect_only_after_it_was_undone_is_removed_too(
    database: Engine, name: str
) -> None:
    @simulated
    async def story(world: World) -> None:
        world.start_replica()
        platform, look = world.platform, LOOKS[name]
        platform.late.add(name)
        platform.failing[look] = errors.Rejected()
        making = asyncio.ensure_future(make(world))
        while not platform.asked[look]:  # noqa: ASYNC110 - the platform tells nobody
            await asyncio.sleep(0.001)
        platform.failing.clear()
        platform.late.clear()
        with pytest.raises(StepFailed):
            await making
        await world.come_to_rest()
        assert platform.asked[name] == 1
        audit(world)

    story(database)


@simulated
async def test_what_can_not_be_seen_yet_is_not_believed_gone(world: World) -> None:
    world.start_replica()
    world.platform.faults = Faults(unseen=1.9)
    world.platform.failing["connect"] = errors.Rejected()
    with pytest.raises(StepFailed):
        await make(world)
    await world.come_to_rest()
    audit(world)
