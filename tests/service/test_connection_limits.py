"""Connections that are held: each phase has its time, and new callers find room."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from provision.limits import ServingLimits
from provision.serving.connections import Connections
from provision.serving.proxies import Proxies
from tests.service.raw import GET, Caller, serving
from tests.service.test_serving import Process
from tests.service.tls import self_signed

POST = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"
SHORT = ServingLimits(idle_time=1, head_time=0.3, body_time=0.3, answer_time=0.3)
pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b""),
        (b"\r\n", b"408"),
        (GET, b"408"),
        (b"GET", b"408"),
        (POST, b"408"),
        (POST + b"half", b"408"),
    ],
    ids=["nothing", "an empty line", "half a head", "half a method", "no body", "half a body"],
)
async def test_what_is_not_finished_is_closed_in_time(sent: bytes, status: bytes) -> None:
    async with serving(SHORT) as (server, port):
        caller = await Caller.connect(port)
        await caller.send(sent)
        answer = await caller.answer()
        caller.close()
        assert answer[9:12] == status
        if status:
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "request_timeout"
        await server.empty()


async def test_a_head_that_drips_is_closed_in_time() -> None:
    async with serving(SHORT) as (_, port):
        caller = await Caller.connect(port)
        answering = asyncio.create_task(caller.answer())
        await caller.send(b"GET / HTTP/1.1\r\n")
        while not answering.done():
            await caller.send(b"a: b\r\n")
            await asyncio.sleep(0.05)
        assert (await answering)[9:12] == b"408"
        caller.close()


async def test_an_idle_connection_is_closed_and_one_in_use_is_not() -> None:
    async with serving(SHORT) as (server, port):
        caller = await Caller.connect(port)
        for _ in range(8):
            await caller.send(GET + b"\r\n")
            assert await caller.head() == b"HTTP/1.1 200 OK"
            await asyncio.sleep(0.2)
        assert await caller.answer() == b""
        caller.close()
        await server.empty()


async def test_a_caller_that_reads_nothing_is_closed_in_time() -> None:
    async with serving(SHORT) as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n")
        await server.empty()
        assert reader is not None
        writer.transport.abort()


async def test_a_long_answer_is_not_taken_for_an_idle_connection() -> None:
    async with serving(SHORT) as (_, port):
        caller = await Caller.connect(port)
        await caller.send(b"GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        received = 0
        while part := await caller.reader.read(256 * 1024):
            received += len(part)
            await asyncio.sleep(0.05)
        assert received > 8 * 1024 * 1024
        caller.close()


async def test_the_one_that_waited_longest_makes_room() -> None:
    async with serving(ServingLimits(connections=4)) as (server, port):
        strangers = [await Caller.connect(port) for _ in range(12)]
        for stranger in strangers:
            await stranger.send(b"GET /")
        device = await Caller.connect(port)
        await device.send(GET + b"\r\n")
        assert await device.head() == b"HTTP/1.1 200 OK"
        assert len(server.open_connections) <= 4
        assert await strangers[0].answer() == b""
        for caller in (device, *strangers):
            caller.close()


async def test_who_waits_for_an_answer_is_not_closed_for_a_stranger() -> None:
    released = asyncio.Event()

    async def app(scope: Scope, _: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            await released.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with serving(ServingLimits(connections=2), app) as (_, port):
        devices = [await Caller.connect(port) for _ in range(2)]
        for device in devices:
            await device.send(b"GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
        await asyncio.sleep(0.2)
        stranger = await Caller.connect(port)
        assert await stranger.answer() == b""
        stranger.close()
        released.set()
        for device in devices:
            assert (await device.reader.readuntil(b"\r\n"))[9:12] == b"204"
            device.close()


class Held:
    """A connection of no kind."""

    def __init__(self) -> None:
        self.closed = False

    def abort(self) -> None:
        self.closed = True


def test_an_address_makes_room_for_itself_and_a_proxy_has_no_limit() -> None:
    limits = ServingLimits(connections=100, connections_by_address=2)
    held = Connections(limits, Proxies(["10.0.0.0/8"]))
    device, first, second, third = Held(), Held(), Held(), Held()
    held.add(device, "192.0.2.1")
    for connection in (first, second, third):
        assert held.add(connection, "2001:db8::1" if connection is first else "2001:db8::2")
    assert [each.closed for each in (device, first, second, third)] == [False, True, False, False]
    for _ in range(20):
        assert held.add(Held(), "10.1.2.3")
        assert held.add(Held(), "::ffff:10.1.2.3")
    held.works(second)
    held.works(third)
    assert not held.add(Held(), "2001:db8::3")
    assert len(held) == 43


async def test_tls_handshakes_that_nobody_finishes_make_room_too(tmp_path: Path) -> None:
    chain, key = self_signed(tmp_path, "127.0.0.1")
    trusted = ssl.create_default_context(cafile=str(chain))
    limits = ServingLimits(connections=4, handshake_time=1)
    async with serving(limits, certificate=(str(chain), str(key))) as (server, port):
        strangers = [await Caller.connect(port) for _ in range(12)]
        async with httpx.AsyncClient(verify=trusted) as device:
            for _ in range(2):
                assert (await device.get(f"https://127.0.0.1:{port}/")).status_code == 200
        for stranger in strangers:
            assert await stranger.answer() == b""
            stranger.close()
        await server.empty()


@pytest.mark.slow
def test_health_answers_while_strangers_hold_all_files(tmp_path: Path) -> None:
    """A process that may open 64 files, and 300 connections of strangers."""
    few = ("bash", "-c", 'ulimit -n 64; exec "$@"', "few")
    with Process(tmp_path / "data", before=few) as process:
        assert process.process
        port = int(process.base.rpartition(":")[2])
        script = (
            "import socket, sys, time\n"
            f"held = [socket.create_connection(('127.0.0.1', {port}), 5) for _ in range(300)]\n"
            "[each.sendall(b'GET /') for each in held[::2]]\n"
            "print('held', flush=True)\n"
            "sys.stdin.read()\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as strangers:
            assert strangers.stdout
            strangers.stdout.readline()
            before = cpu_seconds(process.process.pid)
            started = time.monotonic()
            for _ in range(20):
                assert httpx.get(f"{process.base}/health", timeout=20).status_code == 200
                time.sleep(0.05)
            busy = (cpu_seconds(process.process.pid) - before) / (time.monotonic() - started)
            strangers.kill()
        assert busy < 0.9, "the accept loop spins"


def cpu_seconds(process: int) -> float:
    """Return the processor time that a process has taken."""
    values = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / 100
