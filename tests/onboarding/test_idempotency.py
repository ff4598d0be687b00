"""Idempotency keys: one request, one answer, as the IETF draft says."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.database import FILE, contents
from tests.service.running import KEY, Running, embedded

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = {"external_id": "gw-1", "external_key": KEY, "layout": "small"}


async def _post(shared: Running, key: str, **fields: Any) -> httpx.Response:
    return await shared.http.post(
        f"/{shared.domain}/mapping",
        json=BODY | fields,
        headers=shared.headers | {"Idempotency-Key": key},
    )


@pytest.mark.slow
async def test_fifty_at_once_with_one_key_make_one_gateway(shared: Running) -> None:
    answers = await asyncio.gather(*(_post(shared, "fifty", external_id="f-1") for _ in range(50)))
    assert {each.status_code for each in answers} <= {201, 409}
    made = [each for each in answers if each.status_code == 201]
    assert len({each.text for each in made}) == 1
    for refused in (each for each in answers if each.status_code == 409):
        assert refused.json()["code"] == "still_running"
        assert refused.headers["retry-after"] == "1"
    again = await _post(shared, "fifty", external_id="f-1")
    assert (again.status_code, again.json()) == (201, made[0].json())
    assert (await shared.get("/onboardings?external_id=f-1"))["total"] == 1


async def test_fifty_at_once_without_a_key_get_the_same_gateway(shared: Running) -> None:
    answers = await asyncio.gather(*(shared.map("f-2", layout="small") for _ in range(50)))
    assert sorted(each.status_code for each in answers) == [200] * 49 + [201]
    bodies = [each.json() for each in answers]
    for body in bodies:
        body["onboarding"].pop("outcome")
    assert all(body == bodies[0] for body in bodies)


async def test_the_quoted_form_of_the_draft_is_the_same_key(shared: Running) -> None:
    first = await _post(shared, '"quoted"', external_id="q-1")
    again = await _post(shared, "quoted", external_id="q-1")
    assert (again.status_code, again.json()) == (201, first.json())


async def test_another_request_under_the_key_is_refused(shared: Running) -> None:
    await _post(shared, "other", external_id="o-1")
    answer = await _post(shared, "other", external_id="o-2")
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("key", [" ", '""', "k" * 256])
async def test_a_blank_or_endless_key_is_refused(shared: Running, key: str) -> None:
    answer = await _post(shared, key, external_id="b-1")
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_invalid")


async def test_a_failure_is_not_kept(shared: Running) -> None:
    refused = await _post(shared, "mend", external_id="m-1", parameters={"no": "such"})
    assert refused.status_code == 400
    assert (await _post(shared, "mend", external_id="m-1")).status_code == 201


async def test_the_stored_answer_outlives_a_restart_and_shows_nothing(tmp_path: Path) -> None:
    body = {"external_id": "gw-1", "external_key": "a-guessable-key"}
    async with embedded(tmp_path) as running:
        headers = running.headers | {"Idempotency-Key": "kept"}
        first = await running.http.post(f"/{running.domain}/mapping", json=body, headers=headers)
        await running.http.delete(f"/{running.domain}/mapping/gw-1", headers=running.headers)
    stored = contents(tmp_path / FILE)
    assert b"a-guessable-key" not in stored
    async with embedded(tmp_path) as running:
        headers = running.headers | {"Idempotency-Key": "kept"}
        again = await running.http.post(f"/{running.domain}/mapping", json=body, headers=headers)
        assert (again.status_code, again.json()) == (201, first.json())
        assert await running.nothing_is_there()
