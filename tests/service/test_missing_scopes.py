"""A token that lacks a right: one status and one sentence, whichever step it is that needs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.service.running import Running, answered, beside_platform

STEPS = [
    ("POST", "/clients/bulk", "POST", "client_create"),
    ("POST", "/channels/bulk", "POST", "channel_create"),
    ("POST", "/channels/connect", "POST", "client_connect_to_channel"),
    ("PATCH", "/secret", "rotate", "client_update"),
    ("DELETE", "/clients/", "DELETE", "client_delete"),
    ("DELETE", "/channels/", "DELETE", "channel_delete"),
    ("GET", "/clients", "repair", "client_read"),
    ("GET", "/channels", "repair", "channel_read"),
    ("GET", "/domains/", "POST", ""),
]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with beside_platform(tmp_path) as service:
        yield service


@pytest.mark.parametrize(("method", "part", "asked", "right"), STEPS)
@pytest.mark.slow
async def test_a_missing_scope_is_403_and_named(
    running: Running, method: str, part: str, asked: str, right: str
) -> None:
    assert running.wire is not None
    if asked != "POST":
        assert (await running.map()).status_code == 201
    running.wire.fail(method, part, answered(403, {"message": "failed to perform authorization"}))

    answer = await _ask(running, asked)

    assert answer.status_code == 403, answer.text
    told = answer.json()
    if right:
        assert told["code"] == "not_permitted"
        assert "your role or token lacks the right" in told["message"]
        assert f'"{right}"' in told["message"]
    else:
        assert "your token may not read it" in told["message"]


async def _ask(running: Running, asked: str) -> httpx.Response:
    if asked == "DELETE":
        path = f"/{running.domain}/mapping/gw-1"
        return await running.http.delete(path, headers=running.headers)
    if asked == "POST":
        return await running.map()
    return await running.map(on_existing=asked)
