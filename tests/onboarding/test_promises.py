"""What an operator is promised when things go wrong, one by one."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from provision.onboarding.journal import Journal
from tests.onboarding.auditing import come_to_rest, find
from tests.onboarding.layouts import write_layouts
from tests.service.running import (
    KEY,
    FaultyWire,
    Running,
    answered,
    beside,
    by_key,
    embedded,
    refused,
    timed_out_when_done,
)


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Running]:
    """The platform alone, for services that come and go beside it."""
    async with embedded(tmp_path / "platform") as running:
        yield running


def _urls(directory: Path) -> dict[str, str]:
    names = ("CLIENTS", "CHANNELS", "USERS", "DOMAINS", "CERTS")
    if not (directory / "layouts").exists():
        write_layouts(directory)
    return {
        **{f"MG_PROVISION_{name}_URL": "http://platform" for name in names},
        "MG_PROVISION_LAYOUTS": str(directory / "layouts"),
        "MG_PROVISION_SHUTDOWN_GRACE": "0.05",
    }


def _wire(platform: Running) -> FaultyWire:
    inner = platform.http._transport
    assert isinstance(inner, httpx.ASGITransport)
    return FaultyWire(inner)


async def test_a_shutdown_in_the_middle_is_finished_after_the_next_start(
    tmp_path: Path, platform: Running
) -> None:
    wire, urls = _wire(platform), _urls(tmp_path)
    reached = asyncio.Event()

    async def endless(request: httpx.Request, _: httpx.AsyncBaseTransport) -> httpx.Response:
        reached.set()
        await asyncio.sleep(3600)
        raise AssertionError

    wire.fail("POST", "/channels/connect", endless, 1)
    async with beside(tmp_path / "service", wire, platform, **urls) as running:
        asking = asyncio.create_task(running.map(layout="gateway"))
        await reached.wait()
        asking.cancel()
    async with beside(tmp_path / "service", wire, platform, **urls) as running:
        found = await find(running, "gw-1")
    assert (found.state, found.connected, found.fetched) == ("done", 2, 200)


@pytest.mark.slow
async def test_a_removal_goes_on_while_the_platform_is_down_and_after_a_restart(
    tmp_path: Path, platform: Running
) -> None:
    wire, urls = _wire(platform), _urls(tmp_path)
    async with beside(tmp_path / "service", wire, platform, **urls) as running:
        assert (await running.map(layout="gateway")).status_code == 201
        wire.fail("DELETE", "/", refused)
        path = f"/{running.domain}/mapping/gw-1"
        for _ in range(2):
            removed = await running.http.delete(path, headers=running.headers)
            assert removed.status_code == 202
            assert removed.json()["onboarding"]["state"] in ("undoing", "stuck")
        assert (await running.fetch()).status_code == 403
    async with beside(tmp_path / "service", wire, platform, **urls) as running:
        wire.faults.clear()
        assert (await find(running, "gw-1")).nothing
        removed = await running.http.delete(path, headers=running.headers)
        assert removed.status_code == 204


@pytest.mark.slow
async def test_a_row_that_fails_for_long_is_stuck_in_list_and_metrics(beside: Running) -> None:
    assert beside.wire
    beside.wire.fail("POST", "/channels/connect", answered(500))
    beside.wire.fail("DELETE", "/clients/", answered(500))
    await beside.map(layout="small")
    row = {"state": ""}
    for _ in range(200):
        (row,) = (await beside.get("/onboardings"))["onboardings"]
        if row["state"] == "stuck":
            break
        await beside.http.post(
            f"/{beside.domain}/onboardings/{row['id']}/retry", headers=beside.headers
        )
    assert row["state"] == "stuck"
    assert row["error"]["code"] == "platform_failed"
    assert (await beside.get("/onboardings?state=stuck"))["total"] == 1
    metrics = (await beside.http.get("/metrics")).text
    assert 'provision_onboarding_rows{state="stuck"} 1.0' in metrics
    shown = await beside.get(f"/onboardings/{row['id']}")
    assert by_key(shown["steps"], name="connections")["error"]
    beside.wire.faults.clear()
    answer = await beside.http.post(
        f"/{beside.domain}/onboardings/{row['id']}/undo", headers=beside.headers
    )
    assert answer.json()["state"] == "undone"
    trail = (await beside.get(f"/onboardings/{row['id']}"))["audit"]
    assert [each["action"] for each in reversed(trail)][:2] == ["onboard", "undo"]
    assert {each["actor"] for each in trail} == {trail[0]["actor"]}
    assert by_key(trail, action="undo", outcome="done")
    assert KEY not in str(trail)
    assert (
        'provision_onboarding_rows{state="stuck"} 0.0' in (await beside.http.get("/metrics")).text
    )


async def test_a_config_made_by_hand_in_the_same_moment_wins(beside: Running) -> None:
    assert beside.wire

    async def meanwhile(request: httpx.Request, inner: httpx.AsyncBaseTransport) -> httpx.Response:
        body = {"external_id": "gw-1", "external_key": "theirs"}
        made = await beside.http.post(
            f"/{beside.domain}/clients/configs", json=body, headers=beside.headers
        )
        assert made.status_code == 201, made.text
        return await inner.handle_async_request(request)

    beside.wire.fail("POST", "/channels/connect", meanwhile, 1)
    answer = await beside.map(layout="small")
    assert answer.status_code == 409
    assert answer.json()["details"]["state"] == "undone"
    assert (await beside.fetch(key="theirs")).status_code in (200, 409)
    left = await beside.left_on_platform()
    assert left == {"clients": [], "channels": []}


@pytest.mark.parametrize("reason", ["database or disk is full", "database is locked"])
async def test_a_store_that_fails_at_the_commit_loses_nothing(
    beside: Running, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    async def fail(*_: object) -> None:
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError(reason))

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "commit", fail)
        answer = await beside.map(layout="gateway")
    assert answer.status_code == 503
    assert reason in answer.json()["message"]
    assert "removed again" in answer.json()["message"]
    assert (await find(beside, "gw-1")).nothing
    assert (await beside.map(layout="gateway")).status_code == 201


@pytest.mark.slow
async def test_a_store_that_fails_for_a_while_is_waited_for(
    beside: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk is full"))

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "commit", fail)
        patched.setattr(Journal, "begin_undo", fail)
        answer = await beside.map(layout="gateway")
        assert answer.status_code == 503
        assert "tried again in the background" in answer.json()["message"]
    (row,) = (await beside.get("/onboardings"))["onboardings"]
    assert row["state"] == "planned"
    (held,) = await _leased(beside)
    assert held == row["id"]


async def _leased(running: Running) -> list[str]:
    page = await running.get("/onboardings?state=planned")
    return [each["id"] for each in page["onboardings"]]


async def test_a_removal_may_be_asked_for_while_the_gateway_is_made(beside: Running) -> None:
    assert beside.wire
    reached = asyncio.Event()

    async def held(request: httpx.Request, inner: httpx.AsyncBaseTransport) -> httpx.Response:
        reached.set()
        await asyncio.sleep(0.2)
        return await inner.handle_async_request(request)

    beside.wire.fail("POST", "/channels/connect", held, 1)
    making = asyncio.create_task(beside.map(layout="gateway"))
    await reached.wait()
    removing = beside.http.delete(f"/{beside.domain}/mapping/gw-1", headers=beside.headers)
    removed, made = await asyncio.gather(removing, making)
    # A removal that takes long is answered before its end, and goes on.
    assert (made.status_code, removed.status_code) in ((201, 204), (201, 202)), removed.text
    rows = await come_to_rest(beside, "gw-1")
    assert len(rows) == 1
    assert await beside.nothing_is_there()


@pytest.mark.slow
async def test_steps_are_shown_while_it_is_under_way(beside: Running) -> None:
    assert beside.wire
    seen: list[dict[str, Any]] = []

    async def look(request: httpx.Request, inner: httpx.AsyncBaseTransport) -> httpx.Response:
        (row,) = (await beside.get("/onboardings"))["onboardings"]
        seen.append(row)
        seen.append(await beside.get(f"/onboardings/{row['id']}"))
        return await inner.handle_async_request(request)

    beside.wire.fail("POST", "/channels/connect", look, 1)
    assert (await beside.map(layout="gateway")).status_code == 201
    for row in seen:
        assert row["state"] == "planned"
        assert {step["name"] for step in row["steps"]} >= {"clients", "channels", "external key"}
    (row,) = (await beside.get("/onboardings"))["onboardings"]
    assert [step["name"] for step in row["steps"]].count("clients") == 1


@pytest.mark.slow
async def test_a_failed_replacement_leaves_the_old_gateway_as_it_was(beside: Running) -> None:
    assert beside.wire
    before = (await beside.map(layout="gateway")).json()
    beside.wire.fail("POST", "/channels/connect", answered(500))
    answer = await beside.map(external_key="new", on_existing="replace", layout="gateway")
    assert answer.status_code == 502
    beside.wire.faults.clear()
    rows = await come_to_rest(beside, "gw-1")
    assert sorted(each["state"] for each in rows) == ["done", "undone"]
    again = await beside.map(layout="gateway")
    assert again.status_code == 200
    assert again.json()["clients"] == before["clients"]
    assert (await beside.fetch()).status_code == 200
    shown = await beside.get("/mapping/gw-1")
    assert shown["onboarding"]["state"] == "done"
    assert len((await beside.left_on_platform())["clients"]) == 1


@pytest.mark.slow
async def test_a_rotation_that_fails_ends_forward(beside: Running) -> None:
    assert beside.wire
    await beside.map(layout="gateway")
    beside.wire.fail("PATCH", "/secret", answered(500))
    answer = await beside.map(external_key="new", on_existing="rotate", layout="gateway")
    assert answer.status_code == 502
    assert "tried again in the background" in answer.json()["message"]
    beside.wire.faults.clear()
    await come_to_rest(beside, "gw-1")
    assert (await beside.fetch(key="new")).status_code == 200
    assert (await beside.fetch()).status_code == 403


@pytest.mark.slow
async def test_repair_gives_back_config_secret_and_connection_and_keeps_what_is_disabled(
    beside: Running,
) -> None:
    made = (await beside.map(layout="gateway")).json()
    (agent,) = made["clients"]
    path = f"/{beside.domain}/clients/{agent['id']}"
    headers = beside.headers
    await beside.platform.patch(f"{path}/secret", json={"secret": "another"}, headers=headers)
    await beside.platform.post(
        f"/{beside.domain}/channels/disconnect",
        json={
            "channel_ids": [made["channels"][0]["id"]],
            "client_ids": [agent["id"]],
            "types": ["publish", "subscribe"],
        },
        headers=headers,
    )
    configs = f"/{beside.domain}/clients/configs/{agent['id']}"
    await beside.http.post(f"{configs}/disable", headers=headers)
    assert (await beside.map(layout="gateway", on_existing="repair")).status_code == 200
    held = (await beside.platform.get(path, headers=headers)).json()
    assert held["credentials"]["secret"] == agent["credentials"]["secret"]
    found = await find(beside, "gw-1")
    assert found.connected == 2
    # Somebody disabled the config on purpose: that is not what is missing.
    assert found.fetched == 403
    await beside.http.delete(configs, headers=headers)
    assert (await beside.map(layout="gateway", on_existing="repair")).status_code == 200
    assert (await beside.fetch()).status_code == 200


async def test_what_was_created_though_the_answer_was_lost_is_ours(beside: Running) -> None:
    assert beside.wire
    for part in ("/clients/bulk", "/channels/bulk", "/channels/connect", "/certs/csrs"):
        beside.wire.fail("POST", part, timed_out_when_done, 1)
    assert (await beside.map(layout="gateway-export")).status_code == 201
    found = await find(beside, "gw-1")
    assert (len(found.clients), len(found.channels), found.connected) == (2, 3, 3)
