"""What answers tell beside what was asked: the record's age, what is not whole, near IDs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from provision.onboarding.near import near_spellings
from tests.service.running import Running, beside_platform, embedded, refused


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with embedded(tmp_path) as service:
        yield service


def codes(answer: Any) -> list[str]:
    return [each["code"] for each in answer.json().get("warnings", ())]


async def test_a_gateway_whose_client_was_deleted_is_reused_with_a_warning(
    running: Running,
) -> None:
    made = await running.map()
    assert codes(made) == []
    assert codes(await running.map()) == []
    client = made.json()["bootstrap"]["config_id"]
    path = f"/{running.domain}/clients/{client}"
    await running.http.delete(path, headers=running.headers)

    again = await running.map()

    assert (again.status_code, codes(again)) == (200, ["not_whole"])
    (warning,) = again.json()["warnings"]
    assert "was deleted on the platform" in warning["message"]
    assert 'on_existing "repair"' in warning["message"]
    assert codes(await running.map(on_existing="repair")) == []
    assert codes(await running.map()) == []


@pytest.mark.slow
async def test_a_gateway_whose_client_was_disabled_is_reused_with_a_warning(
    running: Running,
) -> None:
    client = (await running.map()).json()["bootstrap"]["config_id"]
    path = f"/{running.domain}/clients/{client}/disable"
    await running.http.post(path, headers=running.headers)
    (warning,) = (await running.map()).json()["warnings"]
    assert "was disabled on the platform; enable it on the platform" in warning["message"]


async def test_a_reuse_while_the_platform_does_not_answer_says_that_nobody_looked(
    tmp_path: Path,
) -> None:
    async with beside_platform(tmp_path) as running:
        assert running.wire is not None
        await running.map()
        running.wire.fail("GET", "/clients/", refused)
        again = await running.map()
        assert (again.status_code, codes(again)) == (200, ["not_checked"])


async def test_a_record_says_how_old_it_is_and_live_asks_the_platform(running: Running) -> None:
    made = (await running.map()).json()
    channel = made["channels"][0]["id"]
    path = f"/{running.domain}/channels/{channel}"
    await running.http.delete(path, headers=running.headers)

    record = await running.get("/mapping/gw-1")
    assert record["record"]["as_of"] == record["onboarding"]["updated_at"]
    assert record["record"]["age_seconds"] >= 0
    assert "drift" not in record

    live = await running.get("/mapping/gw-1?live=true")
    assert live["checked_at"]
    assert [(each["what"], each["kind"]) for each in live["drift"]] == [("deleted", "channel")]


@pytest.mark.parametrize(
    ("first", "second"), [("AA:BB", "aa:bb"), ("aa-bb-cc-dd", "AA:BB:CC:DD"), ("gw_1", "GW-1")]
)
async def test_an_id_in_another_spelling_is_hinted_at_and_not_refused(
    running: Running, first: str, second: str
) -> None:
    assert codes(await running.map(first)) == []
    made = await running.map(second)
    assert (made.status_code, codes(made)) == (201, ["near_external_id"])
    assert made.json()["warnings"][0]["external_ids"] == [first]
    assert (await running.get(f"/mapping/{second}"))["near"] == [first]
    assert codes(await running.map(second)) == ["near_external_id"]


async def test_an_unknown_id_is_answered_with_the_near_one(running: Running) -> None:
    await running.map("AA:BB")
    path = f"/{running.domain}/mapping/aa:bb"
    unknown = await running.http.get(path, headers=running.headers)
    assert unknown.status_code == 404
    assert unknown.json()["details"] == {"near": ["AA:BB"]}


def test_spellings_are_few() -> None:
    assert near_spellings("0123") == frozenset()
    assert near_spellings("a") == {"A"}
    assert "AA:BB:CC:DD:EE:FF" in near_spellings("aabbccddeeff")
    assert "aabbccddeeff" in near_spellings("AA-BB-CC-DD-EE-FF")
    assert len(near_spellings("a:" * 500)) < 20


async def test_a_replacement_says_that_the_old_secrets_still_work(tmp_path: Path) -> None:
    async with beside_platform(tmp_path) as running:
        assert running.wire is not None
        old = (await running.map()).json()["onboarding"]["id"]
        running.wire.fail("DELETE", "/clients/", refused)
        replaced = await running.map(on_existing="replace")
        assert (replaced.status_code, codes(replaced)) == (201, ["replaced_still_there"])
        (warning,) = replaced.json()["warnings"]
        assert warning["onboarding_id"] == old
        assert f"/onboardings/{old} tells" in warning["message"]
        running.wire.faults.clear()
        retry = f"/{running.domain}/onboardings/{old}/retry"
        assert (await running.http.post(retry, headers=running.headers)).status_code == 200
        assert (await running.get(f"/onboardings/{old}"))["state"] == "undone"
