"""What a repair asks for, and what it leaves alone: on virtual time."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve
from sqlalchemy import Engine

from bootstrap_core.secrets import Secret
from provision.onboarding.errors import StepFailed
from provision.onboarding.model import OnExisting, State
from provision.platform import errors
from provision.platform.types import Status
from tests.onboarding.simulated_platform import at, certificates_in_force
from tests.onboarding.stories import make
from tests.onboarding.test_drift import find, told
from tests.onboarding.world import TIMING, World, audit, onboardings, simulated


@simulated
async def test_a_repair_asks_for_what_is_missing_and_nothing_else(world: World) -> None:
    world.start_replica()
    made = await make(world)
    asked = dict(world.platform.asked)
    repaired = await make(world, OnExisting.REPAIR)
    assert repaired.outcome.value == "repaired"
    changed = ("create_", "connect", "sign", "update_", "revoke_", "delete_")
    more = {
        name
        for name, count in world.platform.asked.items()
        if name.startswith(changed) and count != asked.get(name, 0)
    }
    assert not more
    assert repaired.plan == made.plan
    assert repaired.intent.certificates == made.intent.certificates
    audit(world)


@simulated
async def test_a_repair_re_connects_and_certifies_again_with_the_same_key(world: World) -> None:
    world.start_replica()
    made = await make(world)
    (certificate,) = made.intent.certificates
    world.platform.connections = set()
    world.platform.clients[made.plan.clients[1].id] = evolve(
        world.platform.clients[made.plan.clients[1].id], secret=Secret("by hand")
    )
    world.platform._revoke_certificate("", certificate.serial)
    repaired = await make(world, OnExisting.REPAIR)
    (again,) = repaired.intent.certificates
    assert again.serial != certificate.serial
    assert again.private_key == certificate.private_key
    assert world.platform.asked["update_client_secret"] == 1
    assert len(certificates_in_force(world.platform, certificate.client_id)) == 1
    audit(world)


@simulated
async def test_a_certificate_that_has_ended_is_told_and_a_repair_makes_another(
    world: World,
) -> None:
    world.start_replica()
    made = await make(world)
    (certificate,) = made.intent.certificates
    held = world.platform.certificates[certificate.serial]
    world.platform.certificates[certificate.serial] = evolve(held, expires_at=at(0.0))
    assert told(await find(world, made)) == [("ended", "certificate", "agent", "repair")]
    repaired = await make(world, OnExisting.REPAIR)
    (again,) = repaired.intent.certificates
    assert again.serial != certificate.serial
    assert again.private_key == certificate.private_key
    assert told(await find(world, repaired)) == []


@simulated
async def test_a_repair_that_fails_leaves_the_gateway_and_says_so(world: World) -> None:
    world.start_replica()
    made = await make(world)
    world.platform._delete_channel("", made.plan.channels[1].id)
    world.platform.failing["create_channels"] = errors.Rejected()
    with pytest.raises(StepFailed) as caught:
        await make(world, OnExisting.REPAIR)
    assert caught.value.details["step"] == "missing resources"
    assert caught.value.details["aftermath"] == "what is there was left as it is"
    (row,) = onboardings(world.database)
    assert (row.state, row.error_code, row.error_message) == (State.DONE, "", "")
    assert row.steps[-1].error
    del world.platform.failing["create_channels"]
    assert (await make(world, OnExisting.REPAIR)).state is State.DONE
    audit(world)


@simulated
async def test_members_of_other_domains_see_nothing_so_that_nothing_is_believed_gone(
    world: World,
) -> None:
    world.start_replica()
    await make(world)
    world.platform.failing["view_domain"] = errors.NotAMember()
    with pytest.raises(StepFailed) as caught:
        await make(world, OnExisting.REPAIR)
    assert (caught.value.status, caught.value.code) == (403, "not_a_member")
    assert world.platform.asked["create_clients"] == 1


@simulated
async def test_connections_are_looked_for_on_every_page(world: World) -> None:
    world.start_replica()
    made = await make(world)
    platform, (_, helper), (_, data) = world.platform, made.plan.clients, made.plan.channels
    others = [evolve(platform.clients[helper.id], id=f"other-{n}") for n in range(250)]
    platform.clients = {each.id: each for each in others} | platform.clients
    platform.connections |= {(each.id, data.id, "publish") for each in others}
    asked = platform.asked["connect"]
    await make(world, OnExisting.REPAIR)
    assert platform.asked["connect"] == asked
    platform.connections -= {each for each in platform.connections if each[0] == helper.id}
    await make(world, OnExisting.REPAIR)
    assert platform.asked["connect"] == asked + 1
    assert {each for each in platform.connections if each[0] == helper.id} == {
        (helper.id, data.id, "publish"),
        (helper.id, data.id, "subscribe"),
    }


@simulated
async def test_a_gateway_whose_replacement_failed_can_be_repaired_at_once(world: World) -> None:
    world.start_replica()
    made = await make(world)
    world.platform.failing["connect"] = errors.Rejected()
    with pytest.raises(StepFailed):
        await make(world, OnExisting.REPLACE)
    world.platform.failing.clear()
    began = world.loop.time()
    assert (await make(world, OnExisting.REPAIR)).id == made.id
    assert world.loop.time() - began < 10.0
    audit(world)


@simulated
async def test_what_is_disabled_is_not_missing(world: World) -> None:
    world.start_replica()
    made = await make(world)
    platform, client, channel = world.platform, made.plan.clients[1], made.plan.channels[1]
    platform.clients[client.id] = evolve(platform.clients[client.id], status=Status.DISABLED)
    platform.channels[channel.id] = evolve(platform.channels[channel.id], status=Status.DISABLED)
    asked = dict(platform.asked)
    await make(world, OnExisting.REPAIR)
    for name in ("create_clients", "create_channels", "connect"):
        assert platform.asked[name] == asked[name]
    assert platform.clients[client.id].status is Status.DISABLED


@pytest.mark.parametrize(
    ("error", "uncertain"), [(errors.TimedOut(), True), (errors.Rejected(), False)]
)
def test_what_a_failed_repair_may_still_do_is_waited_for_by_the_next(
    database: Engine, error: errors.PlatformError, uncertain: bool
) -> None:
    @simulated
    async def story(world: World) -> None:
        world.start_replica()
        made = await make(world)
        world.platform._delete_channel("", made.plan.channels[1].id)
        await asyncio.sleep(60.0)
        world.platform.failing["create_channels"] = error
        with pytest.raises(StepFailed):
            await make(world, OnExisting.REPAIR)
        failed_at = world.clock.now()
        world.platform.failing.clear()
        (row,) = onboardings(world.database)
        if uncertain:
            assert row.intent.settled_at
            settles = (row.intent.settled_at - failed_at).total_seconds()
            assert settles == pytest.approx(TIMING.settled_after, abs=0.5)
        else:
            assert row.intent.settled_at is None
        await make(world, OnExisting.REPAIR)
        took = (world.clock.now() - failed_at).total_seconds()
        assert (took >= TIMING.settled_after - 0.5) == uncertain
        audit(world)

    story(database)


@pytest.mark.parametrize("on_existing", [OnExisting.REPAIR, OnExisting.ROTATE])
def test_a_new_certificate_comes_with_the_chain_of_its_time(
    database: Engine, on_existing: OnExisting
) -> None:
    @simulated
    async def story(world: World) -> None:
        world.start_replica()
        made = await make(world)
        assert made.intent.ca_chain == "chain"
        for serial in list(world.platform.certificates):
            world.platform._revoke_certificate("", serial)
        world.platform.chain = "another chain"
        assert (await make(world, on_existing)).intent.ca_chain == "another chain"
        (row,) = onboardings(world.database)
        assert row.intent.ca_chain == "another chain"

    story(database)


@simulated
async def test_a_repair_gives_back_a_lost_type_and_takes_none_away(world: World) -> None:
    world.start_replica()
    made = await make(world)
    (agent, _), (control, data) = made.plan.clients, made.plan.channels
    whole = set(world.platform.connections)
    world.platform.connections.discard((agent.id, data.id, "publish"))
    added = (agent.id, control.id, "publish")
    world.platform.connections.add(added)

    repaired = await make(world, OnExisting.REPAIR)

    assert world.platform.connections == whole | {added}
    assert world.platform.asked["disconnect"] == 1
    assert told(await find(world, repaired)) == [
        ("changed", "connection", "agent - control", "edit")
    ]
