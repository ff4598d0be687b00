"""What a drift is made of, and what spoils it: on a simulated platform."""

from __future__ import annotations

from typing import Any, cast

import pytest
from attrs import evolve
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from bootstrap_core.enrollments import Enroller
from bootstrap_core.secrets import Secret
from provision.onboarding.drift import Drift, DriftFinder
from provision.onboarding.model import Onboarding, OnExisting
from provision.platform import errors
from provision.platform.types import Status
from tests.onboarding.stories import PLAIN, make
from tests.onboarding.world import SEALER, World, simulated


def finder(world: World) -> DriftFinder:
    replica = world.replicas[-1]
    wire, engine = cast("Any", replica.wire), cast("Any", replica.engine)
    return DriftFinder(wire, wire, engine, Enroller(SEALER, replica.clock.now), replica.clock.now)


async def find(world: World, made: Onboarding) -> Drift:
    return await finder(world).find(world.caller(), made)


def told(drift: Drift) -> list[tuple[str, str, str, str]]:
    return [
        (each.drift.value, each.kind, each.key, each.remedy.value) for each in drift.differences
    ]


async def gateway(world: World) -> Onboarding:
    world.start_replica()
    return await make(world)


@simulated
async def test_all_parts_at_once(world: World) -> None:
    made = await gateway(world)
    assert await find(world, made) == Drift()
    platform, plan = world.platform, made.plan
    agent, helper = plan.clients
    control, data = plan.channels
    platform._delete_channel("", control.id)
    platform.channels[data.id] = evolve(
        platform.channels[data.id], metadata={"by": "hand"}, tags=("new",), status=Status.DISABLED
    )
    platform.clients[helper.id] = evolve(platform.clients[helper.id], name="by hand")
    platform.connections = {each for each in platform.connections if each[0] != agent.id}
    platform.certificates.clear()
    with world.database.begin() as connection:
        connection.execute(text("DELETE FROM bindings"))
    drift = await find(world, made)
    assert told(drift) == [
        ("changed", "client", "helper", "edit"),
        ("deleted", "channel", "control", "repair"),
        ("disabled", "channel", "data", "enable"),
        ("changed", "channel", "data", "edit"),
        ("deleted", "connection", "agent - data", "repair"),
        ("deleted", "certificate", "agent", "repair"),
        ("deleted", "binding", "agent", "repair"),
    ]
    assert drift.unknown is None
    fields = {(each.kind, each.key, each.remedy): each.fields for each in drift.differences}
    (name,) = fields["client", "helper", "edit"].items()
    assert (name[0], name[1].before, name[1].after) == ("name", helper.name, "by hand")
    changed = fields["channel", "data", "edit"]
    assert {key: (each.before, each.after) for key, each in changed.items()} == {
        "metadata": ({}, {"by": "hand"}),
        "tags": ([], ["new"]),
    }


@simulated
async def test_connections_are_looked_for_on_every_page(world: World) -> None:
    made = await gateway(world)
    platform, (agent, helper), (_, data) = world.platform, made.plan.clients, made.plan.channels
    others = [evolve(platform.clients[helper.id], id=f"other-{n}") for n in range(250)]
    platform.clients = {each.id: each for each in others} | platform.clients
    for each in others:
        platform.connections.add((each.id, data.id, "publish"))
    platform.seen_at |= {each.id: 0.0 for each in others}
    assert await find(world, made) == Drift()
    asked = platform.asked["list_clients"]
    assert (await find(world, made)).differences == ()
    # The domain's many clients take three pages of one channel, the other has one.
    assert platform.asked["list_clients"] - asked == 4
    platform.connections.discard((agent.id, data.id, "publish"))
    platform.connections.discard((agent.id, data.id, "subscribe"))
    assert told(await find(world, made)) == [("deleted", "connection", "agent - data", "repair")]


