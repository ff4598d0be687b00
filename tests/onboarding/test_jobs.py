"""One job per gateway, whoever asks and hangs up: on virtual time."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve
from structlog.testing import capture_logs

from provision.onboarding.errors import KeyDiffers
from provision.onboarding.jobs import Job, Jobs
from provision.onboarding.model import Onboarding
from tests.onboarding.stories import make
from tests.onboarding.world import World, simulated


async def gateway(world: World) -> Onboarding:
    world.start_replica()
    return await make(world)


@simulated
async def test_a_gateway_is_worked_on_by_one_at_a_time(world: World) -> None:
    made, jobs = await gateway(world), Jobs()
    other = evolve(made, external_id="gw-2")
    working: list[str] = []
    most: list[int] = []

    async def run(onboarding: Onboarding) -> None:
        async def work(_: Job) -> Onboarding:
            assert onboarding.external_id not in working
            working.append(onboarding.external_id)
            most.append(jobs.count)
            await asyncio.sleep(1.0)
            working.remove(onboarding.external_id)
            return onboarding

        assert await jobs.run(onboarding, work) is onboarding

    began = world.loop.time()
    await asyncio.gather(*(run(made) for _ in range(5)), run(other))
    assert 5.0 <= world.loop.time() - began < 6.0
    assert max(most) == 2
    assert jobs.count == 0


@simulated
async def test_work_outlives_who_asked_for_it_and_its_own_answer(world: World) -> None:
    made, jobs = await gateway(world), Jobs()
    ended: list[str] = []

    async def work(job: Job) -> Onboarding:
        await asyncio.sleep(1.0)
        job.tell(made)
        await asyncio.sleep(1.0)
        ended.append("work")
        return made

    asking = asyncio.ensure_future(jobs.run(made, work))
    await asyncio.sleep(0.5)
    asking.cancel()
    assert await jobs.wait_for(made.domain_id, made.external_id)
    assert ended == ["work"]
    assert not await jobs.wait_for(made.domain_id, made.external_id)
    assert await jobs.run(made, work) is made
    assert ended == ["work"]
    assert await jobs.wait_for(made.domain_id, made.external_id)
    assert ended == ["work", "work"]


@simulated
async def test_how_work_fails_is_told_unless_something_was_told_before(world: World) -> None:
    made, jobs = await gateway(world), Jobs()

    async def fails(_: Job) -> Onboarding:
        raise KeyDiffers

    async def fails_later(job: Job) -> Onboarding:
        job.tell(made)
        raise KeyDiffers

    with pytest.raises(KeyDiffers):
        await jobs.run(made, fails)
    with capture_logs() as logged:
        assert await jobs.run(made, fails_later) is made
        await asyncio.sleep(0)
        assert jobs.count == 0
    assert [entry["event"] for entry in logged] == ["onboarding work failed"]


@simulated
async def test_what_is_certain_is_told_when_the_rest_takes_long_or_fails(world: World) -> None:
    made, jobs = await gateway(world), Jobs()
    later = evolve(made, external_id="gw-2")

    async def rests(job: Job, seconds: float, error: Exception | None = None) -> Onboarding:
        with job.told_after(2.0, made):
            await asyncio.sleep(seconds)
            if error:
                raise error
        return later

    assert await jobs.run(made, lambda job: rests(job, 1.0)) is later
    began = world.loop.time()
    assert await jobs.run(made, lambda job: rests(job, 60.0)) is made
    assert world.loop.time() - began == pytest.approx(2.0)
    assert jobs.count == 1
    assert await jobs.wait_for(made.domain_id, made.external_id)
    assert await jobs.run(made, lambda job: rests(job, 1.0, KeyDiffers())) is made


@simulated
async def test_closing_waits_for_a_while_and_cuts_off_what_is_late(world: World) -> None:
    made, jobs = await gateway(world), Jobs()
    ended: list[str] = []

    async def run(external_id: str, seconds: float) -> Onboarding:
        async def work(_: Job) -> Onboarding:
            try:
                await asyncio.sleep(seconds)
            except asyncio.CancelledError:
                ended.append(f"{external_id} cut off")
                raise
            ended.append(external_id)
            return made

        return await jobs.run(evolve(made, external_id=external_id), work)

    asking = [asyncio.ensure_future(run("soon", 2.0)), asyncio.ensure_future(run("late", 90.0))]
    await asyncio.sleep(1.0)
    began = world.loop.time()
    await jobs.close(10.0)
    assert world.loop.time() - began == pytest.approx(10.0)
    assert ended == ["soon", "late cut off"]
    assert await asking[0] is made
    with pytest.raises(asyncio.CancelledError):
        await asking[1]
    await jobs.close(10.0)
    assert world.loop.time() - began == pytest.approx(10.0)
