"""The adapter on a platform that misbehaves: every fault has its own clear end."""

import asyncio
import socket
import time

import attrs
import httpx
import pytest

from bootstrap_core.model import Status
from provision.platform.errors import (
    BadAnswer,
    Failed,
    Overloaded,
    PlatformError,
    TimedOut,
    Unavailable,
)
from provision.platform.magistrala.adapter import Magistrala
from provision.platform.transport import Transport
from provision.platform.types import Connections
from tests.platform.faulty import (
    QUICK,
    FaultyServer,
    answers,
    closes,
    cuts,
    drips,
    endpoints,
    resets,
    sends,
    speaking_to,
    stalls,
)
from tests.platform.samples import CLIENT, DOMAIN, OTHER, TOKEN, VIEWED, create, view

BROKEN_OFF = {
    "reset": resets(),
    "closed": closes(),
    "cut off in the middle of the body": cuts(b'{"id": "'),
}
OUTCOME_UNKNOWN = {
    **BROKEN_OFF,
    "500": answers(500),
    "502": sends(502, b"<html>"),
    "slow": stalls(),
}


@pytest.mark.parametrize("fault", OUTCOME_UNKNOWN)
async def test_reading_is_repeated_until_it_succeeds(
    fault: str, server: FaultyServer, hasty: Magistrala
) -> None:
    server.script.extend([OUTCOME_UNKNOWN[fault], answers(200, VIEWED)])

    await view(hasty)

    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("fault", "kind"),
    [*((name, TimedOut) for name in (*BROKEN_OFF, "slow")), ("500", Failed), ("502", Failed)],
)
async def test_creating_is_never_repeated_when_it_may_have_taken_effect(
    fault: str, kind: type[PlatformError], server: FaultyServer, hasty: Magistrala
) -> None:
    server.script.extend([OUTCOME_UNKNOWN[fault]])

    with pytest.raises(kind, match="clients service") as caught:
        await create(hasty)

    assert caught.value.outcome_unknown
    assert (caught.value.service, caught.value.operation) == ("clients", "create clients")
    assert len(server.received) == 1


async def test_connecting_and_deleting_are_not_repeated_either(
    server: FaultyServer, platform: Magistrala
) -> None:
    server.otherwise = closes()

    with pytest.raises(TimedOut):
        await platform.connect(TOKEN, DOMAIN, Connections([CLIENT], [OTHER]))
    with pytest.raises(TimedOut):
        await platform.clients.delete(TOKEN, DOMAIN, CLIENT)

    assert [each.method for each in server.received] == ["POST", "DELETE"]


async def test_what_changes_nothing_the_second_time_is_repeated(
    server: FaultyServer, platform: Magistrala
) -> None:
    server.script.extend([closes(), answers(204), closes(), answers(200, {})])

    await platform.disconnect(TOKEN, DOMAIN, Connections([CLIENT], [OTHER]))
    await platform.clients.set_status(TOKEN, DOMAIN, CLIENT, Status.DISABLED)

    assert len(server.received) == 4


async def test_reading_gives_up_after_all_its_attempts(
    server: FaultyServer, platform: Magistrala
) -> None:
    server.otherwise = answers(500, {"message": "no database"})

    with pytest.raises(Failed, match="clients service answered 500 to view clients: no database"):
        await view(platform)

    assert len(server.received) == QUICK.attempts


async def test_a_refused_connection_is_unavailable_for_every_kind_of_call() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    async with speaking_to(f"http://127.0.0.1:{port}") as platform:
        for call in (view, create):
            with pytest.raises(Unavailable, match="clients service can't be reached") as caught:
                await call(platform)
            assert not caught.value.outcome_unknown
            assert caught.value.status == 503


async def test_every_kind_of_call_is_repeated_when_nothing_was_sent(server: FaultyServer) -> None:
    class RefusesTwice(httpx.AsyncHTTPTransport):
        refusals = 2

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if self.refusals:
                self.refusals -= 1
                raise httpx.ConnectError("connection refused")
            return await super().handle_async_request(request)

    server.otherwise = answers(200, {"total": 1, "clients": [VIEWED]})
    async with (
        server.serving() as address,
        Transport(endpoints(address), QUICK, RefusesTwice()) as transport,
    ):
        await create(Magistrala(transport))

    assert len(server.received) == 1


