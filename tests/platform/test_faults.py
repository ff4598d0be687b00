"""The adapter on a platform that misbehaves: every fault has its own clear end."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator

import attrs
import httpx
import pytest

from bootstrap_core.secret import Secret
from provision.platform.errors import (
    BadAnswer,
    Failed,
    InvalidToken,
    Overloaded,
    PlatformError,
    Rejected,
    TimedOut,
    Unavailable,
)
from provision.platform.magistrala import Magistrala
from provision.platform.magistrala_transport import Transport
from provision.platform.types import ClientQuery, Connections, NewClient
from tests.platform.faulty import (
    QUICK,
    Behaviour,
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

TOKEN = Secret("a.secret.token")
DOMAIN = "0b1e36e0-3f8b-4b7f-9f7c-0a7d9a5f1c11"
CLIENT = "7c2f84a1-8e5e-4b53-8a43-d0d3a0d0f2b2"
OTHER = "c7f62a5e-6d27-4d6b-9a40-7c1d5f9f4a33"
VIEWED = {
    "id": CLIENT,
    "name": "gw",
    "domain_id": DOMAIN,
    "credentials": {"secret": "s"},
    "created_at": "2026-01-02T03:04:05.678901234Z",
    "updated_at": "0001-01-01T00:00:00Z",
    "status": "enabled",
}
NEW = NewClient(CLIENT, "gw", Secret("client-secret"))

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


@pytest.fixture
def server() -> FaultyServer:
    return FaultyServer()


@pytest.fixture
async def platform(server: FaultyServer) -> AsyncIterator[Magistrala]:
    async with server.serving() as address, speaking_to(address) as adapter:
        yield adapter


async def view(platform: Magistrala) -> None:
    assert (await platform.view_client(TOKEN, DOMAIN, CLIENT)).name == "gw"


async def create(platform: Magistrala) -> None:
    await platform.create_clients(TOKEN, DOMAIN, [NEW])


@pytest.mark.parametrize("fault", OUTCOME_UNKNOWN)
async def test_reading_is_repeated_until_it_succeeds(
    fault: str, server: FaultyServer, platform: Magistrala
) -> None:
    server.script.extend([OUTCOME_UNKNOWN[fault], answers(200, VIEWED)])

    await view(platform)

    assert len(server.received) == 2


@pytest.mark.parametrize(
    ("fault", "kind"),
    [*((name, TimedOut) for name in (*BROKEN_OFF, "slow")), ("500", Failed), ("502", Failed)],
)
async def test_creating_is_never_repeated_when_it_may_have_taken_effect(
    fault: str, kind: type[PlatformError], server: FaultyServer, platform: Magistrala
) -> None:
    server.script.extend([OUTCOME_UNKNOWN[fault]])

    with pytest.raises(kind, match="clients service") as caught:
        await create(platform)

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
        await platform.delete_client(TOKEN, DOMAIN, CLIENT)

    assert [each.method for each in server.received] == ["POST", "DELETE"]


async def test_what_changes_nothing_the_second_time_is_repeated(
    server: FaultyServer, platform: Magistrala
) -> None:
    server.script.extend([closes(), answers(204), closes(), answers(200, {})])

    await platform.disconnect(TOKEN, DOMAIN, Connections([CLIENT], [OTHER]))
    await platform.disable_client(TOKEN, DOMAIN, CLIENT)

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
    server: FaultyServer, platform: Magistrala
) -> None:
    server.otherwise = stalls()
    started = time.monotonic()

    with pytest.raises(TimedOut, match=r"did not answer within 0\.25 s"):
        await create(platform)

    assert time.monotonic() - started < 1


async def test_all_attempts_together_end_within_the_total_time_out(server: FaultyServer) -> None:
    server.otherwise = stalls()
    settings = attrs.evolve(QUICK, attempts=100, call_timeout=0.2, total_timeout=0.5)
    started = time.monotonic()

    async with server.serving() as address, speaking_to(address, settings) as platform:
        with pytest.raises(TimedOut):
            await view(platform)

    assert time.monotonic() - started < 0.8
    assert len(server.received) in (2, 3)


async def test_an_answer_that_drips_in_ends_within_the_time_out(
    server: FaultyServer, platform: Magistrala
) -> None:
    server.otherwise = drips(0.01)

    with pytest.raises(TimedOut):
        await create(platform)


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

    assert 1.0 <= time.monotonic() - started < 1.5


async def test_being_told_to_wait_too_long_ends_at_once_and_says_how_long(
    server: FaultyServer, platform: Magistrala
) -> None:
    server.otherwise = answers(429, Retry_After="60")
    started = time.monotonic()

    with pytest.raises(Overloaded) as caught:
        await create(platform)

    assert caught.value.retry_after == 60
    assert time.monotonic() - started < 0.5
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


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"<html><body>Bad Gateway</body></html>", b"\xff\xfe", b"[" * 100_000],
    ids=["empty", "cut JSON", "HTML", "no text", "endless nesting"],
)
async def test_what_is_no_json_names_the_service(
    body: bytes, server: FaultyServer, platform: Magistrala
) -> None:
    server.script.append(sends(200, body))

    with pytest.raises(BadAnswer, match="clients service's answer to view clients is not JSON"):
        await view(platform)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": None}, "id is missing, expected text"),
        ({"id": 7}, "id is a number, expected text"),
        ({"credentials": "s3cret-value"}, "credentials is other text, expected an object"),
        ({"credentials": {"secret": 5}}, r"credentials\.secret is a number, expected text"),
        ({"metadata": []}, "metadata is a list, expected an object"),
        ({"tags": [1]}, r"tags\[0\] is a number, expected text"),
        ({"tags": {}}, "tags is an object, expected a list"),
        ({"status": "odd"}, "status is other text, expected enabled or disabled"),
        ({"created_at": "soon"}, "created_at is other text, expected a time"),
        ({"created_at": "2026-01-01T00:00:00"}, "created_at is other text, expected a time with"),
        ({"created_at": "0001-01-01T00:00:00+05:00"}, "created_at is other text"),
    ],
)
async def test_a_wrong_shape_names_the_service_and_the_field_but_no_value(
    change: dict[str, object], field: str, server: FaultyServer, platform: Magistrala
) -> None:
    server.script.append(answers(200, {**VIEWED, **change}))

    with pytest.raises(BadAnswer, match=f"clients service.*view clients.*{field}") as caught:
        await view(platform)

    assert "s3cret-value" not in str(caught.value)
    assert caught.value.status == 502


@pytest.mark.parametrize("document", [[], "text", 5, None, True])
async def test_an_answer_that_is_no_object_is_refused(
    document: object, server: FaultyServer, platform: Magistrala
) -> None:
    server.script.append(sends(200, json.dumps(document).encode()))

    with pytest.raises(BadAnswer, match=r"the body is .*, expected an object"):
        await view(platform)


@pytest.mark.parametrize(
    ("page", "field"),
    [
        ({"total": "1"}, "total is other text, expected a whole number"),
        ({"total": -1}, "total is a number, expected a whole number"),
        ({}, "total is missing"),
        ({"total": 1, "clients": {}}, "clients is an object, expected a list"),
        ({"total": 1, "clients": [{}]}, r"clients\[0\]\.id is missing"),
        ({"total": 1, "clients": [None]}, r"clients\[0\] is missing, expected an object"),
    ],
)
async def test_a_wrong_list_names_the_member(
    page: dict[str, object], field: str, server: FaultyServer, platform: Magistrala
) -> None:
    server.script.append(answers(200, page))

    with pytest.raises(BadAnswer, match=field):
        await platform.list_clients(TOKEN, DOMAIN, ClientQuery())


async def test_a_bulk_call_that_half_succeeds_has_an_unknown_outcome(
    server: FaultyServer, platform: Magistrala
) -> None:
    server.script.append(answers(200, {"total": 1, "clients": [VIEWED]}))
    second = NewClient(OTHER, "second", Secret("other-secret"))

    with pytest.raises(BadAnswer, match="does not list the 2 that were asked for") as caught:
        await platform.create_clients(TOKEN, DOMAIN, [NEW, second])

    assert caught.value.outcome_unknown


async def test_a_bulk_answer_in_another_order_is_put_right(
    server: FaultyServer, platform: Magistrala
) -> None:
    second = NewClient(OTHER, "second", Secret("other-secret"))
    answered = [{**VIEWED, "id": OTHER, "name": "second"}, VIEWED]
    server.script.append(answers(200, {"total": 2, "clients": answered}))

    made = await platform.create_clients(TOKEN, DOMAIN, [NEW, second])

    assert [each.id for each in made] == [CLIENT, OTHER]


async def test_an_expired_token_is_told_at_once(server: FaultyServer, platform: Magistrala) -> None:
    server.otherwise = answers(401, {"message": "failed to perform authentication"})

    for call in (view(platform), create(platform)):
        with pytest.raises(InvalidToken):
            await call

    assert len(server.received) == 2


@pytest.mark.parametrize("token", ["", "two\r\nX-Evil: yes", "töken", "a\0b"])
async def test_a_token_that_no_header_can_hold_is_never_sent(
    token: str, server: FaultyServer, platform: Magistrala
) -> None:
    with pytest.raises(InvalidToken):
        await platform.view_client(Secret(token), DOMAIN, CLIENT)

    assert server.received == []


@pytest.mark.parametrize("entity", ["", ".", "..", "a\nb"])
async def test_an_id_that_no_path_can_hold_is_not_asked_for(
    entity: str, server: FaultyServer, platform: Magistrala
) -> None:
    with pytest.raises(PlatformError) as caught:
        await platform.view_client(TOKEN, DOMAIN, entity)
    with pytest.raises(PlatformError) as domain:
        await platform.view_domain(TOKEN, entity)

    assert (caught.value.code, domain.value.code) == ("not_found", "domain_not_found")
    assert server.received == []


async def test_a_strange_id_stays_one_segment_of_the_path(
    server: FaultyServer, platform: Magistrala
) -> None:
    server.otherwise = answers(403)

    with pytest.raises(PlatformError):
        await platform.view_client(TOKEN, DOMAIN, "../../users?x=#ü")

    assert server.received[0].path == f"/{DOMAIN}/clients/..%2F..%2Fusers%3Fx=%23%C3%BC"


async def test_no_secret_comes_back_in_an_error(server: FaultyServer, platform: Magistrala) -> None:
    echo = f"bad {NEW.secret.reveal()} of {TOKEN.reveal()}\r\n{'x' * 1_000}"
    server.otherwise = answers(400, {"message": echo})

    with pytest.raises(Rejected, match=r"bad \*+ of \*+") as caught:
        await create(platform)

    text = f"{caught.value!r} {caught.value}"
    assert "client-secret" not in text
    assert "a.secret.token" not in text
    assert "\n" not in text
    assert len(str(caught.value)) < 400
    assert caught.value.answered == 400


async def test_a_redirect_is_not_followed(server: FaultyServer, platform: Magistrala) -> None:
    server.otherwise = answers(301, Location="http://127.0.0.1:1/")

    with pytest.raises(BadAnswer, match="answered 301"):
        await view(platform)

    assert len(server.received) == 1


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
    settings = attrs.evolve(QUICK, pool_size=1, call_timeout=5.0)

    async with server.serving() as address, speaking_to(address, settings) as platform:
        abandoned = asyncio.create_task(view(platform))
        await asyncio.sleep(0.05)
        abandoned.cancel()
        with pytest.raises(asyncio.CancelledError):
            await abandoned
        await asyncio.wait_for(view(platform), 1)


@pytest.mark.parametrize("fault", [answers(502), closes(), stalls()], ids=["502", "closed", "slow"])
async def test_while_the_platform_is_down_calls_fail_at_once(
    fault: Behaviour, server: FaultyServer
) -> None:
    server.otherwise = fault
    settings = attrs.evolve(
        QUICK, attempts=1, breaker_failures=2, breaker_seconds=0.2, call_timeout=0.05
    )
    async with server.serving() as address, speaking_to(address, settings) as platform:
        for _ in range(2):
            with pytest.raises((TimedOut, Failed)):
                await view(platform)

        with pytest.raises(Unavailable, match="does not answer") as caught:
            await create(platform)
        assert caught.value.retry_after
        assert len(server.received) == 2

        server.otherwise = answers(200, VIEWED)
        await asyncio.sleep(0.25)
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
            await platform.view_channel(TOKEN, DOMAIN, CLIENT)
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
