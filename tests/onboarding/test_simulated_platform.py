"""The simulated platform has the habits that were seen of a real one."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve
from sqlalchemy import Engine

from bootstrap_core.model import ConnectionType
from bootstrap_core.secrets import Secret
from provision.platform import errors
from provision.platform.types import Connections, EntityQuery, NewChannel, NewClient, StatusFilter
from tests.onboarding.simulated_platform import Half, Wire
from tests.onboarding.world import DOMAIN, World, simulated

CLIENT = NewClient("c1", "client", secret=Secret("s1"))
CHANNEL = NewChannel("ch1", "channel", route="way")


def wire_of(world: World) -> tuple[Wire, tuple[Secret, str]]:
    return world.start_replica().wire, (world.platform.token(1e9), DOMAIN)


@pytest.mark.parametrize("half", [Half.ROW, Half.TUPLES])
def test_a_creation_that_is_cut_short_leaves_its_half(database: Engine, half: Half) -> None:
    @simulated
    async def story(world: World) -> None:
        wire, place = wire_of(world)
        world.platform.cut_short["create_clients"] = half
        with pytest.raises(errors.TimedOut):
            await wire.clients.create(*place, [CLIENT])
        await asyncio.sleep(60.0)

        with pytest.raises(errors.AlreadyExists):
            await wire.clients.create(*place, [CLIENT])
        with pytest.raises(errors.AlreadyExists):
            await wire.clients.create(*place, [evolve(CLIENT, id="c2")])
        query = EntityQuery(id="c1", status=StatusFilter.ALL)
        assert (await wire.clients.list(*place, query)).total == 0
        if half is Half.TUPLES:
            assert (await wire.clients.view(*place, "c1")).id == "c1"
        for _ in range(2):
            with pytest.raises(errors.NotFound) as caught:
                await wire.clients.delete(*place, "c1")
            assert isinstance(caught.value, errors.HalfDeleted) == (half is Half.TUPLES)
            with pytest.raises(errors.NotFound):
                await wire.clients.view(*place, "c1")

    story(database)


@simulated
async def test_half_a_channel_keeps_its_route(world: World) -> None:
    wire, place = wire_of(world)
    world.platform.cut_short["create_channels"] = Half.ROW
    with pytest.raises(errors.TimedOut):
        await wire.channels.create(*place, [CHANNEL])
    with pytest.raises(errors.RouteTaken):
        await wire.channels.create(*place, [evolve(CHANNEL, id="ch2")])


@simulated
async def test_a_connection_tells_its_types_and_can_lose_one(world: World) -> None:
    wire, place = wire_of(world)
    await wire.clients.create(*place, [CLIENT])
    await wire.channels.create(*place, [CHANNEL])
    await wire.connect(*place, Connections(["c1"], ["ch1"]))
    world.platform.connections.discard(("c1", "ch1", "publish"))
    (shown,) = (await wire.clients.list(*place, EntityQuery(connected_to="ch1"))).items
    assert shown.connection_types == {ConnectionType.SUBSCRIBE}
    with pytest.raises(errors.AlreadyExists):
        await wire.connect(*place, Connections(["c1"], ["ch1"]))