async def test_a_slow_answer_ends_within_the_time_out(
    server: FaultyServer, hasty: Magistrala
) -> None:
    server.otherwise = stalls()

    with pytest.raises(TimedOut, match=r"did not answer within 1(\.0)? s"):
        await create(hasty)


async def test_all_attempts_together_end_within_the_total_time_out(server: FaultyServer) -> None:
    server.otherwise = stalls()
    settings = attrs.evolve(QUICK, attempts=100, call_timeout=0.2, total_timeout=0.5)

    async with server.serving() as address, speaking_to(address, settings) as platform:
        with pytest.raises(TimedOut):
            await view(platform)

    assert 1 <= len(server.received) <= 3


async def test_an_answer_that_drips_in_ends_within_the_time_out(
    server: FaultyServer, hasty: Magistrala
) -> None:
    server.otherwise = drips(0.01)

    with pytest.raises(TimedOut):
        await create(hasty)


async def test_an_endless_answer_is_not_kept(server: FaultyServer) -> None:
    server.otherwise = sends(200, b" " * 10_000)
    settings = attrs.evolve(QUICK, most_answer_bytes=1_000)

    async with server.serving() as address, speaking_to(address, settings) as platform:
        with pytest.raises(BadAnswer, match="over 1000 bytes"):
            await view(platform)


async def test_too_many_requests_waits_as_long_as_it_is_told(
    server: FaultyServer, platform: Magistrala
) -> None:
    server.script.extend(
        [answers(429, {"message": "slow down"}, Retry_After="1"), answers(200, VIEWED)]
    )
    started = time.monotonic()

    await view(platform)

    assert time.monotonic() - started >= 1.0


async def test_being_told_to_wait_too_long_ends_at_once_and_says_how_long(
    server: FaultyServer, platform: Magistrala
) -> None:
    server.otherwise = answers(429, Retry_After="3600")

    with pytest.raises(Overloaded) as caught:
        await create(platform)

    assert caught.value.retry_after == 3600
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("Wed, 21 Oct 2099 07:28:00 GMT", 1e9, 1e11),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("nonsense", None, None),
        ("-5", None, None),
    ],
)
async def test_a_date_to_wait_for_is_read_too(
    header: str, least: float | None, most: float | None, server: FaultyServer, platform: Magistrala
) -> None:
    server.otherwise = answers(503, Retry_After=header)

    with pytest.raises(Overloaded) as caught:
        await view(platform)

    asked = caught.value.retry_after
    assert asked is least if asked is None or least is None else least <= asked <= (most or 0)


async def test_creating_is_repeated_when_the_platform_asked_to_wait(
    server: FaultyServer, platform: Magistrala
) -> None:
    made = {"total": 1, "clients": [VIEWED]}
    server.script.extend([answers(429), answers(503), answers(200, made)])

    await create(platform)

    assert [each.json for each in server.received] == [server.received[0].json] * 3


async def test_calls_at_once_share_the_pool(server: FaultyServer) -> None:
    server.otherwise = answers(200, VIEWED)
    settings = attrs.evolve(QUICK, pool_size=2)

    async with server.serving() as address, speaking_to(address, settings) as platform:
        await asyncio.gather(*(view(platform) for _ in range(20)))

    assert len(server.received) == 20
    assert server.connections <= 2


async def test_a_caller_who_gives_up_frees_the_connection(server: FaultyServer) -> None:
    server.script.append(stalls())
    server.otherwise = answers(200, VIEWED)
    settings = attrs.evolve(QUICK, pool_size=1)

    async with server.serving() as address, speaking_to(address, settings) as platform:
        abandoned = asyncio.create_task(view(platform))
        while not server.received:  # noqa: ASYNC110 - it is played by another task
            await asyncio.sleep(0.01)
        abandoned.cancel()
        with pytest.raises(asyncio.CancelledError):
            await abandoned
        await view(platform)


async def test_cookies_of_one_call_are_not_sent_with_the_next(
    server: FaultyServer, hasty: Magistrala
) -> None:
    server.script.extend(
        [answers(200, VIEWED, **{"Set-Cookie": "session=somebody"}), answers(200, VIEWED)]
    )

    await view(hasty)
    await view(hasty)

    assert not any("cookie" in each.headers for each in server.received)
