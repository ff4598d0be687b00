"""Who is let in, and how far."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import jwt
import pytest

from bootstrap_core.secrets import Secret
from provision.embedded.start import Operator
from provision.platform.errors import InvalidToken
from tests.embedded.people import PASSWORD, Person, bearer, person, sign_in
from tests.embedded.service import KEYS, Installation, started


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time


async def test_an_access_token_ends_after_an_hour(database: tuple[Path, Operator]) -> None:
    clock, (path, who) = Clock(), database
    async with started(path, clock) as (_, platform):
        token = (await platform.issue_token(who.username, who.password)).access
        clock.time += timedelta(minutes=59)
        await platform.view_user(token)

        clock.time += timedelta(minutes=1)
        with pytest.raises(InvalidToken, match="expired"):
            await platform.view_user(token)


async def test_a_refresh_token_renews_both_and_ends_after_a_day(
    database: tuple[Path, Operator],
) -> None:
    clock, (path, who) = Clock(), database
    async with started(path, clock) as (_, platform):
        tokens = await platform.issue_token(who.username, who.password)
        clock.time += timedelta(hours=23)

        renewed = await platform.refresh_token(tokens.refresh)
        assert (await platform.view_user(renewed.access)).id == who.user_id

        clock.time += timedelta(hours=1)
        with pytest.raises(InvalidToken, match="expired"):
            await platform.refresh_token(tokens.refresh)
        await platform.refresh_token(renewed.refresh)


async def test_a_refresh_token_opens_nothing_else(http: httpx.AsyncClient, alice: Person) -> None:
    domain_id = await alice.domain("mine")

    for path in ("/users/profile", f"/domains/{domain_id}", f"/{domain_id}/clients", "/things"):
        answer = await http.get(path, headers=bearer(alice.refresh))
        assert answer.status_code == 401, path


async def test_an_access_token_refreshes_nothing(alice: Person) -> None:
    headers = {**bearer(alice.access), "Content-Type": "application/json"}
    answer = await alice.http.post("/users/tokens/refresh", headers=headers)

    assert answer.status_code == 500
    assert answer.json()["code"] == "access_token_used"


@pytest.mark.parametrize(
    "forge",
    [
        lambda claims: jwt.encode(claims, b"x" * 32, "HS256"),
        lambda claims: jwt.encode(claims, None, "none"),
        lambda claims: jwt.encode({**claims, "iss": "other"}, KEYS.tokens, "HS256"),
        lambda claims: jwt.encode({**claims, "sub": str(uuid4())}, KEYS.tokens, "HS256"),
        lambda claims: jwt.encode({**claims, "version": 7}, KEYS.tokens, "HS256"),
        lambda claims: jwt.encode({"sub": claims["sub"], "iss": "provision"}, KEYS.tokens, "HS256"),
        lambda claims: jwt.encode(claims, KEYS.tokens, "HS256") + "x",
        lambda _: "",
        lambda _: "a.b.c",
        lambda _: "é",
    ],
)
async def test_a_forged_token_is_refused(
    installed: Installation, forge: Callable[[dict[str, object]], str]
) -> None:
    claims = jwt.decode(installed.token.reveal(), options={"verify_signature": False})

    with pytest.raises(InvalidToken):
        await installed.platform.view_user(Secret(forge(claims)))


async def test_the_token_may_come_with_or_without_bearer(alice: Person) -> None:
    for text in (alice.access, f"Bearer {alice.access}", f"bearer  {alice.access}"):
        answer = await alice.http.get("/users/profile", headers={"Authorization": text})
        assert answer.json()["id"] == alice.id


async def test_a_disabled_user_is_out_at_once(operator: Person, alice: Person) -> None:
    assert (await alice.ask("GET", "/users/profile")).status_code == 200

    disabled = await operator.ask("POST", f"/users/{alice.id}/disable")
    assert disabled.json()["status"] == "disabled"
    assert (await alice.ask("GET", "/users/profile")).status_code == 401
    assert (await sign_in(alice.http, "alice", PASSWORD)).status_code == 401
    headers = {**bearer(alice.refresh), "Content-Type": "application/json"}
    refreshed = await alice.http.post("/users/tokens/refresh", headers=headers)
    assert refreshed.status_code == 401
    assert (await operator.ask("POST", f"/users/{alice.id}/disable")).status_code == 422

    await operator.ask("POST", f"/users/{alice.id}/enable")
    assert (await alice.ask("GET", "/users/profile")).status_code == 200


async def test_a_deleted_user_is_gone(operator: Person, alice: Person) -> None:
    domain_id = await alice.domain("mine")

    assert (await operator.ask("DELETE", f"/users/{alice.id}")).status_code == 204
    assert (await operator.ask("DELETE", f"/users/{alice.id}")).status_code == 404
    assert (await alice.ask("GET", f"/{domain_id}/clients")).status_code == 401
    assert (await sign_in(alice.http, "alice", PASSWORD)).status_code == 404
    assert (await operator.ask("GET", f"/domains/{domain_id}")).status_code == 200


async def test_a_new_password_revokes_every_token(alice: Person) -> None:
    wrong = {"old_secret": "not-the-password", "new_secret": "another-password"}
    assert (await alice.ask("PATCH", "/users/secret", json=wrong)).status_code == 422
    short = {"old_secret": PASSWORD, "new_secret": "short"}
    assert (await alice.ask("PATCH", "/users/secret", json=short)).status_code == 400

    body = {"old_secret": PASSWORD, "new_secret": "another-password"}
    assert (await alice.ask("PATCH", "/users/secret", json=body)).status_code == 200

    assert (await alice.ask("GET", "/users/profile")).status_code == 401
    headers = {**bearer(alice.refresh), "Content-Type": "application/json"}
    refreshed = await alice.http.post("/users/tokens/refresh", headers=headers)
    assert refreshed.status_code == 401
    assert (await sign_in(alice.http, "alice", PASSWORD)).status_code == 422
    assert (await sign_in(alice.http, "alice", "another-password")).status_code == 201


async def test_only_the_administrator_manages_users(alice: Person, bob: Person) -> None:
    body = {
        "first_name": "eve",
        "last_name": "x",
        "email": "eve@example.com",
        "credentials": {"username": "eve", "secret": PASSWORD},
    }
    assert (await alice.ask("POST", "/users", json=body)).status_code == 403
    assert (await alice.http.post("/users", json=body)).status_code == 401
    assert (await alice.ask("GET", "/users")).status_code == 403
    assert (await alice.ask("GET", f"/users/{bob.id}")).status_code == 403
    assert (await alice.ask("GET", f"/users/{alice.id}")).json()["id"] == alice.id
    assert (await alice.ask("POST", f"/users/{bob.id}/disable")).status_code == 403
    assert (await alice.ask("DELETE", f"/users/{bob.id}")).status_code == 403


async def test_the_administrator_cannot_lock_everybody_out(operator: Person) -> None:
    assert (await operator.ask("POST", f"/users/{operator.id}/disable")).status_code == 400
    assert (await operator.ask("DELETE", f"/users/{operator.id}")).status_code == 400


async def test_users_are_listed_without_passwords(operator: Person, alice: Person) -> None:
    answer = await operator.ask("GET", "/users?limit=1")

    assert (answer.json()["total"], answer.json()["limit"]) == (2, 1)
    assert answer.json()["users"][0]["id"] == alice.id
    assert "scrypt" not in answer.text


@pytest.mark.parametrize(
    "change",
    [
        {"email": "alice@example.com"},
        {"credentials": {"username": "alice", "secret": PASSWORD}},
        {"credentials": {"username": "new", "secret": "short"}},
        {"credentials": {"username": "a@b", "secret": PASSWORD}},
        {"email": "no-address"},
        {"first_name": ""},
        {"role": "emperor"},
        {"status": "all"},
    ],
)
async def test_a_user_that_cannot_be_is_refused(
    operator: Person, alice: Person, change: dict[str, object]
) -> None:
    body = {
        "first_name": "new",
        "last_name": "x",
        "email": "new@example.com",
        "credentials": {"username": "new", "secret": PASSWORD},
        **change,
    }

    assert (await operator.ask("POST", "/users", json=body)).status_code == 400


async def test_strangers_see_and_change_nothing(alice: Person, bob: Person) -> None:
    domain_id = await alice.domain("hers")
    client = await alice.client(domain_id, name="c")
    channel = await alice.channel(domain_id, name="ch")
    one, other = f"/{domain_id}/clients/{client['id']}", f"/{domain_id}/channels/{channel['id']}"
    pair = {"client_ids": [client["id"]], "channel_ids": [channel["id"]], "types": ["publish"]}

    refused = [
        await bob.ask("GET", f"/domains/{domain_id}"),
        await bob.ask("PATCH", f"/domains/{domain_id}", json={"name": "his"}),
        await bob.ask("POST", f"/domains/{domain_id}/disable"),
        await bob.ask("GET", f"/domains/{domain_id}/roles/members"),
        await bob.ask("POST", f"/domains/{domain_id}/roles", json={"role_name": "r"}),
        await bob.ask("POST", f"/{domain_id}/clients", json={}),
        await bob.ask("POST", f"/{domain_id}/channels/bulk", json=[{}]),
        await bob.ask("POST", f"/{domain_id}/channels/connect", json=pair),
        await bob.ask("POST", f"/{domain_id}/channels/disconnect", json=pair),
        *[await bob.ask("GET", path) for path in (one, other)],
        *[await bob.ask("PATCH", path, json={"name": "his"}) for path in (one, other)],
        *[await bob.ask("DELETE", path) for path in (one, other)],
        *[await bob.ask("POST", f"{path}/disable") for path in (one, other)],
        await bob.ask("PATCH", f"{one}/secret", json={"secret": "his"}),
        await bob.ask("PATCH", f"{one}/tags", json={"tags": ["his"]}),
    ]

    assert [answer.status_code for answer in refused] == [403] * len(refused)
    listed = (await bob.ask("GET", f"/{domain_id}/clients")).json()
    assert listed == {"total": 0, "limit": 10}
    assert (await bob.ask("GET", "/domains")).json()["total"] == 0


async def test_one_tenant_s_domain_does_not_reach_into_another_s(
    alice: Person, bob: Person
) -> None:
    hers, his = await alice.domain("hers"), await bob.domain("his")
    client, channel = await alice.client(hers), await bob.channel(his)
    pair = {"client_ids": [client["id"]], "channel_ids": [channel["id"]], "types": ["publish"]}

    assert (await bob.ask("GET", f"/{his}/clients/{client['id']}")).status_code == 403
    assert (await bob.ask("DELETE", f"/{his}/clients/{client['id']}")).status_code == 403
    assert (await bob.ask("POST", f"/{his}/channels/connect", json=pair)).status_code == 403
    assert (await alice.ask("GET", f"/{hers}/clients/{client['id']}")).status_code == 200


async def test_a_disabled_domain_takes_nothing_new(alice: Person) -> None:
    domain_id = await alice.domain("closing")
    client, channel = await alice.client(domain_id), await alice.channel(domain_id)
    pair = {"client_ids": [client["id"]], "channel_ids": [channel["id"]], "types": ["publish"]}
    assert (await alice.ask("POST", f"/domains/{domain_id}/disable")).status_code == 200

    refused = [
        await alice.ask("POST", f"/{domain_id}/clients", json={}),
        await alice.ask("POST", f"/{domain_id}/clients/bulk", json=[{}]),
        await alice.ask("POST", f"/{domain_id}/channels", json={}),
        await alice.ask("POST", f"/{domain_id}/channels/connect", json=pair),
        await alice.ask("PATCH", f"/{domain_id}/clients/{client['id']}", json={"name": "x"}),
    ]
    assert {answer.json()["code"] for answer in refused} == {"domain_disabled"}
    assert {answer.status_code for answer in refused} == {403}
    assert (await alice.ask("DELETE", f"/{domain_id}/clients/{client['id']}")).status_code == 204

    assert (await alice.ask("POST", f"/domains/{domain_id}/enable")).status_code == 200
    assert (await alice.ask("POST", f"/{domain_id}/clients", json={})).status_code == 201


async def test_the_same_secret_may_serve_in_two_domains(alice: Person, bob: Person) -> None:
    hers, his = await alice.domain("hers"), await bob.domain("his")

    await alice.client(hers, credentials={"secret": "shared"})
    await bob.client(his, credentials={"secret": "shared"})


async def test_secrets_are_not_stored_in_clear(installed: Installation, alice: Person) -> None:
    domain_id = await alice.domain("mine")
    await alice.client(domain_id, credentials={"secret": "plain-to-see"})

    async with installed.engine.connect() as connection:
        rows = await connection.exec_driver_sql(
            "SELECT secret, secret_digest FROM platform_clients"
        )
        stored = " ".join(map(str, rows.all()))

    assert "plain-to-see" not in stored


async def test_a_person_registered_is_a_user_not_an_administrator(
    http: httpx.AsyncClient, operator: Person
) -> None:
    made = await person(http, operator.access, "carol")

    assert (await made.ask("GET", "/users/profile")).json()["role"] == "user"
