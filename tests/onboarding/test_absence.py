"""What the asker could not see is never believed to be gone."""

from __future__ import annotations

import pytest
from attrs import evolve

from bootstrap_core.model import Caller
from provision.onboarding.errors import StepFailed
from provision.onboarding.model import OnExisting, State
from provision.platform import errors
from tests.onboarding.stories import make
from tests.onboarding.test_drift import find, finder, gateway
from tests.onboarding.world import DOMAIN, World, onboardings, simulated


def blind_member(world: World, *actions: str) -> Caller:
    """Return a member to whom the platform shows no client and no channel."""
    token = world.platform.token(1000.0)
    world.platform.blind.add(token.reveal())
    world.platform.actions = frozenset({"read", *actions})
    return Caller("another", DOMAIN, token)


@simulated
async def test_a_removal_by_who_sees_nothing_removes_nothing_and_says_so(world: World) -> None:
    world.start_replica()
    await make(world)
    held = dict(world.platform.clients), dict(world.platform.channels)
    parts = world.replicas[-1].parts

    with pytest.raises(StepFailed) as caught:
        await parts.onboardings.remove(blind_member(world), "gw-1")

    assert (caught.value.status, caught.value.code) == (403, "not_permitted")
    (row,) = onboardings(world.database)
    assert row.error_code == "not_permitted"
    assert 'lacks the right "client_read" on the domain' in row.error_message
    assert (world.platform.clients, world.platform.channels) == held

    world.platform.actions = None
    done = await parts.onboardings.remove(world.caller(), "gw-1")
    assert done.state is State.UNDONE
    assert (world.platform.clients, world.platform.channels) == ({}, {})


@simulated
async def test_to_who_sees_nothing_the_drift_is_unknown(world: World) -> None:
    made = await gateway(world)
    drift = await finder(world).find(blind_member(world, "channel_read"), made)
    assert isinstance(drift.unknown, errors.NotPermitted)
    assert [each for each in drift.differences if each.kind in ("client", "connection")] == []


@simulated
async def test_a_repair_by_who_sees_nothing_creates_nothing(world: World) -> None:
    world.start_replica()
    await make(world)
    made = world.platform.effects
    caller = blind_member(world)
    with pytest.raises(StepFailed) as caught:
        await world.replicas[-1].submit(caller, world.request("gw-1", "key-1", OnExisting.REPAIR))
    assert (caught.value.status, caught.value.code) == (403, "not_permitted")
    assert world.platform.effects == made


@simulated
async def test_who_made_a_gateway_is_believed_that_it_is_gone(world: World) -> None:
    made = await gateway(world)
    world.platform.clients.clear()
    world.platform.actions = frozenset({"read", "client_create"})
    drift = await find(world, made)
    assert drift.unknown is None
    assert ("deleted", "client") in {(each.drift.value, each.kind) for each in drift.differences}
    another = evolve(world.caller(), user_id="another")
    drift = await finder(world).find(another, made)
    assert isinstance(drift.unknown, errors.NotPermitted)
