"""A store that is stopped, frozen, locked or full: told as such, in bounded time, and got over."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from attrs import define
from sqlalchemy import Connection, Engine, event

from bootstrap_core.store import device_reads
from provision.api import operations
from provision.store import database as product
from provision.store import postgresql
from tests.database import FILE, url_of, with_schema
from tests.service.running import Running, embedded
from tests.service.way import Way, way_to

PATIENCE = 30.0
Reached = tuple[Running, Way]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give everything up sooner than in production."""
    monkeypatch.setattr(postgresql, "CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(postgresql, "POOL_SECONDS", 0.5)
    monkeypatch.setattr(postgresql, "SILENCE_SECONDS", 0.5)
    monkeypatch.setattr(device_reads, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(product, "TURN_SECONDS", 1.0)
    monkeypatch.setattr(operations, "PATIENCE", 0.5)
    monkeypatch.setattr(product, "BUSY_MILLISECONDS", 200)


@pytest.fixture
async def reached(tmp_path: Path, hasty: None) -> AsyncIterator[Reached]:
    """A service, and its way to the database."""
    with_schema(tmp_path / "store")
    async with way_to(url_of(tmp_path / "store")) as (way, url):
        shutdown = {"MG_PROVISION_SHUTDOWN_GRACE": "0.05"}
        async with embedded(tmp_path, MG_PROVISION_DATABASE_URL=url, **shutdown) as running:
            yield running, way
            await way.open()


def _requests(running: Running) -> list[tuple[str, str]]:
    """Return what people, programs and devices ask: reads, writes, of every part of the service."""
    domain = running.domain
    return [
        ("GET", f"/{domain}/gateways"),
        ("GET", f"/{domain}/onboardings"),
        ("POST", f"/{domain}/mapping"),
        ("GET", f"/{domain}/clients"),
        ("POST", f"/{domain}/channels"),
        ("GET", f"/{domain}/clients/configs"),
        ("POST", f"/{domain}/clients/configs"),
        ("GET", "/clients/bootstrap/gw-1"),
        ("GET", "/metrics"),
    ]


async def _ask(running: Running, method: str, path: str) -> httpx.Response:
    headers = running.headers
    if "/clients/bootstrap/" in path:
        headers = {"Authorization": "Client a-key"}
    body = {"external_id": "gw-9", "external_key": "k", "name": "n"}
    json = body if method == "POST" else None
    return await running.http.request(method, path, headers=headers, json=json)


def _assert_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.json()["code"] in ("unavailable", "store_failed"), answer.text
    assert int(answer.headers["Retry-After"]) > 0
    for private in ("127.0.0.1", "sqlalchemy", "Errno"):
        assert private not in answer.text


async def _all_unavailable(running: Running) -> None:
    async with asyncio.timeout(PATIENCE):
        health = await running.http.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "fail")
        assert health.json()["checks"]["store"][0]["output"]
        assert "127.0.0.1" not in health.text
        # More at once than there are connections.
        wanted = _requests(running) * 5
        for answer in await asyncio.gather(*(_ask(running, *each) for each in wanted)):
            _assert_unavailable(answer)


async def _works_again(running: Running) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await running.http.get("/health")).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        assert (await running.map("gw-after")).is_success
        assert (await running.fetch("gw-after")).status_code == 200
        assert (await running.fetch("gw-1")).status_code == 200


@pytest.mark.postgresql("a file is not reached over a network")
@pytest.mark.parametrize("how", ["cut", "frozen"])
async def test_a_server_that_is_gone_is_told_and_got_over(reached: Reached, how: str) -> None:
    running, way = reached
    assert (await running.map("gw-1")).status_code == 201
    assert (await running.fetch("gw-1")).status_code == 200
    for _ in range(2):
        if how == "cut":
            await way.cut()
        else:
            way.freeze()
        await _all_unavailable(running)
        await way.open()
        await _works_again(running)


@define
class Pages:
    """How many pages a database file may have."""

    most: int = 1_000_000

    def limit(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {self.most}")


@pytest.fixture
def pages() -> Iterator[Pages]:
    """Limit what every write transaction from now on may write."""
    made = Pages()
    event.listen(Engine, "begin", made.limit)
    yield made
    event.remove(Engine, "begin", made.limit)


@pytest.mark.sqlite("locks the file from another process")
async def test_a_file_that_another_process_locks_is_told(tmp_path: Path, hasty: None) -> None:
    async with embedded(tmp_path) as running:
        assert (await running.map("gw-1")).status_code == 201
        other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        _assert_unavailable(await _ask(running, "POST", f"/{running.domain}/channels"))
        _assert_unavailable(await running.map("gw-2"))
        # On a busy machine the time for the whole check may be over first.
        async with asyncio.timeout(30.0):
            while "locked" not in await _store_fault(running):
                pass
        assert (await running.fetch("gw-1")).status_code == 200
        other.execute("ROLLBACK")
        other.close()
        await _works_again(running)


@pytest.mark.sqlite("limits the pages of the file")
async def test_a_full_disk_is_told(tmp_path: Path, hasty: None, pages: Pages) -> None:
    async with embedded(tmp_path) as running:
        assert (await running.map("gw-1")).status_code == 201
        pages.most = 1
        body = {"external_id": "gw-2", "external_key": "k", "content": "x" * 500_000}
        path = f"/{running.domain}/clients/configs"
        _assert_unavailable(await running.http.post(path, json=body, headers=running.headers))
        pages.most = Pages().most
        await _works_again(running)


async def _store_fault(running: Running) -> str:
    health = await running.http.get("/health")
    assert health.status_code == 503
    return str(health.json()["checks"]["store"][0]["output"])
