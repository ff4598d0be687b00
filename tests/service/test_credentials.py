"""Whose credentials a request is made with: its header, then an API key, then a user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from provision.data_directory import DataDirectory
from tests.service.running import KEY, FaultyWire, Running, answered, beside, embedded

GOOD = {"external_id": "gw-1", "external_key": KEY}
URLS = {
    f"MG_PROVISION_{name}_URL": "http://platform"
    for name in ("CLIENTS", "CHANNELS", "USERS", "DOMAINS")
}


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Running]:
    async with embedded(tmp_path / "platform") as running:
        yield running


def wire_to(platform: Running) -> FaultyWire:
    inner = platform.http._transport
    assert isinstance(inner, httpx.ASGITransport)
    return FaultyWire(inner)


def operator(tmp_path: Path) -> dict[str, str]:
    account = DataDirectory(tmp_path / "platform").read_operator()
    return {
        "MG_PROVISION_USERNAME": account["username"],
        "MG_PROVISION_PASS": account["password"],
    }


async def test_user_and_password_serve_requests_without_a_header(
    platform: Running, tmp_path: Path
) -> None:
    wire = wire_to(platform)
    async with beside(tmp_path / "s", wire, platform, **URLS, **operator(tmp_path)) as running:
        answer = await running.http.post(f"/{running.domain}/mapping", json=GOOD)
        assert answer.status_code == 201
        again = await running.http.post("/mapping", json=GOOD)
        assert again.json()["onboarding"]["outcome"] == "reused"
    assert wire.calls.count("POST /users/tokens/issue") == 1


async def test_an_api_key_goes_before_user_and_password(platform: Running, tmp_path: Path) -> None:
    wire = wire_to(platform)
    keys = {"MG_PROVISION_API_KEY": platform.token} | operator(tmp_path)
    async with beside(tmp_path / "s", wire, platform, **URLS, **keys) as running:
        assert (await running.http.post("/mapping", json=GOOD)).status_code == 201
    assert "POST /users/tokens/issue" not in wire.calls


async def test_a_header_goes_before_everything(platform: Running, tmp_path: Path) -> None:
    wire = wire_to(platform)
    async with beside(tmp_path / "s", wire, platform, **URLS, **operator(tmp_path)) as running:
        bad = await running.http.post(
            "/mapping", json=GOOD, headers={"Authorization": "Bearer not.a.token"}
        )
        assert bad.status_code == 401
        assert "POST /users/tokens/issue" not in wire.calls
        good = await running.http.post("/mapping", json=GOOD, headers=running.headers)
        assert good.status_code == 201
    assert "POST /users/tokens/issue" not in wire.calls


async def test_the_configured_domain_is_the_one_of_post_mapping(
    platform: Running, tmp_path: Path
) -> None:
    second = await platform.http.post(
        "/domains", json={"name": "second", "route": "second"}, headers=platform.headers
    )
    chosen = {"MG_PROVISION_DOMAIN_ID": second.json()["id"]}
    async with beside(tmp_path / "s", wire_to(platform), platform, **URLS, **chosen) as running:
        answer = await running.http.post("/mapping", json=GOOD, headers=running.headers)
        assert answer.json()["clients"][0]["domain_id"] == second.json()["id"]


async def test_credentials_that_the_platform_refuses_are_told(
    platform: Running, tmp_path: Path
) -> None:
    wrong = operator(tmp_path) | {"MG_PROVISION_PASS": "wrong-password"}
    async with beside(tmp_path / "s", wire_to(platform), platform, **URLS, **wrong) as running:
        answer = await running.http.post("/mapping", json=GOOD)
        assert answer.status_code == 401
        assert "wrong-password" not in answer.text


async def test_membership_is_asked_once_in_a_moment(platform: Running, tmp_path: Path) -> None:
    wire = wire_to(platform)
    async with beside(tmp_path / "s", wire, platform, **URLS) as running:
        for number in range(3):
            assert (await running.map(f"gw-{number}")).status_code == 201
    assert wire.calls.count(f"GET /domains/{platform.domain}") == 1


async def test_an_onboarding_takes_two_rounds_of_calls_and_one_before(
    platform: Running, tmp_path: Path
) -> None:
    wire = wire_to(platform)
    async with beside(tmp_path / "s", wire, platform, **URLS) as running:
        await running.map()
    domain = platform.domain
    assert sorted(wire.calls[:2]) == [f"GET /domains/{domain}", "GET /users/profile"]
    assert sorted(wire.calls[2:4]) == [
        f"POST /{domain}/channels/bulk",
        f"POST /{domain}/clients/bulk",
    ]
    assert wire.calls[4:] == [f"POST /{domain}/channels/connect"]


async def test_a_platform_that_does_not_know_the_user_route_is_no_obstacle(
    platform: Running, tmp_path: Path
) -> None:
    wire = wire_to(platform)
    wire.fail("GET", "/users/profile", answered(404))
    async with beside(tmp_path / "s", wire, platform, **URLS) as running:
        assert (await running.map()).status_code == 201