@pytest.mark.parametrize(
    "name", ["view_client", "view_channel", "list_clients", "list_certificates"]
)
def test_what_can_not_be_asked_is_unknown_and_the_rest_is_told(database: Engine, name: str) -> None:
    @simulated
    async def story(world: World) -> None:
        made = await gateway(world)
        world.platform.failing[name] = errors.TimedOut("too slow")
        with world.database.begin() as connection:
            connection.execute(text("DELETE FROM bindings"))
        drift = await find(world, made)
        assert drift.unknown is world.platform.failing[name]
        assert told(drift) == [("deleted", "binding", "agent", "repair")]

    story(database)


@pytest.mark.parametrize("name", ["view_client", "view_channel"])
def test_what_is_hidden_but_listed_is_not_deleted(database: Engine, name: str) -> None:
    @simulated
    async def story(world: World) -> None:
        made = await gateway(world)
        world.platform.failing[name] = errors.NotFound("hidden")
        drift = await find(world, made)
        assert drift.differences == ()
        assert isinstance(drift.unknown, errors.NotPermitted)
        assert f"{name.removeprefix('view_')}_read" in drift.unknown.message

    story(database)


@simulated
async def test_to_whom_is_no_member_everything_is_unknown(world: World) -> None:
    made = await gateway(world)
    world.platform.clients.clear()
    world.platform.failing["view_domain"] = errors.NotAMember()
    drift = await find(world, made)
    assert drift == Drift(unknown=world.platform.failing["view_domain"])


@simulated
async def test_a_store_that_fails_is_no_drift(world: World) -> None:
    made = await gateway(world)
    found = finder(world)
    world.replicas[-1].engine.failure_rate = 1.0
    with pytest.raises(OperationalError):
        await found.find(world.caller(), made)


@pytest.mark.parametrize("name", ["view_domain", "view_channel"])
def test_a_mistake_in_asking_is_no_drift(database: Engine, name: str) -> None:
    @simulated
    async def story(world: World) -> None:
        made = await gateway(world)
        world.platform.failing[name] = ZeroDivisionError("a mistake")
        with pytest.raises(ZeroDivisionError):
            await find(world, made)

    story(database)


@simulated
async def test_a_gateway_of_clients_and_channels_alone(world: World) -> None:
    world.start_replica()
    made = await make(world, layout=PLAIN)
    platform, (client,), (channel, _) = world.platform, made.plan.clients, made.plan.channels
    asked = platform.asked["list_clients"]
    assert await find(world, made) == Drift()
    # Nobody is asked for what was never made.
    assert not platform.asked["list_certificates"]
    assert platform.asked["list_clients"] == asked + 1
    platform._delete_client("", client.id)
    platform._delete_channel("", channel.id)
    assert told(await find(world, made)) == [
        ("deleted", "client", "one", "repair"),
        ("deleted", "channel", "only", "repair"),
    ]
    await make(world, OnExisting.REPAIR, layout=PLAIN)
    assert await find(world, made) == Drift()


@simulated
async def test_what_nobody_may_list_is_told_by_its_own_read(world: World) -> None:
    made = await gateway(world)
    world.platform.failing["list_clients"] = errors.NotFound()
    assert await find(world, made) == Drift()


@simulated
async def test_a_secret_that_is_not_shown_has_not_changed(world: World) -> None:
    made = await gateway(world)
    for each in made.plan.clients:
        hidden = evolve(world.platform.clients[each.id], secret=Secret(""))
        world.platform.clients[each.id] = hidden
    assert await find(world, made) == Drift()


@simulated
async def test_a_connection_that_lost_or_won_a_type_is_told(world: World) -> None:
    made = await gateway(world)
    (agent, helper), (control, data) = made.plan.clients, made.plan.channels
    world.platform.connections.discard((agent.id, data.id, "publish"))
    world.platform.connections.add((agent.id, control.id, "publish"))
    drift = await find(world, made)
    assert sorted(told(drift)) == [
        ("changed", "connection", "agent - control", "edit"),
        ("changed", "connection", "agent - data", "repair"),
    ]
    fields = {each.key: each.fields["types"] for each in drift.differences}
    assert (fields["agent - data"].before, fields["agent - data"].after) == (
        ["publish", "subscribe"],
        ["subscribe"],
    )
    assert helper.key not in str(drift.differences)
