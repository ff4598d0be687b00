"""While a service is down, calls to it fail at once, and others do not notice."""

import asyncio

import attrs
import pytest

from provision.platform.errors import (
    Failed,
    PlatformError,
    TimedOut,
    Unavailable,
)
from tests.platform.faulty import (
    HASTY,
    QUICK,
    Behaviour,
    FaultyServer,
    answers,
    closes,
    sends,
    speaking_to,
    stalls,
)
from tests.platform.samples import CLIENT, DOMAIN, TOKEN, VIEWED, create, view


@pytest.mark.parametrize("fault", [answers(502), closes(), stalls()], ids=["502", "closed", "slow"])
async def test_while_the_platform_is_down_calls_fail_at_once(
    fault: Behaviour, server: FaultyServer
) -> None:
    server.otherwise = fault
    settings = attrs.evolve(HASTY, attempts=1, breaker_failures=2, breaker_seconds=1.0)
    async with server.serving() as address, speaking_to(address, settings) as platform:
        for _ in range(2):
            with pytest.raises((TimedOut, Failed)):
                await view(platform)

        with pytest.raises(Unavailable, match="does not answer") as caught:
            await create(platform)
        assert caught.value.retry_after
        assert len(server.received) == 2

        server.otherwise = answers(200, VIEWED)
        await asyncio.sleep(1.1)
        await view(platform)
        await view(platform)
        assert len(server.received) == 4


async def test_one_service_that_is_down_does_not_take_others_with_it(server: FaultyServer) -> None:
    server.otherwise = answers(502)
    settings = attrs.evolve(QUICK, attempts=1, breaker_failures=1, breaker_seconds=60)
    async with server.serving() as address, speaking_to(address, settings) as platform:
        with pytest.raises(Failed):
            await view(platform)
        with pytest.raises(Failed):
            await platform.channels.view(TOKEN, DOMAIN, CLIENT)
        with pytest.raises(Unavailable):
            await view(platform)


async def test_refusals_and_failures_of_single_calls_do_not_count_as_being_down(
    server: FaultyServer,
) -> None:
    settings = attrs.evolve(QUICK, attempts=1, breaker_failures=1, breaker_seconds=60)
    server.script.extend([answers(500), answers(403), answers(429), sends(200, b"<html>")])
    server.otherwise = answers(200, VIEWED)
    async with server.serving() as address, speaking_to(address, settings) as platform:
        for _ in range(4):
            with pytest.raises(PlatformError):
                await view(platform)

        await view(platform)
