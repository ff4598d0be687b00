"""Requests that are too large: refused before they are read whole, on real sockets."""

from __future__ import annotations

import json
import re

import pytest

from provision.limits import ServingLimits
from tests.service.raw import GET, Caller, asked, serving

MANY = 50 * 1024 * 1024
READ_MOST = 16 * 1024 * 1024
"""What fits into the buffers of both kernels and of both sides, with room to spare."""

HUGE = {
    "one header": (431, "headers_too_large", GET + b"X: " + b"a" * MANY),
    "a header's name": (431, "headers_too_large", GET + b"a" * MANY),
    "many headers": (431, "headers_too_large", GET + b"A: b\r\n" * 900_000),
    "many short lines": (431, "headers_too_large", GET + b"a:\r\n" * 101 + b"\r\n"),
    "a url": (414, "url_too_long", b"GET /" + b"a" * MANY),
    "a query": (414, "url_too_long", b"GET /?" + b"a=b&" * (MANY // 4)),
    "a method": (400, "malformed_request", b"A" * MANY),
    "empty lines": (431, "headers_too_large", b"\r\n" * (MANY // 2)),
    "a trailer": (
        431,
        "headers_too_large",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"a" * MANY,
    ),
    "many trailers": (
        431,
        "headers_too_large",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        + b"A: b\r\n" * 90_000,
    ),
    "a chunk's extension": (
        431,
        "headers_too_large",
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"a" * MANY,
    ),
}


@pytest.mark.parametrize(("status", "code", "request_"), HUGE.values(), ids=HUGE.keys())
async def test_what_is_too_large_is_refused_before_it_is_read(
    status: int, code: str, request_: bytes
) -> None:
    async with serving() as (_, port):
        got, answer, sent = await asked(port, request_)
        assert got == status, answer
        assert sent < READ_MOST
        head, _, body = answer.partition(b"\r\n\r\n")
        told = json.loads(body)
        assert told["code"] == code
        assert f"x-request-id: {told['request_id']}" in head.decode()
        assert b"connection: close" in head


async def test_the_answer_says_what_the_limit_is() -> None:
    async with serving() as (server, port):
        _, long, _ = await asked(port, b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n")
        _, many, _ = await asked(port, GET + b"A: b\r\n" * 100 + b"\r\n")
        await server.empty()
    assert re.search(rb"more than 16,384 bytes", long)
    assert re.search(rb"more than 100 headers", many)


async def test_what_is_as_large_as_allowed_is_served() -> None:
    url = b"GET /" + b"a" * (16 * 1024 - 1) + b" HTTP/1.1\r\nHost: h\r\n"
    headers = b"".join(b"X-%d: %s\r\n" % (at, b"v" * 400) for at in range(99))
    async with serving() as (_, port):
        caller = await Caller.connect(port)
        await caller.send(url + headers + b"\r\n")
        assert await caller.head() == b"HTTP/1.1 200 OK"
        caller.close()


async def test_a_body_counts_by_itself_and_requests_follow_one_another() -> None:
    post = b"POST / HTTP/1.1\r\nHost: h\r\n"
    whole = post + b"Content-Length: 900000\r\n\r\n" + b"x" * 900_000
    chunked = post + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n"
    async with serving() as (_, port):
        caller = await Caller.connect(port)
        for request in (whole, chunked, whole, GET + b"\r\n" + GET + b"\r\n"):
            await caller.send(request)
            assert await caller.head() == b"HTTP/1.1 200 OK"
        assert await caller.head() == b"HTTP/1.1 200 OK"
        caller.close()


async def test_a_pipelined_request_is_bounded_too() -> None:
    async with serving() as (_, port):
        caller = await Caller.connect(port)
        await caller.send(GET + b"\r\n" + GET + b"X: " + b"a" * MANY)
        assert caller.sent < READ_MOST
        await caller.answer()
        caller.close()


async def test_a_request_in_pieces_is_put_together() -> None:
    request = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
    async with serving(ServingLimits(head=200)) as (_, port):
        caller = await Caller.connect(port)
        for _ in range(3):
            for at in range(len(request)):
                await caller.send(request[at : at + 1])
            assert await caller.head() == b"HTTP/1.1 200 OK"
        caller.close()
