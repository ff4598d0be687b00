"""When and how often something is tried again, and what the caller is told: on virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from bootstrap_core.model import Caller
from provision.onboarding.errors import (
    GatewayNotFound,
    OnboardingNotFound,
    StepFailed,
    StillRunning,
)
from provision.onboarding.model import OnExisting, State
from provision.platform import errors
from tests.onboarding.stories import Longest, cut_short, hold, make, watch
from tests.onboarding.world import (
    OTHER_DOMAIN,
    TIMING,
    OwnToken,
    World,
    audit,
    onboardings,
    simulated,
)


@simulated
async def test_what_was_left_behind_is_tried_seven_times_and_then_undone(world: World) -> None:
    await cut_short(world)
    world.platform.failing["connect"] = errors.Unavailable()
    seen = await watch(world, 600.0)
    assert [(row.state.value, row.attempts) for row in seen if row.attempts or not row.steps] == [
        ("planned", 0),
        ("planned", 1),
        ("planned", 2),
        ("stuck", 3),
        ("stuck", 4),
        ("stuck", 5),
        ("stuck", 6),
        *[(row.state.value, 6) for row in seen if row.state is State.UNDOING],
        ("undone", 6),
    ]
    assert all(row.error_code == "platform_unavailable" for row in seen if row.attempts)
    audit(world)


@simulated
async def test_what_can_never_succeed_is_undone_at_once(world: World) -> None:
    await cut_short(world)
    world.platform.failing["connect"] = errors.Rejected()
    seen = await watch(world, 60.0)
    assert {row.attempts for row in seen} == {0}
    assert seen[-1].state is State.UNDONE
    audit(world)


@simulated
@pytest.mark.slow
async def test_pauses_double_up_to_five_minutes(world: World) -> None:
    world.chance = Longest()
    world.own = OwnToken(world.platform.token(1e9))
    world.start_replica()
    await make(world)
    world.platform.failing["delete_client"] = errors.Failed()
    removed = await world.replicas[-1].remove(world.caller(), "gw-1")
    assert removed.state is State.UNDOING
    seen = [row for row in await watch(world, 1500.0) if row.attempts]
    pauses = []
    for row in seen:
        assert row.next_attempt_at is not None
        pauses.append(round((row.next_attempt_at - row.updated_at).total_seconds()))
        assert row.state is (State.STUCK if row.attempts >= 3 else State.UNDOING)
    assert pauses[:10] == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert [row.attempts for row in seen] == list(range(1, len(seen) + 1))
    del world.platform.failing["delete_client"]
    await world.come_to_rest()
    audit(world)


@simulated
async def test_a_removal_asked_for_again_goes_on_at_once_and_begins_to_count_anew(
    world: World,
) -> None:
    world.chance = Longest()
    world.own = OwnToken(world.platform.token(1e9))
    world.start_replica()
    await make(world)
    service = world.replicas[-1].service
    world.platform.failing["delete_client"] = errors.Failed()
    await service.remove(world.caller(), "gw-1")
    seen = await watch(world, 400.0)
    del world.platform.failing["delete_client"]
    removed = await service.remove(world.caller(), "gw-1")
    assert seen[-1].state is State.STUCK
    assert removed.state is State.UNDONE
    assert await service.undo(world.caller(), removed.id) == await service.view(
        world.caller(), "gw-1"
    )


@simulated
async def test_who_waits_for_another_process_is_told_after_twenty_seconds(world: World) -> None:
    _, other, _ = await hold(world)
    (row,) = onboardings(world.database)
    service, caller = other.service, world.caller()
    began = world.loop.time()

    async def refused(work: Any) -> tuple[float, dict[str, Any]]:
        with pytest.raises(StillRunning) as error:
            await work
        return world.loop.time() - began, error.value.details

    request = world.request("gw-1", "key-1")
    took, details = await refused(service.retry(caller, row.id))
    assert took < 1.0
    assert details == {"onboarding_id": row.id, "state": "planned"}
    took, details = await refused(service.repair(caller, row.id))
    assert took < 1.0
    assert details == {"onboarding_id": row.id, "state": "planned"}
    removing, mapping = await asyncio.gather(
        refused(service.remove(caller, "gw-1")), refused(service.map(caller, request))
    )
    for took, details in (removing, mapping):
        assert 20.0 <= took < 45.0
        assert details["onboarding_id"] == row.id


@simulated
async def test_a_gateway_that_is_worked_on_is_neither_repaired_nor_rotated_elsewhere(
    world: World,
) -> None:
    first = world.start_replica()
    made = await make(world)
    other = world.start_replica()
    request = world.request("gw-1", "key-1", OnExisting.ROTATE)
    rotating = asyncio.ensure_future(first.submit(world.caller(), request))
    asked = world.platform.asked["update_client_secret"]
    while world.platform.asked["update_client_secret"] == asked:  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    with pytest.raises(StillRunning) as error:
        await other.repair(world.caller(), made)
    assert error.value.details == {"onboarding_id": made.id}
    rotated = await rotating
    assert (rotated.id, rotated.outcome.value) == (made.id, "rotated")
    audit(world)


@simulated
async def test_a_caller_is_not_kept_waiting_for_an_undoing_that_takes_long(world: World) -> None:
    world.start_replica()
    world.platform.failing["connect"] = errors.TimedOut()
    began = world.loop.time()
    with capture_logs() as logged:
        with pytest.raises(StepFailed) as caught:
            await make(world)
        assert caught.value.details["state"] == "undoing"
        assert caught.value.details["aftermath"].startswith("what had been created is still being")
        assert world.loop.time() - began < TIMING.answer_after + 2.0
        await world.come_to_rest()
    # What its caller was told is no failure of the work that goes on.
    assert not [entry for entry in logged if entry["log_level"] == "error"]
    audit(world)


@simulated
async def test_an_onboarding_of_another_domain_is_not_found(world: World) -> None:
    world.start_replica()
    made = await make(world)
    service = world.replicas[-1].service
    stranger = Caller("stranger", OTHER_DOMAIN, world.platform.token(1e9))
    for ask in (service.retry, service.undo, service.repair):
        with pytest.raises(OnboardingNotFound):
            await ask(stranger, made.id)
    assert (await service.retry(world.caller(), made.id)).state is State.DONE
    audit(world)


@simulated
async def test_the_gateway_that_was_replaced_is_removed_with_the_callers_token(
    world: World,
) -> None:
    world.start_replica()
    old = await make(world)
    new = await make(world, OnExisting.REPLACE)
    assert (new.replaces, new.outcome.value) == (old.id, "replaced")
    assert not old.created_ids & new.created_ids
    # Nobody else comes whose token could be taken.
    await world.come_to_rest(patience=60.0)
    states = {each.id: each.state for each in onboardings(world.database)}
    assert states == {old.id: State.UNDONE, new.id: State.DONE}
    audit(world)


@simulated
async def test_the_gateway_that_was_replaced_is_removed_by_the_same_process_at_once(
    world: World,
) -> None:
    replica = world.start_replica()
    old = await make(world)
    await replica.stop_looking()
    await make(world, OnExisting.REPLACE)
    await asyncio.sleep(2.0)
    states = {each.id: each.state for each in onboardings(world.database)}
    assert states[old.id] is State.UNDONE


@simulated
async def test_a_request_for_what_is_still_tried_says_so_at_once(world: World) -> None:
    row = await cut_short(world)
    await world.replicas[-1].stop_looking()
    world.platform.failing["connect"] = errors.Unavailable("the platform is away")
    with pytest.raises(StillRunning, match=r"has not ended yet.*the platform is away") as caught:
        await make(world)
    assert caught.value.details == {"onboarding_id": row.id, "state": "planned"}
    assert onboardings(world.database)[0].attempts == 1


@simulated
async def test_a_removal_of_what_is_stuck_on_its_way_begins_to_count_anew(world: World) -> None:
    world.chance = Longest()
    await cut_short(world)
    world.platform.failing["connect"] = errors.Unavailable()
    await asyncio.sleep(60.0)
    assert onboardings(world.database)[0].state is State.STUCK
    world.platform.failing["delete_client"] = errors.Failed()
    removed = await world.replicas[-1].remove(world.caller(), "gw-1")
    assert (removed.state, removed.attempts) == (State.UNDOING, 1)


@simulated
async def test_gateways_of_two_domains_with_one_external_id_know_nothing_of_each_other(
    world: World,
) -> None:
    world.chance = Longest()
    world.start_replica()
    service = world.replicas[-1].service
    await make(world)
    world.platform.failing["delete_client"] = errors.Failed()
    await make(world, OnExisting.REPLACE)
    await asyncio.sleep(5.0)
    before = {each.id: each.state for each in onboardings(world.database)}
    assert sorted(before.values()) == [State.DONE, State.UNDOING]
    stranger = Caller("stranger", OTHER_DOMAIN, world.platform.token(1e9))
    for ask in (service.view, service.remove):
        with pytest.raises(GatewayNotFound):
            await ask(stranger, "gw-1")
        with pytest.raises(GatewayNotFound):
            await ask(world.caller(), "gw-2")
    assert {each.id: each.state for each in onboardings(world.database)} == before
    theirs = await service.map(stranger, world.request("gw-1", "their key"))
    assert theirs.domain_id == OTHER_DOMAIN
    assert theirs.outcome.value == "created"
