"""A platform whose services do not reach each other for a moment: never the caller's mistake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.service.running import Running, answered, beside_platform

FAULT = answered(422, {"message": "failed to create entity"})


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with beside_platform(tmp_path) as service:
        yield service


async def test_a_connection_that_is_refused_for_a_moment_is_made(running: Running) -> None:
    assert running.wire is not None
    running.wire.fail("POST", "/channels/connect", FAULT, times=2)
    assert (await running.map()).status_code == 201


async def test_a_connection_that_stays_refused_is_503_and_leaves_nothing(running: Running) -> None:
    assert running.wire is not None
    running.wire.fail("POST", "/channels/connect", FAULT)

    answer = await running.map()

    assert (answer.status_code, answer.json()["code"]) == (503, "platform_not_ready")
    assert answer.headers["retry-after"] == "1"
    assert await running.nothing_is_there()


async def test_a_disabled_client_is_named_where_its_connection_is_repaired(
    running: Running,
) -> None:
    made = (await running.map()).json()
    client, channel = made["clients"][0]["id"], made["channels"][0]["id"]
    base = f"/{running.domain}"
    pair = {"client_ids": [client], "channel_ids": [channel], "types": ["publish", "subscribe"]}
    for path, body in (
        (f"{base}/channels/disconnect", pair),
        (f"{base}/clients/{client}/disable", None),
    ):
        answer = await running.platform.post(path, json=body, headers=running.headers)
        assert answer.status_code in (200, 204)

    repaired = await running.map(on_existing="repair")

    assert repaired.status_code == 409
    assert f"client {client} is disabled" in repaired.json()["message"]
