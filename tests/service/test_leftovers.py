"""What a creation that was cut short leaves on the platform: made whole beside it, and told."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.service.halves import Halves
from tests.service.running import Running, answered, beside_platform, timed_out

KINDS = ["clients", "channels"]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with beside_platform(tmp_path) as service:
        yield service


def cut_short(running: Running, halves: Halves) -> Halves:
    assert running.wire is not None
    halves.on(running.wire)
    return halves


@pytest.mark.parametrize("shown", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
async def test_a_gateway_is_made_whole_beside_it(running: Running, kind: str, shown: bool) -> None:
    halves = cut_short(running, Halves(kind, shown))

    made = await running.map()

    assert made.status_code == 201, made.text
    (warning,) = made.json()["warnings"]
    assert warning["code"] == "left_on_platform"
    named = [{"kind": kind.removesuffix("s"), "id": each, "certain": True} for each in halves.kept]
    assert warning["leftovers"] == named
    assert all(each in warning["message"] for each in halves.kept)
    assert not halves.kept.keys() & {each["id"] for each in made.json()[kind]}
    assert (await running.fetch()).status_code == 200
    left = await running.left_on_platform()
    assert {name: len(left[name]) for name in left} == {
        name: len(made.json()[name]) for name in left
    }


async def test_ids_within_metadata_and_contents_are_the_new_ones(running: Running) -> None:
    halves = cut_short(running, Halves("channels"))

    made = (await running.map(layout="gateway")).json()

    (agent,) = made["clients"]
    channels = {each["metadata"]["type"]: each["id"] for each in made["channels"]}
    assert agent["metadata"]["cfg_id"] == agent["id"]
    assert agent["metadata"]["ctrl_channel_id"] == channels["control"]
    content = json.loads((await running.fetch()).json()["content"])
    assert content["mqtt"]["secret"] == agent["credentials"]["secret"]
    assert content["telemetry"] == {"channel_id": channels["data"]}
    assert not any(each in json.dumps([made["clients"], content]) for each in halves.kept)


async def test_it_is_listed_for_the_administrator_until_somebody_says_that_it_is_removed(
    running: Running,
) -> None:
    halves = cut_short(running, Halves("channels"))
    made = (await running.map()).json()
    await running.map("gw-2")
    onboarding_id = made["onboarding"]["id"]

    listed = await running.get("/onboardings?leftovers=true")
    assert [each["id"] for each in listed["onboardings"]] == [onboarding_id]
    (row,) = listed["onboardings"]
    assert {each["id"] for each in row["leftovers"]} == halves.kept.keys()
    shown = await running.get("/mapping/gw-1")
    assert shown["onboarding"]["leftovers"] == row["leftovers"]
    trail = (await running.get(f"/onboardings/{onboarding_id}"))["audit"]
    assert [each["outcome"] for each in trail] == ["created", "with other IDs", "begun"]

    path = f"/{running.domain}/onboardings/{onboarding_id}/leftovers"
    forgotten = await running.http.delete(path, headers=running.headers)

    assert forgotten.status_code == 200
    assert "leftovers" not in forgotten.json()
    assert (await running.get("/onboardings?leftovers=true"))["total"] == 0
    trail = (await running.get(f"/onboardings/{onboarding_id}"))["audit"]
    assert trail[0]["action"] == "forget leftovers"
    assert all(each in trail[0]["message"] for each in halves.kept)


@pytest.mark.slow
async def test_a_removal_of_what_is_marked_as_deleted_ends_and_tells_it(running: Running) -> None:
    made = (await running.map()).json()
    halves = cut_short(running, Halves("channels", shown=True))
    lost = made["channels"][0]
    half = {**lost, "status": "enabled"}
    halves.kept[lost["id"]] = half
    path = f"/{running.domain}/channels/{lost['id']}"
    assert (await running.platform.delete(path, headers=running.headers)).status_code == 204

    removed = await running.http.delete(f"/{running.domain}/mapping/gw-1", headers=running.headers)

    assert removed.status_code == 200, removed.text
    told = removed.json()["onboarding"]
    assert told["state"] == "undone"
    assert told["leftovers"] == [{"kind": "channel", "id": lost["id"], "certain": True}]
    assert half["status"] == "deleted"
    again = await running.http.get(f"/{running.domain}/mapping/gw-1", headers=running.headers)
    assert again.status_code == 404
    assert again.json()["details"]["leftovers"] == told["leftovers"]
    assert (await running.map()).status_code == 201


async def test_what_is_marked_as_deleted_is_told_by_drift_as_deleted(running: Running) -> None:
    made = (await running.map()).json()
    halves = cut_short(running, Halves("channels", shown=True))
    lost = made["channels"][0]
    halves.kept[lost["id"]] = {**lost, "status": "deleted"}
    path = f"/{running.domain}/channels/{lost['id']}"
    assert (await running.platform.delete(path, headers=running.headers)).status_code == 204

    drift = (await running.get("/mapping/gw-1/drift"))["drift"]

    assert [(each["what"], each["kind"]) for each in drift] == [("deleted", "channel")]


async def test_what_may_be_left_is_told_with_the_failure(running: Running) -> None:
    assert running.wire is not None
    running.wire.fail("POST", "/channels/bulk", timed_out)

    failed = await running.map()

    assert failed.status_code == 504
    left = failed.json()["details"]["leftovers"]
    assert {(each["kind"], each["certain"]) for each in left} == {("channel", False)}


async def test_a_platform_that_takes_no_creation_at_all_is_no_mistake_of_the_caller(
    running: Running,
) -> None:
    assert running.wire is not None
    running.wire.fail(
        "POST", "/clients/bulk", answered(422, {"message": "failed to create entity"})
    )

    failed = await running.map()

    assert (failed.status_code, failed.json()["code"]) == (502, "half_made_on_platform")


async def test_nobody_without_a_token_says_what_was_removed(running: Running) -> None:
    cut_short(running, Halves("channels"))
    made = (await running.map()).json()
    path = f"/{running.domain}/onboardings/{made['onboarding']['id']}/leftovers"
    stranger: httpx.Response = await running.http.delete(path)
    assert stranger.status_code == 401
