"""A member who can't see a gateway's parts neither removes it nor is told that it is gone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.service.members import member
from tests.service.running import KEY, Running, answered, beside_platform, embedded

SEE = {"client_read", "channel_read"}
REMOVE = {*SEE, "client_update", "client_delete", "channel_delete"}


@pytest.fixture(params=[embedded, beside_platform])
async def running(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Running]:
    async with request.param(tmp_path) as service:
        assert (await service.map()).status_code == 201
        yield service


@pytest.mark.slow
async def test_a_removal_without_one_of_its_rights_changes_nothing(running: Running) -> None:
    before = await running.left_on_platform()
    for lacking in sorted(REMOVE):
        someone = await member(running, f"no-{lacking}", {"read", *REMOVE} - {lacking})

        refused = await someone.ask("DELETE", f"/{running.domain}/mapping/gw-1")

        assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")
        assert f'lacks the right "{lacking}" on ' in refused.json()["message"]
        assert (await running.get("/mapping/gw-1"))["onboarding"]["state"] == "done"
        assert (await running.fetch()).status_code == 200
        assert await running.left_on_platform() == before


async def test_who_has_all_of_them_removes_it(running: Running) -> None:
    someone = await member(running, "someone", {"read", *REMOVE})
    removed = await someone.ask("DELETE", f"/{running.domain}/mapping/gw-1")
    assert removed.status_code == 204
    assert await running.nothing_is_there()


@pytest.mark.slow
async def test_who_does_not_see_all_of_it_is_told_no_drift(running: Running) -> None:
    for lacking in sorted(SEE):
        someone = await member(running, f"no-{lacking}", {"read", *REMOVE} - {lacking})
        refused = await someone.ask("GET", f"/{running.domain}/mapping/gw-1/drift")
        assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")


@pytest.mark.slow
async def test_a_member_who_may_create_alone_makes_and_removes_an_own_gateway(
    running: Running,
) -> None:
    creator = await member(running, "creator", {"read", "client_create", "channel_create"})
    body = {"external_id": "own", "external_key": KEY}
    made = await creator.ask("POST", f"/{running.domain}/mapping", json=body)
    assert made.status_code == 201, made.text
    again = await creator.ask("POST", f"/{running.domain}/mapping", json=body)
    assert (again.status_code, again.json()["onboarding"]["outcome"]) == (200, "reused")
    drift = await creator.ask("GET", f"/{running.domain}/mapping/own/drift")
    assert (drift.status_code, drift.json()["drift"]) == (200, [])
    other = await creator.ask("GET", f"/{running.domain}/mapping/gw-1")
    assert other.status_code == 403
    gone = await running.platform.delete(
        f"/{running.domain}/clients/{made.json()['bootstrap']['config_id']}",
        headers=running.headers,
    )
    assert gone.status_code == 204
    removed = await creator.ask("DELETE", f"/{running.domain}/mapping/own")
    assert removed.status_code == 204, removed.text
    left = await running.left_on_platform()
    assert [name for names in left.values() for name in names if name.startswith("own")] == []


async def test_a_disconnection_that_nobody_may_make_is_not_taken_for_done(tmp_path: Path) -> None:
    async with beside_platform(tmp_path) as running:
        made = (await running.map()).json()
        path = f"/{running.domain}/clients/configs/connections/{made['bootstrap']['config_id']}"
        channel = await running.platform.post(
            f"/{running.domain}/channels", json={"name": "more"}, headers=running.headers
        )
        ids = {"channels": [channel.json()["id"]]}
        put = await running.http.put(path, json=ids, headers=running.headers)
        assert put.status_code == 200, put.text
        assert running.wire is not None
        running.wire.fail("POST", "/channels/disconnect", answered(403))
        refused: httpx.Response = await running.http.put(
            path, json={"channels": []}, headers=running.headers
        )
        assert (refused.status_code, refused.json()["code"]) == (403, "not_permitted")
