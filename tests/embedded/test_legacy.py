"""Mainflux's clients find what its documentation promises."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from attrs import frozen

from provision.embedded.routes import routes
from tests.embedded.people import Person
from tests.embedded.service import Installation, app_of, http_client


@frozen
class Mainflux:
    """Somebody who knows Mainflux only: the raw token in the header."""

    http: httpx.AsyncClient
    token: str

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": self.token}
        return await self.http.request(method, path, headers=headers, **options)

    async def create(self, path: str, **fields: Any) -> str:
        """Create a thing or channel; return its ID."""
        made = await self.ask("POST", path, json=fields)
        assert (made.status_code, made.content) == (201, b"")
        location = made.headers["Location"]
        assert location.startswith(f"{path}/")
        return str(UUID(location.removeprefix(f"{path}/")))

    async def listed(self, path: str) -> dict[str, Any]:
        answer = await self.ask("GET", path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


async def _sign_up(http: httpx.AsyncClient, operator: Person, email: str) -> Mainflux:
    body = {"email": email, "password": "123"}
    made = await operator.ask("POST", "/users", json=body)
    assert (made.status_code, made.content) == (201, b"")
    token = await http.post("/tokens", json=body)
    assert token.status_code == 201
    return Mainflux(http, token.json()["token"])


@pytest.fixture
async def john(http: httpx.AsyncClient, operator: Person) -> Mainflux:
    return await _sign_up(http, operator, "john.doe@email.com")


@pytest.fixture
async def jane(http: httpx.AsyncClient, operator: Person) -> Mainflux:
    return await _sign_up(http, operator, "jane.doe@email.com")


async def test_things_are_created_listed_and_removed(john: Mainflux) -> None:
    thing_id = await john.create("/things", name="weio", metadata={"a": 1})

    page = await john.listed("/things")
    assert (page["total"], page["offset"], page["limit"]) == (1, 0, 10)
    (thing,) = page["things"]
    assert (thing["id"], thing["name"], thing["metadata"]) == (thing_id, "weio", {"a": 1})
    assert UUID(thing["key"])
    assert await john.listed(f"/things/{thing_id}") == thing

    for _ in range(2):
        assert (await john.ask("DELETE", f"/things/{thing_id}")).status_code == 204
    assert (await john.listed("/things"))["things"] == []


async def test_channels_are_created_listed_and_removed(john: Mainflux) -> None:
    channel_id = await john.create("/channels", name="mychan")

    page = await john.listed("/channels")
    assert page == {
        "total": 1,
        "offset": 0,
        "limit": 10,
        "channels": [{"id": channel_id, "name": "mychan"}],
    }

    for _ in range(2):
        assert (await john.ask("DELETE", f"/channels/{channel_id}")).status_code == 204
    assert (await john.ask("GET", f"/channels/{channel_id}")).status_code == 404


async def test_things_are_connected_to_channels_and_cut_off(john: Mainflux) -> None:
    things = [await john.create("/things", name=f"d{n}") for n in range(2)]
    channel = await john.create("/channels", name="c0")

    for _ in range(2):
        for thing in things:
            answer = await john.ask("PUT", f"/channels/{channel}/things/{thing}")
            assert (answer.status_code, answer.content) == (200, b"")

    page = await john.listed(f"/channels/{channel}/things")
    assert (page["total"], [thing["id"] for thing in page["things"]]) == (2, things)
    assert [one["id"] for one in (await john.listed(f"/things/{things[0]}/channels"))["channels"]]

    for _ in range(2):
        answer = await john.ask("DELETE", f"/channels/{channel}/things/{things[0]}")
        assert answer.status_code == 204
    assert (await john.listed(f"/things/{things[0]}/channels"))["channels"] == []
    assert (await john.listed(f"/channels/{channel}/things"))["total"] == 1


async def test_pages_have_the_documented_limits(john: Mainflux) -> None:
    for number in range(12):
        await john.create("/things", name=f"t{number:02}")

    page = await john.listed("/things")
    assert (page["total"], [one["name"] for one in page["things"]]) == (
        12,
        [f"t{number:02}" for number in range(10)],
    )
    page = await john.listed("/things?offset=10&limit=5")
    assert (page["offset"], page["limit"], len(page["things"])) == (10, 5, 2)
    assert len((await john.listed("/things?limit=100"))["things"]) == 12

    for query in ("limit=0", "limit=101", "limit=-1", "limit=x", "offset=-1", "offset=", "limit="):
        for path in ("/things", "/channels"):
            assert (await john.ask("GET", f"{path}?{query}")).status_code == 400, query


async def test_everybody_sees_the_own_things_only(john: Mainflux, jane: Mainflux) -> None:
    thing, channel = await john.create("/things"), await john.create("/channels")
    hers = await jane.create("/things")

    assert (await jane.listed("/things"))["total"] == 1
    assert (await jane.ask("GET", f"/things/{thing}")).status_code == 404
    assert (await jane.ask("DELETE", f"/things/{thing}")).status_code == 204
    assert (await jane.ask("PUT", f"/channels/{channel}/things/{hers}")).status_code == 404
    assert (await jane.ask("GET", f"/channels/{channel}/things")).status_code == 404
    assert (await john.listed("/things"))["total"] == 1


async def test_in_a_shared_domain_everybody_sees_the_own_things_only(
    operator: Person, installed: Installation, alice: Person
) -> None:
    domain_id = installed.operator.domain_id
    role = {
        "role_name": "makers",
        "optional_actions": ["client_create", "client_read", "client_delete"],
        "optional_members": [alice.id],
    }
    made = await operator.ask("POST", f"/domains/{domain_id}/roles", json=role)
    assert made.status_code == 201
    hers = Mainflux(alice.http, alice.access)
    others = (await operator.client(domain_id))["id"]

    thing = await hers.create("/things", name="hers")

    assert [one["id"] for one in (await hers.listed("/things"))["things"]] == [thing]
    assert (await hers.ask("DELETE", f"/things/{others}")).status_code == 204
    assert (await operator.ask("GET", f"/{domain_id}/clients/{others}")).status_code == 200


async def test_what_is_missing_is_not_found(john: Mainflux) -> None:
    thing, missing = await john.create("/things"), str(uuid4())

    for method, path in (
        ("GET", f"/things/{missing}"),
        ("GET", f"/things/{missing}/channels"),
        ("GET", f"/channels/{missing}/things"),
        ("PUT", f"/channels/{missing}/things/{thing}"),
        ("DELETE", f"/channels/{missing}/things/{thing}"),
    ):
        assert (await john.ask(method, path)).status_code == 404, path


async def test_a_malformed_body_is_refused(john: Mainflux) -> None:
    for path in ("/things", "/channels"):
        assert (await john.ask("POST", path, content=b"{}")).status_code == 415
        assert (await john.ask("POST", path, json=[])).status_code == 400
        assert (await john.ask("POST", path, json={"name": 7})).status_code == 400


async def test_without_a_valid_token_nothing_is_told(http: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": "nonsense"}):
        for path in ("/things", "/channels", f"/things/{uuid4()}/channels"):
            assert (await http.get(path, headers=headers)).status_code == 401


async def test_wrong_sign_ins_are_refused_alike(http: httpx.AsyncClient, john: Mainflux) -> None:
    wrong = await http.post("/tokens", json={"email": "john.doe@email.com", "password": "124"})
    nobody = await http.post("/tokens", json={"email": "nobody@email.com", "password": "123"})

    assert wrong.status_code == nobody.status_code == 403
    assert wrong.json() == nobody.json()


async def test_only_the_administrator_registers_users(
    http: httpx.AsyncClient, installed: Installation, alice: Person
) -> None:
    body = {"email": "new@email.com", "password": "123"}
    assert (await http.post("/users", json=body)).status_code == 401
    assert (await alice.ask("POST", "/users", json=body)).status_code == 403

    administrator = {"Authorization": installed.token.reveal()}
    made = await http.post("/users", json=body, headers=administrator)
    assert made.status_code == 201
    again = await http.post("/users", json=body, headers=administrator)
    assert again.status_code == 400
    token = (await http.post("/tokens", json=body)).json()["token"]
    assert await Mainflux(http, token).create("/things", name="mine")


async def test_a_user_without_a_domain_needs_the_configured_one(
    installed: Installation, alice: Person
) -> None:
    assert (await alice.ask("GET", "/things")).status_code == 400

    platform = installed.platform
    app = app_of([*routes(platform, installed.operator.domain_id)])
    async with http_client(app) as http:
        hers = Mainflux(http, alice.access)
        assert (await hers.listed("/things"))["total"] == 0
        assert (await hers.ask("POST", "/things", json={})).status_code == 403
