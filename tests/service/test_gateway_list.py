"""Lists of gateways, repair without a key, and what a device would be given now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from provision.onboarding.lists import GatewayList, GatewayQuery
from provision.onboarding.model import State
from provision.store.database import open_engine
from tests.database import FILE, url_of
from tests.service.running import KEY, Running, answered, beside_platform, embedded


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with embedded(tmp_path) as service:
        yield service


async def _listed(running: Running, query: str = "") -> list[str]:
    page = await running.get(f"/gateways{query}")
    return [each["external_id"] for each in page["gateways"]]


async def test_gateways_are_listed_with_what_people_look_for(running: Running) -> None:
    for name in ("north-1", "North-2", "south/1"):
        assert (await running.map(name, layout="mtls-services")).status_code == 201
    await running.map("plain")
    await running.http.delete(f"/{running.domain}/mapping/North-2", headers=running.headers)
    assert await _listed(running) == ["north-1", "plain", "south/1"]
    assert await _listed(running, "?limit=1&offset=1") == ["plain"]
    assert await _listed(running, "?search=NORTH") == ["north-1"]
    assert await _listed(running, "?search=%25") == []
    assert await _listed(running, "?layout=gateway") == ["plain"]
    assert await _listed(running, "?state=undoing") == []
    assert await _listed(running, "?certificate_days=36500") == ["north-1", "plain", "south/1"]
    assert await _listed(running, "?certificate_days=1") == []
    (first, *_) = (await running.get("/gateways"))["gateways"]
    assert first["state"] == "done"
    assert first["status"] == "enabled"
    shown = await running.get("/mapping/north-1")
    ends = [each["expiry_time"] for each in shown["certificates"]]
    assert first["certificate_ends"] == min(ends)
    # After two thirds of its life.
    now, due = datetime.now(UTC), datetime.fromisoformat(first["certificate_due"])
    life = datetime.fromisoformat(min(ends)) - now
    assert abs(due - now - life * 2 / 3) < timedelta(hours=1)
    shown_due = min(each["due_time"] for each in shown["certificates"])
    assert abs(due - datetime.fromisoformat(shown_due)) < timedelta(hours=1)
    assert first["config_id"] == shown["bootstrap"]["config_id"]


@pytest.mark.parametrize("query", ["limit=0", "state=nowhere", "certificate_days=soon"])
async def test_a_filter_that_is_none_is_refused(running: Running, query: str) -> None:
    answer = await running.http.get(f"/{running.domain}/gateways?{query}", headers=running.headers)
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json()["message"]


@pytest.mark.sqlite("reads SQLite's query plan")
async def test_a_list_reads_an_index_and_its_page_only(tmp_path: Path) -> None:
    async with embedded(tmp_path) as running:
        await running.map()
        engine = open_engine(url_of(tmp_path / FILE))
        try:
            found = await GatewayList(engine).list(
                running.domain, GatewayQuery(search="GW", state=State.DONE, layout="gateway")
            )
            assert [each.external_id for each in found.items] == ["gw-1"]
            async with engine.connect() as connection:
                plan = await connection.execute(
                    text(
                        "EXPLAIN QUERY PLAN SELECT id FROM onboardings WHERE domain_id = 'd' "
                        "AND place IS NOT NULL AND lower(external_id) LIKE '%g%' "
                        "AND state = 'done' AND layout = 'x' ORDER BY external_id LIMIT 20"
                    )
                )
                steps = [str(row) for row in plan]
        finally:
            await engine.dispose()
    assert len(steps) == 1, steps
    assert "COVERING INDEX onboardings_in_charge" in steps[0]


async def test_a_repair_by_onboarding_needs_no_key(running: Running) -> None:
    made = (await running.map()).json()
    client = made["clients"][0]["id"]
    await running.http.delete(f"/{running.domain}/clients/{client}", headers=running.headers)
    path = f"/{running.domain}/onboardings/{made['onboarding']['id']}/repair"
    answer = await running.http.post(path, headers=running.headers)
    assert answer.status_code == 200
    assert answer.json()["outcome"] == "repaired"
    again = await running.http.get(f"/{running.domain}/clients/{client}", headers=running.headers)
    assert again.status_code == 200
    await running.http.delete(f"/{running.domain}/mapping/gw-1", headers=running.headers)
    refused = await running.http.post(path, headers=running.headers)
    assert refused.status_code == 409
    assert "only a gateway that is there" in refused.json()["message"]


async def test_onboardings_are_found_by_how_they_fare(tmp_path: Path) -> None:
    async with beside_platform(tmp_path) as running:
        assert running.wire
        await running.map("good")
        running.wire.fail("POST", "/channels", answered(400))
        assert (await running.map("bad")).status_code >= 400
        rows = (await running.get("/onboardings?progress=failed"))["onboardings"]
        assert [each["external_id"] for each in rows] == ["bad"]
        assert (await running.get("/onboardings?progress=running"))["onboardings"] == []
        assert (await running.get("/onboardings?progress=stuck"))["onboardings"] == []
        running.wire.faults.clear()
        await running.map("other", layout="gateway-export")
        page = await running.get("/onboardings?layout=gateway-export")
        assert [each["external_id"] for each in page["onboardings"]] == ["other"]
        assert page["total"] == 1
        assert (await running.get("/onboardings"))["total"] == 3
        page = await running.get("/onboardings?limit=1&offset=1")
        assert [each["external_id"] for each in page["onboardings"]] == ["bad"]
        assert (await running.get("/onboardings?external_id=good"))["total"] == 1
        assert (await running.get("/onboardings?state=undone"))["total"] == 1


async def test_what_a_device_would_get_now_is_compared_with_its_last_fetch(
    running: Running,
) -> None:
    made: dict[str, Any] = (await running.map(layout="mtls-services")).json()
    path = f"/clients/configs/{made['bootstrap']['config_id']}/delivery"
    before = await running.get(path)
    assert "last_fetch" not in before
    assert "unchanged" not in before
    fetched = (await running.fetch()).json()
    now = await running.get(path)
    assert now["unchanged"] is True
    assert now["last_fetch"]["outcome"] == "delivered"
    assert now["digest"] == now["last_fetch"]["digest"]
    assert now["client_key"] == "********"
    whole = await running.get(f"{path}?show_secrets=true")
    for part in ("content", "client_cert", "client_key", "ca_cert"):
        assert whole[part] == fetched[part]
    secrets = [each["credentials"]["secret"] for each in made["clients"]]
    assert not any(secret in str(now) for secret in secrets)
    await running.map(on_existing="rotate")
    after = await running.get(path)
    assert after["unchanged"] is False
    assert after["last_fetch"]["at"] == now["last_fetch"]["at"]
    assert (await running.fetch(key=KEY)).status_code == 200
