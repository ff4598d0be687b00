"""Whose credentials a request is made with: its header, then an API key, then a user."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from attrs import define

from provision.store.data_directory import DataDirectory
from tests.service.running import KEY, FaultyWire, Running, answered, beside, embedded, refused

PERSONAL = "pat_0123456789"
UNVERIFIED = f"unverified:{hashlib.sha256(PERSONAL.encode()).hexdigest()[:16]}"
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


@pytest.mark.slow
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
    assert wire.calls[0] == f"GET /domains/{domain}"
    assert sorted(wire.calls[1:3]) == [
        f"POST /{domain}/channels/bulk",
        f"POST /{domain}/clients/bulk",
    ]
    assert wire.calls[3:] == [f"POST /{domain}/channels/connect"]


async def test_the_audit_trail_names_the_user_of_a_token(platform: Running, tmp_path: Path) -> None:
    async with beside(tmp_path / "s", wire_to(platform), platform, **URLS) as running:
        await running.map()
        assert await actors(running) == {await user_id(platform)}


async def test_the_audit_trail_names_the_user_of_an_api_key_that_tells_none(
    platform: Running, tmp_path: Path
) -> None:
    wire = wire_to(platform)
    wire.inner = PersonalTokens(wire.inner, platform.token)
    key = {"MG_PROVISION_API_KEY": PERSONAL}
    async with beside(tmp_path / "s", wire, platform, **URLS, **key) as running:
        path = f"/{running.domain}/mapping"
        assert (await running.http.post(path, json=GOOD)).status_code == 201
        assert await actors(running) == {await user_id(platform)}
    assert "GET /users/profile" in wire.calls


async def test_a_platform_that_does_not_know_the_user_route_is_no_obstacle(
    platform: Running, tmp_path: Path
) -> None:
    wire = wire_to(platform)
    wire.inner = PersonalTokens(wire.inner, platform.token)
    wire.fail("GET", "/users/profile", answered(404))
    key = {"MG_PROVISION_API_KEY": PERSONAL}
    async with beside(tmp_path / "s", wire, platform, **URLS, **key) as running:
        path = f"/{running.domain}/mapping"
        assert (await running.http.post(path, json=GOOD)).status_code == 201
        assert await actors(running) == {UNVERIFIED}


async def test_who_was_verified_before_is_named_while_the_users_service_is_down(
    platform: Running, tmp_path: Path
) -> None:
    wire = wire_to(platform)
    wire.inner = PersonalTokens(wire.inner, platform.token)
    key = {"MG_PROVISION_API_KEY": PERSONAL}
    async with beside(tmp_path / "s", wire, platform, **URLS, **key) as running:
        path = f"/{running.domain}/mapping"
        assert (await running.http.post(path, json=GOOD)).status_code == 201
        wire.fail("GET", "/users/profile", refused)
        # Without the domain in its path the request is looked into anew.
        second = await running.http.post("/mapping", json=GOOD | {"external_id": "gw-2"})
        assert second.status_code == 201
        assert await actors(running, "gw-2") == {await user_id(platform)}


async def test_a_token_that_was_never_verified_is_named_by_its_digest(
    platform: Running, tmp_path: Path
) -> None:
    wire = wire_to(platform)
    wire.inner = PersonalTokens(wire.inner, platform.token)
    wire.fail("GET", "/users/profile", refused)
    key = {"MG_PROVISION_API_KEY": PERSONAL}
    async with beside(tmp_path / "s", wire, platform, **URLS, **key) as running:
        path = f"/{running.domain}/mapping"
        assert (await running.http.post(path, json=GOOD)).status_code == 201
        assert await actors(running) == {UNVERIFIED}
        wire.faults.clear()
        second = await running.http.post("/mapping", json=GOOD | {"external_id": "gw-2"})
        assert second.status_code == 201
        assert await actors(running, "gw-2") == {await user_id(platform)}


async def actors(running: Running, external_id: str = "gw-1") -> set[str]:
    token = {"Authorization": f"Bearer {running.token}"}
    gateway = await running.http.get(f"/{running.domain}/mapping/{external_id}", headers=token)
    path = f"/{running.domain}/onboardings/{gateway.json()['onboarding']['id']}"
    return {
        entry["actor"] for entry in (await running.http.get(path, headers=token)).json()["audit"]
    }


async def user_id(platform: Running) -> str:
    token = {"Authorization": f"Bearer {platform.token}"}
    return str((await platform.http.get("/users/profile", headers=token)).json()["id"])


@define
class PersonalTokens(httpx.AsyncBaseTransport):
    """The way to a platform that takes a key, which tells nothing, for one of its users."""

    inner: httpx.AsyncBaseTransport
    token: str

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.headers.get("Authorization") == f"Bearer {PERSONAL}":
            request.headers["Authorization"] = f"Bearer {self.token}"
        return await self.inner.handle_async_request(request)


USER = {"email": "gateways@example.com", "password": "a good password"}


async def test_the_operators_own_domain_is_meant_after_users_were_made(tmp_path: Path) -> None:
    async with embedded(tmp_path / "data") as running:
        made = await running.http.post("/users", json=USER, headers=running.headers)
        assert made.status_code == 201
        mapped = await running.http.post("/mapping", json=GOOD, headers=running.headers)
        assert mapped.status_code == 201
        assert mapped.headers["location"] == f"/{running.domain}/mapping/gw-1"
        thing = {"name": "sensor"}
        old = await running.http.post("/things", json=thing, headers=running.headers)
        assert old.status_code == 201
        listed = await running.http.get(f"/{running.domain}/clients", headers=running.headers)
        assert "sensor" in [each["name"] for each in listed.json()["clients"]]


async def test_who_is_in_several_domains_is_told_how_to_name_one(tmp_path: Path) -> None:
    async with embedded(tmp_path / "data") as running:
        await running.http.post("/users", json=USER, headers=running.headers)
        signed_in = await running.http.post("/tokens", json=USER)
        headers = {"Authorization": signed_in.json()["token"]}
        second = {"name": "second", "route": "second"}
        made = await running.http.post("/domains", json=second, headers=headers)
        answer = await running.http.post("/mapping", json=GOOD, headers=headers)
        assert answer.status_code == 400
        assert "the request names no domain" in answer.json()["message"]
        assert f"as in /{made.json()['id']}/mapping" in answer.json()["message"]
