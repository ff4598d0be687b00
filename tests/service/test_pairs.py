"""A gateway that was onboarded in one domain is never handed to another one."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from tests.service.running import KEY, Running


async def other_domain(running: Running) -> str:
    body = {"name": "other", "route": "other"}
    made = await running.http.post("/domains", json=body, headers=running.headers)
    assert made.status_code in (200, 201), made.text
    return str(made.json()["id"])


async def onboard(running: Running, domain: str, key: str = KEY, **more: Any) -> httpx.Response:
    body = {"external_id": "gw-1", "external_key": key} | more
    return await running.http.post(f"/{domain}/mapping", json=body, headers=running.headers)


async def served(running: Running, key: str = KEY) -> str | int:
    answer = await running.fetch("gw-1", key)
    return str(answer.json()["id"]) if answer.status_code == 200 else answer.status_code


def config_of(made: httpx.Response) -> str:
    return str(made.json()["bootstrap"]["config_id"])


async def test_the_second_registration_is_refused_and_leaves_nothing(running: Running) -> None:
    other = await other_domain(running)
    first = await onboard(running, running.domain)
    refused = await onboard(running, other)
    assert refused.status_code == 409
    assert refused.json()["code"] == "external_key_taken"
    told = refused.text
    assert running.domain not in told
    assert config_of(first) not in told
    left = await running.http.get(f"/{other}/clients", headers=running.headers)
    assert left.json()["total"] == 0
    assert await served(running) == config_of(first)


@pytest.mark.parametrize("on_existing", ["reuse", "repair", "rotate", "replace"])
@pytest.mark.slow
async def test_the_owner_goes_on_with_the_same_key(running: Running, on_existing: str) -> None:
    other = await other_domain(running)
    assert (await onboard(running, running.domain)).status_code == 201
    again = await onboard(running, running.domain, on_existing=on_existing)
    assert again.status_code in (200, 201), again.text
    assert (await onboard(running, other)).status_code == 409
    assert await served(running) == config_of(again)


@pytest.mark.parametrize("on_existing", ["rotate", "replace"])
async def test_an_earlier_key_stays_the_owners(running: Running, on_existing: str) -> None:
    """A device that has not its new key yet is not handed to who knows the old one."""
    other = await other_domain(running)
    await onboard(running, running.domain)
    again = await onboard(running, running.domain, "key-2", on_existing=on_existing)
    assert (await onboard(running, other)).status_code == 409
    assert await served(running) == 403
    assert await served(running, "key-2") == config_of(again)
    back = await onboard(running, running.domain, on_existing=on_existing)
    assert await served(running) == config_of(back)


@pytest.mark.parametrize("on_existing", ["rotate", "replace"])
async def test_no_rotation_or_replacement_takes_another_domains_pair(
    running: Running, on_existing: str
) -> None:
    other = await other_domain(running)
    first = await onboard(running, running.domain)
    second = await onboard(running, other, "key-2")
    refused = await onboard(running, other, on_existing=on_existing)
    assert refused.status_code == 409
    assert refused.json()["code"] == "external_key_taken"
    assert await served(running) == config_of(first)
    assert await served(running, "key-2") == config_of(second)


async def test_a_removed_gateway_is_served_from_nowhere(running: Running) -> None:
    other = await other_domain(running)
    await onboard(running, running.domain)
    assert (await onboard(running, other)).status_code == 409
    path = f"/{running.domain}/mapping/gw-1"
    assert (await running.http.delete(path, headers=running.headers)).status_code == 204
    assert await served(running) == 403
    moved = await onboard(running, other)
    assert moved.status_code == 201
    assert await served(running) == config_of(moved)


async def test_of_two_at_once_one_is_made(running: Running) -> None:
    other = await other_domain(running)
    both = await asyncio.gather(onboard(running, running.domain), onboard(running, other))
    assert sorted(each.status_code for each in both) == [201, 409]
    (made,) = (each for each in both if each.status_code == 201)
    assert await served(running) == config_of(made)
    for domain in (running.domain, other):
        left = await running.http.get(f"/{domain}/clients", headers=running.headers)
        assert left.json()["total"] in (0, len(made.json()["clients"]))
