"""How long answers to idempotency keys are kept: on virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from provision.onboarding.errors import AnswerDiffers, GatewayExists, StillRunning
from tests.onboarding.simulated_store import rows
from tests.onboarding.world import DOMAIN, OTHER_DOMAIN, World, simulated

MINUTE = 60.0
HOUR = 60 * MINUTE
REQUEST = {"external_id": "gw-1", "external_key": "key-1"}


class Asked:
    """Asks the last process of a world, and numbers what it does for it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.count = 0

    async def once(
        self, key: str, domain_id: str = DOMAIN, seconds: float = 0.0, **more: Any
    ) -> Any:
        async def work() -> tuple[int, dict[str, Any]]:
            self.count += 1
            mine = {"number": self.count}
            await asyncio.sleep(seconds)
            return 201, mine

        kept = self.world.replicas[-1].parts.idempotency
        return await kept.once(domain_id, key, REQUEST | more, work)


@simulated
async def test_an_answer_is_kept_for_a_day(world: World) -> None:
    # Looking for onboardings left behind all day long takes its time.
    await world.start_replica().stop_looking()
    asked = Asked(world)
    assert await asked.once("key") == (201, {"number": 1})
    await asyncio.sleep(23.9 * HOUR)
    assert await asked.once("key") == (201, {"number": 1})
    await asyncio.sleep(0.2 * HOUR)
    assert await asked.once("key") == (201, {"number": 2})


@simulated
async def test_a_key_is_of_one_domain_and_one_request(world: World) -> None:
    world.start_replica()
    asked = Asked(world)
    assert await asked.once("key") == (201, {"number": 1})
    assert await asked.once("key", OTHER_DOMAIN) == (201, {"number": 2})
    assert await asked.once("other") == (201, {"number": 3})
    with pytest.raises(AnswerDiffers):
        await asked.once("key", name="another")
    assert await asked.once("key") == (201, {"number": 1})
    assert await asked.once("key", OTHER_DOMAIN) == (201, {"number": 2})


@simulated
async def test_a_key_whose_request_never_ended_is_free_after_three_minutes(world: World) -> None:
    world.start_replica()
    asked = Asked(world)
    lost = asyncio.ensure_future(asked.once("key", seconds=HOUR))
    await asyncio.sleep(2.9 * MINUTE)
    with pytest.raises(StillRunning):
        await asked.once("key")
    await asyncio.sleep(0.2 * MINUTE)
    assert await asked.once("key") == (201, {"number": 2})
    await world.replicas[-1].parts.idempotency.close()
    await asyncio.wait([lost])


@simulated
async def test_an_answer_that_took_so_long_that_its_key_was_forgotten_is_kept(
    world: World,
) -> None:
    world.start_replica()
    asked = Asked(world)
    slow = asyncio.ensure_future(asked.once("key", seconds=10 * MINUTE))
    await asyncio.sleep(5 * MINUTE)
    await asked.once("other")
    assert len(rows(world.database, "SELECT * FROM stored_answers")) == 1
    assert await slow == (201, {"number": 1})
    assert await asked.once("key") == (201, {"number": 1})


@simulated
async def test_an_answer_that_comes_late_overwrites_nobody_elses(world: World) -> None:
    world.start_replica()
    asked = Asked(world)
    slow = asyncio.ensure_future(asked.once("key", seconds=10 * MINUTE))
    await asyncio.sleep(5 * MINUTE)
    assert await asked.once("key") == (201, {"number": 2})
    assert await slow == (201, {"number": 1})
    assert await asked.once("key") == (201, {"number": 2})


@simulated
async def test_a_late_answer_leaves_the_key_to_whoever_uses_it_now(world: World) -> None:
    world.start_replica()
    asked = Asked(world)
    slow = asyncio.ensure_future(asked.once("key", seconds=4 * MINUTE))
    await asyncio.sleep(3.5 * MINUTE)
    second = asyncio.ensure_future(asked.once("key", name="another", seconds=MINUTE))
    assert await slow == (201, {"number": 1})
    with pytest.raises(StillRunning):
        await asked.once("key", name="another")
    assert await second == (201, {"number": 2})
    assert await asked.once("key", name="another") == (201, {"number": 2})


@simulated
async def test_a_late_failure_forgets_nobody_elses_key(world: World) -> None:
    world.start_replica()
    asked = Asked(world)

    async def fails() -> tuple[int, dict[str, Any]]:
        await asyncio.sleep(4 * MINUTE)
        raise GatewayExists

    kept = world.replicas[-1].parts.idempotency
    slow = asyncio.ensure_future(kept.once(DOMAIN, "key", REQUEST, fails))
    await asyncio.sleep(3.5 * MINUTE)
    assert await asked.once("key") == (201, {"number": 1})
    with pytest.raises(GatewayExists):
        await slow
    assert await asked.once("key") == (201, {"number": 1})


@simulated
async def test_a_caller_who_hangs_up_gets_the_same_answer_the_next_time(world: World) -> None:
    world.start_replica()
    asked = Asked(world)
    gone = asyncio.ensure_future(asked.once("key", seconds=5.0))
    await asyncio.sleep(1.0)
    gone.cancel()
    await asyncio.sleep(1.0)
    with pytest.raises(StillRunning):
        await asked.once("key")
    await asyncio.sleep(5.0)
    assert await asked.once("key") == (201, {"number": 1})


@simulated
async def test_a_process_that_ends_frees_the_keys_of_what_it_cuts_short(world: World) -> None:
    world.start_replica()
    asked = Asked(world)
    caller = asyncio.ensure_future(asked.once("key", seconds=1e9))
    await asyncio.sleep(1.0)
    await world.replicas[-1].parts.idempotency.close()
    await asyncio.wait([caller])
    assert await asked.once("key") == (201, {"number": 2})


@simulated
async def test_a_store_that_fails_in_the_end_spoils_no_answer(world: World) -> None:
    replica = world.start_replica()
    asked = Asked(world)
    asking = asyncio.ensure_future(asked.once("key", seconds=5.0))
    await asyncio.sleep(1.0)
    replica.engine.failure_rate = 1.0
    assert await asking == (201, {"number": 1})
    replica.engine.failure_rate = 0.0
    with pytest.raises(StillRunning):
        await asked.once("key")


@simulated
async def test_a_start_alone_on_the_store_frees_the_keys_in_use_and_keeps_answers(
    world: World,
) -> None:
    world.start_replica()
    asked = Asked(world)
    await asked.once("answered")
    lost = asyncio.ensure_future(asked.once("cut short", seconds=1e9))
    await asyncio.sleep(1.0)
    await world.replicas[-1].kill()
    await asyncio.wait([lost])
    await world.start_replica().parts.idempotency.forget_unfinished()
    assert await asked.once("cut short") == (201, {"number": 3})
    assert await asked.once("answered") == (201, {"number": 1})


@simulated
async def test_a_failure_forgets_its_own_key_alone(world: World) -> None:
    world.start_replica()
    asked = Asked(world)
    await asked.once("key")
    await asked.once("key", OTHER_DOMAIN)

    async def fails() -> tuple[int, dict[str, Any]]:
        raise GatewayExists

    kept = world.replicas[-1].parts.idempotency
    for domain_id in (DOMAIN, OTHER_DOMAIN):
        with pytest.raises(GatewayExists):
            await kept.once(domain_id, "failing", REQUEST, fails)
    assert await asked.once("key") == (201, {"number": 1})
    assert await asked.once("key", OTHER_DOMAIN) == (201, {"number": 2})
    assert await asked.once("failing") == (201, {"number": 3})
    assert await asked.once("key") == (201, {"number": 1})
