"""Configs that are made with a client, channels or connections: all of it, or nothing."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx
import pytest

from tests.onboarding.auditing import come_to_rest
from tests.service.running import KEY, Running, answered, failed_when_done, refused

GOOD = {"external_id": "gw-1", "external_key": KEY}
WITH_CLIENT = "clients/configs/with-client"
THINGS = "things/configs"


async def passed(request: httpx.Request, inner: httpx.AsyncBaseTransport) -> httpx.Response:
    return await inner.handle_async_request(request)


async def posted(running: Running, path: str, **body: Any) -> httpx.Response:
    place = f"/{running.domain}/{path}"
    return await running.http.post(place, json=body, headers=running.headers)


async def made(running: Running, path: str, **body: Any) -> str:
    """Make something on the platform; return its ID."""
    place = f"/{running.domain}/{path}"
    answer = await running.platform.post(place, json=body, headers=running.headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def connected(running: Running, channel_id: str) -> dict[str, list[str]]:
    """Return how each client is connected to a channel."""
    path = f"/{running.domain}/clients?channel={channel_id}"
    page = (await running.platform.get(path, headers=running.headers)).json()
    return {each["id"]: sorted(each["connection_types"]) for each in page.get("clients", [])}


def fail_second(running: Running, part: str, how: Any) -> None:
    assert running.wire
    running.wire.fail("POST", part, passed, times=1)
    running.wire.fail("POST", part, how)


HOW = pytest.mark.parametrize(
    ("how", "status"),
    [(answered(422), 422), (answered(401), 401), (refused, 503), (failed_when_done, 502)],
    ids=["refused", "token", "unreachable", "lost"],
)


@HOW
async def test_a_refused_connection_leaves_none_of_the_others(
    beside: Running, how: Any, status: int
) -> None:
    client = await made(beside, "clients", name="c")
    first, second = [await made(beside, "channels", name=name) for name in ("one", "two")]
    fail_second(beside, "channels/connect", how)
    answer = await posted(beside, WITH_CLIENT, **GOOD, client_id=client, channels=[first, second])
    assert answer.status_code == status, answer.text
    await come_to_rest(beside, "gw-1")
    assert [await connected(beside, each) for each in (first, second)] == [{}, {}]
    assert await beside.configs() == []
    assert (await beside.left_on_platform())["clients"] == ["c"]


async def test_what_was_connected_before_stays_as_it_was(beside: Running) -> None:
    client = await made(beside, "clients", name="c")
    first, second, third = [await made(beside, "channels", name=name) for name in "123"]
    for channel, types in ((first, ["publish"]), (second, ["publish", "subscribe"])):
        wanted = {"client_ids": [client], "channel_ids": [channel], "types": types}
        place = f"/{beside.domain}/channels/connect"
        assert (await beside.platform.post(place, json=wanted, headers=beside.headers)).is_success
    before = [await connected(beside, each) for each in (first, second, third)]
    assert beside.wire
    beside.wire.fail("POST", "channels/connect", passed, times=1)
    beside.wire.fail("POST", "channels/connect", passed, times=1)
    beside.wire.fail("POST", "channels/connect", answered(422))
    answer = await posted(
        beside, WITH_CLIENT, **GOOD, client_id=client, channels=[first, second, third]
    )
    assert answer.status_code == 422
    await come_to_rest(beside, "gw-1")
    assert [await connected(beside, each) for each in (first, second, third)] == before


async def test_what_is_connected_already_is_asked_for_side_by_side(beside: Running) -> None:
    client = await made(beside, "clients", name="c")
    channels = [await made(beside, "channels", name=name) for name in ("one", "two")]
    all_asked = asyncio.Barrier(len(channels))

    async def together(request: httpx.Request, inner: httpx.AsyncBaseTransport) -> httpx.Response:
        if "channel" in request.url.params:
            async with asyncio.timeout(10):
                await all_asked.wait()
        return await inner.handle_async_request(request)

    assert beside.wire
    beside.wire.fail("GET", "/clients", together)
    answer = await posted(beside, WITH_CLIENT, **GOOD, client_id=client, channels=channels)
    assert answer.status_code == 201, answer.text
    for channel in channels:
        assert await connected(beside, channel) == {client: ["Publish", "Subscribe"]}


@HOW
async def test_a_refused_connection_of_a_new_client_leaves_nothing(
    beside: Running, how: Any, status: int
) -> None:
    first, second = [await made(beside, "channels", name=name) for name in ("one", "two")]
    fail_second(beside, "channels/connect", how)
    answer = await posted(beside, WITH_CLIENT, **GOOD, channels=[first, second])
    assert answer.status_code == status, answer.text
    await come_to_rest(beside, "gw-1")
    assert await beside.left_on_platform() == {"clients": [], "channels": ["one", "two"]}
    assert await beside.configs() == []


@HOW
async def test_a_refused_channel_leaves_neither_thing_nor_channels(
    beside: Running, how: Any, status: int
) -> None:
    fail_second(beside, "channels", how)
    channels = [str(uuid.uuid4()) for _ in range(2)]
    answer = await posted(beside, THINGS, **GOOD, channels=channels)
    assert answer.status_code == status, answer.text
    await come_to_rest(beside, "gw-1")
    assert await beside.nothing_is_there()


async def test_a_config_that_cannot_be_made_touches_nothing(beside: Running) -> None:
    """The external ID is taken: what is on the platform is not touched to find that out."""
    assert (await posted(beside, "clients/configs", **GOOD)).status_code == 201
    client = await made(beside, "clients", name="c")
    channel = await made(beside, "channels", name="one")
    assert beside.wire
    beside.wire.calls.clear()
    answer = await posted(beside, WITH_CLIENT, **GOOD, client_id=client, channels=[channel])
    assert answer.status_code == 409
    assert "external_id" in answer.json()["message"]
    assert [each for each in beside.wire.calls if not each.startswith("GET")] == []


async def test_a_channel_that_another_request_made_is_not_removed(beside: Running) -> None:
    """The ID of a channel is the caller's choice: that it is taken does not make it ours."""
    channel = await made(beside, "channels", name="theirs")
    assert beside.wire
    beside.wire.fail("GET", f"channels/{channel}", answered(404), times=1)
    answer = await posted(beside, THINGS, **GOOD, channels=[channel])
    assert answer.status_code == 409
    await come_to_rest(beside, "gw-1")
    assert await beside.left_on_platform() == {"clients": [], "channels": ["theirs"]}


async def test_what_was_made_leaves_nothing_in_the_journal(beside: Running) -> None:
    channel = await made(beside, "channels", name="one")
    answer = await posted(beside, WITH_CLIENT, **GOOD, channels=[channel])
    assert answer.status_code == 201
    client = answer.json()["id"]
    assert await connected(beside, channel) == {client: ["Publish", "Subscribe"]}
    assert (await beside.get("/onboardings"))["onboardings"] == []
    assert (await beside.get("/gateways"))["gateways"] == []
