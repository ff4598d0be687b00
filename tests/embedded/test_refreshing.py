"""A refresh token is used once; who uses it again loses all that came from the same sign-in."""

from __future__ import annotations

import asyncio

import httpx

from tests.embedded.people import PASSWORD, Person, bearer, sign_in


async def _refresh(http: httpx.AsyncClient, token: str) -> httpx.Response:
    headers = {**bearer(token), "Content-Type": "application/json"}
    return await http.post("/users/tokens/refresh", headers=headers)


async def _profile(http: httpx.AsyncClient, token: str) -> int:
    return (await http.get("/users/profile", headers=bearer(token))).status_code


async def test_each_refresh_token_of_a_chain_works_once(
    http: httpx.AsyncClient, alice: Person
) -> None:
    token = alice.refresh
    for _ in range(3):
        pair = await _refresh(http, token)
        assert pair.status_code == 201
        assert await _profile(http, pair.json()["access_token"]) == 200
        token = pair.json()["refresh_token"]


async def test_a_used_one_is_refused_with_its_successors(
    http: httpx.AsyncClient, alice: Person
) -> None:
    first = (await _refresh(http, alice.refresh)).json()
    second = (await _refresh(http, first["refresh_token"])).json()
    elsewhere = (await sign_in(http, alice.name, PASSWORD)).json()

    again = await _refresh(http, alice.refresh)

    assert again.status_code == 401
    assert "used before" in again.json()["message"]
    for token in (alice.refresh, first["refresh_token"], second["refresh_token"]):
        assert (await _refresh(http, token)).status_code == 401
    for token in (alice.access, first["access_token"], second["access_token"]):
        assert await _profile(http, token) == 401
    assert await _profile(http, elsewhere["access_token"]) == 200
    assert (await _refresh(http, elsewhere["refresh_token"])).status_code == 201


async def test_of_two_uses_at_once_one_is_refused(http: httpx.AsyncClient, alice: Person) -> None:
    both = await asyncio.gather(*(_refresh(http, alice.refresh) for _ in range(2)))
    assert sorted(each.status_code for each in both) == [201, 401]
