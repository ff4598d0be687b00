"""One task per gateway, whoever asks and hangs up: on virtual time."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve

from provision.onboarding.attempts import Answer, GatewayTasks
from provision.onboarding.errors import KeyDiffers, LeaseLost
from provision.onboarding.model import Onboarding
from tests.onboarding.stories import make
from tests.onboarding.world import World, simulated


async def gateway(world: World) -> Onboarding:
    world.start_replica()
    return await make(world)


@simulated
async def test_a_gateway_is_worked_on_by_one_at_a_time(world: World) -> None:
    made, tasks = await gateway(world), GatewayTasks()
    other = evolve(made, external_id="gw-2")
    working: list[str] = []
    most: list[int] = []

    async def run(onboarding: Onboarding) -> None:
        async def work(answer: Answer) -> None:
            assert onboarding.external_id not in working
            working.append(onboarding.external_id)
            most.append(tasks.count)
            await asyncio.sleep(1.0)
            working.remove(onboarding.external_id)
            answer.set_result(onboarding)

        assert await tasks.run(onboarding, work) is onboarding

    began = world.loop.time()
    await asyncio.gather(*(run(made) for _ in range(5)), run(other))
    assert 5.0 <= world.loop.time() - began < 6.0
    assert max(most) == 2
    assert tasks.count == 0


@simulated
async def test_work_outlives_who_asked_for_it_and_its_own_answer(world: World) -> None:
    made, tasks = await gateway(world), GatewayTasks()
    ended: list[str] = []

    async def work(answer: Answer) -> None:
        await asyncio.sleep(1.0)
        answer.set_result(made)
        await asyncio.sleep(1.0)
        ended.append("work")

    asking = asyncio.ensure_future(tasks.run(made, work))
    await asyncio.sleep(0.5)
    asking.cancel()
    assert await tasks.wait_for(made.domain_id, made.external_id)
    assert ended == ["work"]
    assert not await tasks.wait_for(made.domain_id, made.external_id)
    assert await tasks.run(made, work) is made
    assert ended == ["work"]
    assert await tasks.wait_for(made.domain_id, made.external_id)
    assert ended == ["work", "work"]


@simulated
async def test_how_work_fails_is_told_and_work_without_an_answer_too(world: World) -> None:
    made, tasks = await gateway(world), GatewayTasks()

    async def fails(answer: Answer) -> None:
        raise KeyDiffers

    async def fails_later(answer: Answer) -> None:
        answer.set_result(made)
        raise KeyDiffers

    async def says_nothing(answer: Answer) -> None:
        pass

    with pytest.raises(KeyDiffers):
        await tasks.run(made, fails)
    assert await tasks.run(made, fails_later) is made
    with pytest.raises(LeaseLost):
        await tasks.run(made, says_nothing)
    assert tasks.count == 0


@simulated
async def test_closing_waits_for_a_while_and_cuts_off_what_is_late(world: World) -> None:
    made, tasks = await gateway(world), GatewayTasks()
    ended: list[str] = []

    async def run(external_id: str, seconds: float) -> Onboarding:
        async def work(answer: Answer) -> None:
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                ended.append(f"{external_id} cut off")
                raise
            ended.append(external_id)
            answer.set_result(made)

        return await tasks.run(evolve(made, external_id=external_id), work)

    asking = [asyncio.ensure_future(run("soon", 2.0)), asyncio.ensure_future(run("late", 90.0))]
    await asyncio.sleep(1.0)
    began = world.loop.time()
    await tasks.close(10.0)
    assert world.loop.time() - began == pytest.approx(10.0)
    assert ended == ["soon", "late cut off"]
    assert await asking[0] is made
    with pytest.raises(asyncio.CancelledError):
        await asking[1]
    await tasks.close(10.0)
    assert world.loop.time() - began == pytest.approx(10.0)
