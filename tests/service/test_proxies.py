"""Where a request comes from: a proxy's word is taken where the operator names it."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from tests.service.raw import Caller, serving

FORWARDED = (
    b"GET /caller HTTP/1.1\r\nHost: h\r\n"
    b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n\r\n"
)


async def caller_seen(port: int) -> bytes:
    caller = await Caller.connect(port)
    await caller.send(FORWARDED)
    head = await caller.reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    address = await caller.reader.readexactly(length)
    caller.close()
    return address


@pytest.mark.parametrize(
    ("named", "seen", "warnings"),
    [
        ([], b"127.0.0.1", 1),
        (["10.0.0.0/8"], b"127.0.0.1", 1),
        (["127.0.0.1"], b"192.0.2.7", 0),
        (["10.0.0.1", "127.0.0.0/8"], b"192.0.2.7", 0),
    ],
    ids=["none", "another", "its address", "its network"],
)
async def test_only_a_named_proxy_is_believed_and_another_is_warned_of_once(
    named: list[str], seen: bytes, warnings: int
) -> None:
    with capture_logs() as logs:
        async with serving(named=named) as (_, port):
            for _ in range(3):
                assert await caller_seen(port) == seen
    told = [log for log in logs if "MG_PROVISION_TRUSTED_PROXIES" in log["event"]]
    assert [log["address"] for log in told] == ["127.0.0.1"] * warnings
