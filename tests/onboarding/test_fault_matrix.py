"""Each call to the platform fails in each way: there is a whole gateway afterwards, or nothing."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from attrs import define

from tests.onboarding.auditing import Found, find
from tests.service.running import (
    Behaviour,
    Running,
    answered,
    failed_when_done,
    refused,
    timed_out,
    timed_out_when_done,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refused_when_done(
    request: httpx.Request, inner: httpx.AsyncBaseTransport
) -> httpx.Response:
    """A proxy that says 503 of a request that got through."""
    await (await inner.handle_async_request(request)).aread()
    return httpx.Response(503, content=b"", request=request)


WAYS: dict[str, Behaviour] = {
    "refused": refused,
    "400": answered(400),
    "401": answered(401),
    "403": answered(403),
    "422": answered(422),
    "500": answered(500),
    "502 without a body": answered(502, b""),
    "500 when done": failed_when_done,
    "503 when done": refused_when_done,
    "timed out": timed_out,
    "timed out when done": timed_out_when_done,
}
WHOLE = {
    "small": (1, 1, 1, 0),
    "gateway": (1, 2, 2, 1),
    "gateway-export": (2, 3, 3, 2),
}


@define
class NthCall:
    """The fault of the n-th call from now on (1 is the first), and of its repetitions."""

    wanted: int
    how: Behaviour
    times: int = 1
    seen: int = 0
    hit: str = ""

    def concerns(self, request: httpx.Request) -> bool:
        self.seen += 1
        call = f"{request.method} {request.url.path}"
        if self.seen == self.wanted:
            self.hit = call
        if call != self.hit or not self.times:
            return False
        self.times -= 1
        return True

    async def behave(self, request: httpx.Request, inner: httpx.AsyncBaseTransport) -> Any:
        return await self.how(request, inner)


@pytest.mark.slow
@pytest.mark.parametrize("layout", WHOLE)
@pytest.mark.parametrize("way", WAYS)
async def test_a_gateway_is_whole_or_not_there(shared: Running, layout: str, way: str) -> None:
    await shared.map("warm", layout="small")
    for times in (1, 4):
        await _every_call(shared, layout, way, times, "all")


@pytest.mark.parametrize(
    ("layout", "way"),
    [("gateway", "timed out when done"), ("small", "500"), ("gateway", "503 when done")],
)
@pytest.mark.slow
async def test_a_few_of_them(shared: Running, layout: str, way: str) -> None:
    await _every_call(shared, layout, way, 1, "few")


async def _every_call(shared: Running, layout: str, way: str, times: int, run: str) -> None:
    assert shared.wire
    position = 0
    while True:
        position += 1
        external_id = f"{run}{layout}{way.replace(' ', '')}x{times}n{position}"
        fault = NthCall(position, WAYS[way], times)
        shared.wire.faults = [fault]  # type: ignore[list-item]
        answer = await shared.map(external_id, layout=layout)
        shared.wire.faults = []
        _is_whole_or_nothing(await find(shared, external_id), layout, answer, fault)
        if not fault.hit:
            assert answer.status_code == 201
            break
    assert position > 3


def _is_whole_or_nothing(found: Found, layout: str, answer: httpx.Response, fault: NthCall) -> None:
    told = f"{fault.hit}: {answer.status_code} {answer.text[:300]} {found}"
    if found.state == "undone":
        assert found.nothing, told
        assert answer.status_code >= 400, told
        return
    clients, channels, connected, certificates = WHOLE[layout]
    assert len(found.clients) == clients, told
    assert len(found.channels) == channels, told
    assert found.connected == connected, told
    assert found.configs == 1, told
    assert found.fetched == 200, told
    assert found.certificates >= certificates, told
