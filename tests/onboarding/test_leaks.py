"""The recorded ways in which the Go service leaves something behind: here nothing is left."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import httpx
import pytest
from attrs import frozen

from tests.onboarding.auditing import PATIENCE, find
from tests.service.running import Behaviour, Running, answered, failed_when_done

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOST = answered(500)
DOWN = answered(503, b"")


@frozen
class Case:
    """The call that fails: method, a part of its path, how, and which of them (0 is the first)."""

    method: str
    part: str
    how: Behaviour
    times: int = 1
    external_key: str = "device-key-1"
    name: str | None = None
    statuses: tuple[int, ...] = (502,)


CASES = {
    "client_create": Case("POST", "/clients/bulk", LOST, 99),
    "client_create_F": Case("POST", "/clients/bulk", failed_when_done, statuses=(201,)),
    "client_view": Case("GET", "/clients", LOST, statuses=(201,)),
    "channel1_create": Case("POST", "/channels/bulk", LOST, 99),
    "channel2_create": Case("POST", "/channels/bulk", answered(400), 99, statuses=(400,)),
    "channel2_create_F": Case("POST", "/channels/bulk", failed_when_done, statuses=(201,)),
    "channel1_view": Case("GET", "/channels", LOST, statuses=(201,)),
    "channel2_view": Case("GET", "/channels", LOST, 99, statuses=(201,)),
    "connect": Case("POST", "/channels/connect", LOST, 99),
    "connect_F": Case("POST", "/channels/connect", failed_when_done, statuses=(201,)),
    "certificate": Case("POST", "/certs/csrs", LOST, 99),
    "certificate_F": Case("POST", "/certs/csrs", failed_when_done, statuses=(201,)),
    "name_1010": Case("-", "-", LOST, name="n" * 1010, statuses=(201,)),
    "long_key": Case("-", "-", LOST, external_key="k" * 73, statuses=(201,)),
    "channels_down": Case("POST", "/channels/", DOWN, 99, statuses=(503,)),
    "certificates_down": Case("POST", "/certs/", DOWN, 99, statuses=(503,)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.slow
async def test_nothing_is_left(shared: Running, case: str) -> None:
    wire, made = shared.wire, CASES[case]
    assert wire
    wire.fail(made.method, made.part, made.how, made.times)
    more: dict[str, Any] = {"name": made.name} if made.name else {}
    answer = await shared.map(case, external_key=made.external_key, layout="gateway", **more)
    wire.faults.clear()
    assert answer.status_code in made.statuses, answer.text
    if answer.status_code == 201:
        assert (await shared.fetch(case, made.external_key)).status_code == 200
        removed = await shared.http.delete(
            f"/{shared.domain}/mapping/{case}?record=true", headers=shared.headers
        )
        assert removed.status_code in (202, 204)
    await _nothing(shared, case)


@pytest.mark.slow
async def test_nothing_is_left_when_the_clean_up_fails_too(shared: Running) -> None:
    assert shared.wire
    shared.wire.fail("POST", "/channels/connect", LOST)
    shared.wire.fail("POST", "/channels/connect", LOST)
    shared.wire.fail("POST", "/channels/connect", LOST)
    shared.wire.fail("DELETE", "/clients/", LOST, times=2)
    answer = await shared.map("cleanup", layout="gateway")
    assert answer.status_code == 502
    assert "still being removed" in answer.json()["message"]
    await _nothing(shared, "cleanup")
    shared.wire.faults.clear()


async def test_nothing_is_left_when_the_token_ends_midway(shared: Running) -> None:
    assert shared.wire
    refused = answered(401)
    shared.wire.fail("POST", "/channels/connect", refused)
    shared.wire.fail("DELETE", "/", refused)
    answer = await shared.map("token", layout="gateway")
    assert answer.status_code == 401
    # While no credentials are valid, the list says what it waits for.
    async with asyncio.timeout(PATIENCE):
        while True:
            (row,) = (await shared.get("/onboardings?external_id=token"))["onboardings"]
            if row["state"] == "stuck":
                break
            await asyncio.sleep(0.1)
    assert row["error"]["code"] == "invalid_token"
    shared.wire.faults.clear()
    # Any request to the domain that brings a valid token lets it go on.
    await _nothing(shared, "token")


@pytest.mark.parametrize("part", ["/channels/bulk", "/channels/connect"])
async def test_nothing_is_left_when_the_caller_hangs_up(shared: Running, part: str) -> None:
    assert shared.wire
    reached = asyncio.Event()

    async def held(request: httpx.Request, inner: httpx.AsyncBaseTransport) -> httpx.Response:
        reached.set()
        await asyncio.sleep(0.2)
        return await inner.handle_async_request(request)

    external_id = f"gone-{part[-4:]}"
    shared.wire.fail("POST", part, held, 1)
    asking = asyncio.create_task(shared.map(external_id, layout="gateway"))
    await reached.wait()
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking
    found = await find(shared, external_id)
    assert found.state == "done"
    assert (len(found.clients), len(found.channels), found.connected) == (1, 2, 2)
    again = await shared.map(external_id, layout="gateway")
    assert again.status_code == 200
    shared.wire.faults.clear()


async def _nothing(shared: Running, external_id: str) -> None:
    found = await find(shared, external_id)
    assert found.nothing, found
