"""What was deleted or changed on the platform behind the service's back is told, not guessed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.running import Running, beside_platform, refused

SECRET = "another-secret-of-the-client"


async def drift_of(running: Running, external_id: str = "gw-1") -> set[tuple[str, str, str, str]]:
    """Return what the gateway's own route says, which is what a plan says."""
    told = await running.get(f"/mapping/{external_id}/drift")
    planned = await plan_of(running, external_id)
    assert planned["drift"] == told["drift"]
    assert "drift_unknown" not in planned
    return {(each["what"], each["kind"], each["key"], each["cure"]) for each in told["drift"]}


async def plan_of(running: Running, external_id: str = "gw-1") -> Any:
    body = {"external_id": external_id, "layout": "gateway"}
    answer = await running.http.post(f"/{running.domain}/plan", json=body, headers=running.headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def send(running: Running, method: str, path: str, body: object = None) -> None:
    answer = await running.platform.request(
        method, f"/{running.domain}{path}", json=body, headers=running.headers
    )
    assert answer.is_success, answer.text


async def test_an_untouched_gateway_has_no_drift(running: Running) -> None:
    await running.map(layout="gateway")
    assert await drift_of(running) == set()
    assert (await plan_of(running))["changes"] == []


async def test_one_that_is_new_or_removed_has_none_either(running: Running) -> None:
    assert (await plan_of(running, "gw-new"))["drift"] == []
    path = f"/{running.domain}/mapping/gw-new/drift"
    answer = await running.http.get(path, headers=running.headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "gateway_not_found")
    await running.map("gw-gone", layout="gateway")
    await send(running, "DELETE", "/mapping/gw-gone")
    assert await running.get("/mapping/gw-gone/drift") | {"checked_at": ""} == {
        "external_id": "gw-gone",
        "state": "undone",
        "checked_at": "",
        "drift": [],
    }


async def test_what_was_deleted_is_named_once_and_repaired(running: Running) -> None:
    made = (await running.map(layout="gateway")).json()
    agent, channel = made["clients"][0]["id"], made["channels"][0]
    await send(running, "DELETE", f"/channels/{channel['id']}")
    key = channel["metadata"]["type"]
    assert await drift_of(running) == {("deleted", "channel", key, "repair")}
    await send(running, "DELETE", f"/clients/{agent}")
    assert {("deleted", "channel", key, "repair"), ("deleted", "client", "agent", "repair")} <= (
        await drift_of(running)
    )
    await running.map(layout="gateway", on_existing="repair")
    assert await drift_of(running) == set()


async def test_connection_certificate_config_and_secret(running: Running) -> None:
    made = (await running.map(layout="gateway")).json()
    agent, channel = made["clients"][0]["id"], made["channels"][0]
    ends = {"client_ids": [agent], "types": ["publish", "subscribe"]}
    await send(running, "POST", f"/channels/{channel['id']}/disconnect", ends)
    await send(running, "PATCH", f"/clients/{agent}/secret", {"secret": SECRET})
    (held,) = (await running.get("/mapping/gw-1"))["certificates"]
    await send(running, "POST", f"/cert/{held['serial_number']}/revoke")
    await send(running, "DELETE", f"/clients/configs/{agent}")
    assert await drift_of(running) == {
        ("deleted", "connection", f"agent - {channel['metadata']['type']}", "repair"),
        ("changed", "client", "agent", "repair"),
        ("revoked", "certificate", "agent", "repair"),
        ("deleted", "config", "agent", "repair"),
    }
    assert (
        SECRET
        not in (
            await running.http.get(f"/{running.domain}/mapping/gw-1/drift", headers=running.headers)
        ).text
    )
    await running.map(layout="gateway", on_existing="repair")
    assert await drift_of(running) == set()


async def test_a_connection_that_lost_a_type_is_named_and_repaired(running: Running) -> None:
    made = (await running.map(layout="gateway")).json()
    agent, channel = made["clients"][0]["id"], made["channels"][0]
    ends = {"client_ids": [agent], "types": ["publish"]}
    await send(running, "POST", f"/channels/{channel['id']}/disconnect", ends)
    key = f"agent - {channel['metadata']['type']}"
    assert await drift_of(running) == {("changed", "connection", key, "repair")}
    (told,) = (await running.get("/mapping/gw-1/drift"))["drift"]
    assert told["fields"] == {"types": {"before": ["publish", "subscribe"], "after": ["subscribe"]}}
    await running.map(layout="gateway", on_existing="repair")
    assert await drift_of(running) == set()


async def test_what_a_repair_leaves_has_another_cure(running: Running) -> None:
    made = (await running.map(layout="gateway")).json()
    agent = made["clients"][0]
    await send(running, "PATCH", f"/clients/{agent['id']}", {"name": "by hand"})
    await send(running, "POST", f"/clients/{agent['id']}/disable")
    assert await drift_of(running) == {
        ("disabled", "client", "agent", "enable"),
        ("changed", "client", "agent", "edit"),
    }
    (changed,) = (e for e in (await plan_of(running))["drift"] if e["what"] == "changed")
    assert changed["fields"] == {"name": {"before": agent["name"], "after": "by hand"}}


async def test_an_external_id_that_ends_like_the_route_is_still_shown(running: Running) -> None:
    await running.map("line/drift", layout="gateway")
    path = f"/{running.domain}/mapping/line%2Fdrift"
    shown = await running.http.get(path, headers=running.headers)
    assert shown.json()["external_id"] == "line/drift"
    told = await running.http.get(f"{path}/drift", headers=running.headers)
    assert told.json()["drift"] == []


@pytest.mark.parametrize("part", ["/clients/", "/channels/"])
async def test_a_platform_that_cannot_be_asked_spoils_no_plan(tmp_path: Path, part: str) -> None:
    async with beside_platform(tmp_path) as running:
        assert running.wire is not None
        await running.map(layout="gateway")
        running.wire.fail("GET", part, refused)
        plan = await plan_of(running)
        assert plan["changes"] == []
        assert plan["drift"] == []
        assert plan["drift_unknown"]["code"] == "platform_unavailable"
        path = f"/{running.domain}/mapping/gw-1/drift"
        answer: httpx.Response = await running.http.get(path, headers=running.headers)
        assert answer.status_code == 503


async def test_it_takes_one_round_of_reads(tmp_path: Path) -> None:
    async with beside_platform(tmp_path) as running:
        assert running.wire is not None
        await running.map(layout="gateway")
        before = len(running.wire.calls)
        assert (await plan_of(running))["drift"] == []
        calls = running.wire.calls[before:]
        assert all(each.startswith("GET") for each in calls)
        # The domain (and who asks), a client, two channels and who is connected to each.
        assert len(calls) <= 8
