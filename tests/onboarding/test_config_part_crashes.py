"""A real process is ended with SIGKILL while it makes a config with its client and channels.

Started again, it comes to rest without anybody acting: the config with all of it, or nothing.
"""

from __future__ import annotations

import contextlib
import uuid
from typing import Any

import httpx
import pytest
from attrs import frozen

from tests.onboarding.auditing import come_to_rest
from tests.onboarding.test_crashes import Beside, beside
from tests.service.running import KEY, Running

__all__ = ["beside"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLS = 16
WITH_CLIENT = "clients/configs/with-client"
THINGS = "things/configs"


@frozen
class Left:
    """What there is of one config: names on the platform, connections, and configs."""

    clients: list[str]
    channels: list[str]
    connected: int
    configs: int


async def made(running: Running, path: str, name: str) -> str:
    answer = await running.platform.post(
        f"/{running.domain}/{path}", json={"name": name}, headers=running.headers
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def left(running: Running, name: str, channels: list[str]) -> Left:
    connected = 0
    for channel in channels:
        path = f"/{running.domain}/clients?channel={channel}"
        page = (await running.platform.get(path, headers=running.headers)).json()
        connected += page["total"]
    there = []
    for channel in channels:
        path = f"/{running.domain}/channels/{channel}"
        answer = await running.platform.get(path, headers=running.headers)
        there += [channel] if answer.status_code == 200 else []
    path = f"/{running.domain}/clients?status=all&limit=100&name={name}"
    clients = (await running.platform.get(path, headers=running.headers)).json()
    configs = await running.get(f"/clients/configs?status=all&external_id={name}")
    return Left(
        [each["name"] for each in clients.get("clients", [])],
        there,
        connected,
        len(configs["configs"]),
    )


async def asked(beside: Beside, name: str, kind: str) -> tuple[str, dict[str, Any], list[str]]:
    """Return a path, a body, and the channels that it names."""
    body = {"external_id": name, "external_key": KEY, "name": name}
    if kind == "thing":
        channels = [str(uuid.uuid4()) for _ in range(2)]
        return THINGS, body | {"channels": channels}, channels
    channels = [await made(beside.platform, "channels", f"{name}-{n}") for n in range(2)]
    if kind == "client":
        body["client_id"] = await made(beside.platform, "clients", f"{name}-there")
    return WITH_CLIENT, body | {"channels": channels}, channels


async def ended(beside: Beside, name: str, kind: str, wanted: int, part: str) -> tuple[bool, Left]:
    """Ask for a config, end the process after a call, and start it again.

    Return whether it came to that call, and what is left at rest.
    """
    path, body, channels = await asked(beside, name, kind)
    process = await beside.service.start()
    beside.switch.arm(process, wanted, after=True, part=part)
    async with beside.service.reached(beside.platform) as running:
        place = f"/{running.domain}/{path}"
        with contextlib.suppress(httpx.TransportError):
            await running.http.post(place, json=body, headers=running.headers)
    fired = beside.switch.fired
    await beside.service.stop()
    beside.switch.arm(await beside.service.start(), 0, after=False)
    try:
        async with beside.service.reached(beside.platform) as running:
            await come_to_rest(running, name)
            return fired, await left(running, name, channels)
    finally:
        await beside.service.stop()


def nothing(name: str, kind: str, found: Left) -> bool:
    there = [f"{name}-there"] if kind == "client" else []
    channels = 0 if kind == "thing" else 2
    return (found.clients, len(found.channels), found.connected, found.configs) == (
        there,
        channels,
        0,
        0,
    )


def whole(name: str, kind: str, found: Left) -> bool:
    there = [f"{name}-there"] if kind == "client" else [name]
    connected = 0 if kind == "thing" else 2
    return (found.clients, len(found.channels), found.connected, found.configs) == (
        there,
        2,
        connected,
        1,
    )


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("client", "channels/connect"),
        ("new client", "channels/connect"),
        ("thing", "channels/bulk"),
    ],
    ids=["client", "new client", "thing"],
)
async def test_killed_in_the_middle(beside: Beside, kind: str, part: str) -> None:
    name = f"middle-{uuid.uuid4().hex[:6]}"
    fired, found = await ended(beside, name, kind, 1, part)
    assert fired
    assert nothing(name, kind, found), found


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["client", "new client", "thing"])
async def test_killed_after_every_call_that_changes_something(beside: Beside, kind: str) -> None:
    for wanted in range(1, CALLS):
        name = f"every{wanted}-{uuid.uuid4().hex[:6]}"
        fired, found = await ended(beside, name, kind, wanted, "POST")
        assert nothing(name, kind, found) or whole(name, kind, found), found
        if not fired:
            assert whole(name, kind, found)
            break
    assert wanted > 2
