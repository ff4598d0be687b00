"""Operators and members: what a role allows, and who may give it."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from provision.embedded.records import ALL_ACTIONS
from tests.embedded.people import Person, person


@pytest.fixture
async def domain_id(alice: Person) -> str:
    return await alice.domain("shared")


async def _give(
    alice: Person, domain_id: str, name: str, actions: list[str], *who: Person
) -> dict[str, Any]:
    body = {
        "role_name": name,
        "optional_actions": actions,
        "optional_members": [one.id for one in who],
    }
    made = await alice.ask("POST", f"/domains/{domain_id}/roles", json=body)
    assert made.status_code == 201, made.text
    return dict(made.json())


async def test_a_member_does_what_the_role_names_and_no_more(
    alice: Person, bob: Person, domain_id: str
) -> None:
    client = await alice.client(domain_id, name="c")
    path = f"/{domain_id}/clients/{client['id']}"
    assert (await bob.ask("GET", path)).status_code == 403

    await _give(alice, domain_id, "readers", ["read", "client_read"], bob)

    assert (await bob.ask("GET", f"/domains/{domain_id}")).status_code == 200
    assert (await bob.ask("GET", path)).status_code == 200
    listed = (await bob.ask("GET", f"/{domain_id}/clients")).json()
    assert listed["clients"][0]["actions"] == ["read"]
    assert listed["clients"][0]["access_type"] == "domain"
    assert (await bob.ask("GET", f"/{domain_id}/channels")).json() == {"total": 0, "limit": 10}
    assert (await bob.ask("PATCH", path, json={"name": "x"})).status_code == 403
    assert (await bob.ask("DELETE", path)).status_code == 403
    assert (await bob.ask("POST", f"/{domain_id}/clients", json={})).status_code == 403
    assert (await bob.ask("POST", f"/domains/{domain_id}/disable")).status_code == 403


async def test_a_second_operator_is_the_equal_of_the_first(
    alice: Person, bob: Person, domain_id: str
) -> None:
    roles = (await alice.ask("GET", f"/domains/{domain_id}/roles")).json()
    (admin,) = roles["roles"]
    assert (admin["name"], set(admin["actions"])) == ("admin", set(ALL_ACTIONS))
    members = f"/domains/{domain_id}/roles/{admin['id']}/members"

    for _ in range(2):
        added = await alice.ask("POST", members, json={"members": [bob.id]})
        assert added.json() == {"members": [bob.id]}

    assert (await bob.ask("POST", f"/{domain_id}/clients", json={})).status_code == 201
    listed = (await bob.ask("GET", members)).json()
    assert (listed["total"], set(listed["members"])) == (2, {alice.id, bob.id})
    shown = (await bob.ask("GET", f"/domains/{domain_id}?roles=true")).json()
    assert (shown["member_id"], shown["roles"][0]["role_name"]) == (bob.id, "admin")


async def test_a_domain_keeps_an_operator_whoever_removes_whom_at_once(
    alice: Person, bob: Person
) -> None:
    async def operators_remove_each_other(name: str) -> None:
        domain_id = await alice.domain(name)
        roles = f"/domains/{domain_id}/roles"
        (admin,) = (await alice.ask("GET", roles)).json()["roles"]
        members = f"{roles}/{admin['id']}/members"
        await alice.ask("POST", members, json={"members": [bob.id]})
        removals = ((alice, bob), (bob, alice))
        answers = await asyncio.gather(
            *(
                one.ask("POST", f"{members}/delete", json={"members": [other.id]})
                for one, other in removals
            )
        )
        assert sum(answer.status_code == 204 for answer in answers) == 1
        (left,) = (
            one
            for one, answer in zip((alice, bob), answers, strict=True)
            if answer.status_code == 204
        )
        assert (await left.ask("GET", members)).json()["members"] == [left.id]

    await asyncio.gather(*(operators_remove_each_other(f"d{number}") for number in range(8)))


async def test_a_role_taken_away_is_gone_at_once(
    alice: Person, bob: Person, domain_id: str
) -> None:
    role = await _give(alice, domain_id, "readers", ["client_read"], bob)
    assert (await bob.ask("GET", f"/domains/{domain_id}")).status_code == 200

    path = f"/domains/{domain_id}/roles/{role['id']}/members/delete"
    assert (await alice.ask("POST", path, json={"members": [bob.id]})).status_code == 204

    assert (await bob.ask("GET", f"/domains/{domain_id}")).status_code == 403


async def test_a_deleted_role_is_gone_at_once(alice: Person, bob: Person, domain_id: str) -> None:
    role = await _give(alice, domain_id, "readers", ["client_read"], bob)
    path = f"/domains/{domain_id}/roles/{role['id']}"
    assert (await alice.ask("GET", path)).json()["actions"] == ["client_read"]
    assert (await alice.ask("GET", f"{path}/actions")).json() == {"actions": ["client_read"]}

    assert (await alice.ask("DELETE", path)).status_code == 204

    assert (await bob.ask("GET", f"/domains/{domain_id}")).status_code == 403
    assert (await alice.ask("GET", path)).status_code == 403


async def test_members_are_listed_and_removed_with_all_their_roles(
    alice: Person, bob: Person, domain_id: str
) -> None:
    await _give(alice, domain_id, "readers", ["client_read"], bob)
    await _give(alice, domain_id, "writers", ["client_create"], bob)
    path = f"/domains/{domain_id}/roles/members"

    listed = (await alice.ask("GET", path)).json()
    held = {
        one["member_id"]: {role["role_name"] for role in one["roles"]} for one in listed["members"]
    }
    assert held == {alice.id: {"admin"}, bob.id: {"readers", "writers"}}

    gone = await alice.ask("DELETE", path, json={"member_ids": [bob.id]})
    assert gone.status_code == 204
    assert (await alice.ask("GET", path)).json()["total"] == 1


async def test_nobody_rises_by_giving_roles(
    http: httpx.AsyncClient, alice: Person, bob: Person, operator: Person, domain_id: str
) -> None:
    carol = await person(http, operator.access, "carol")
    manage = ["manage_role", "add_role_users", "remove_role_users", "view_role_users"]
    await _give(alice, domain_id, "managers", manage, bob)
    (admin,) = [
        role
        for role in (await bob.ask("GET", f"/domains/{domain_id}/roles")).json()["roles"]
        if role["name"] == "admin"
    ]
    one, all_of = f"/domains/{domain_id}/roles/{admin['id']}", f"/domains/{domain_id}/roles"

    grand = {"role_name": "grand", "optional_actions": ["delete"], "optional_members": [bob.id]}
    refused = [
        await bob.ask("POST", all_of, json=grand),
        await bob.ask("POST", f"{one}/members", json={"members": [bob.id]}),
        await bob.ask("POST", f"{one}/members/delete", json={"members": [alice.id]}),
        await bob.ask("DELETE", one),
        await bob.ask("DELETE", f"{all_of}/members", json={"member_ids": [alice.id]}),
    ]

    assert [answer.status_code for answer in refused] == [403] * len(refused)
    humble = {"role_name": "humble", "optional_actions": [], "optional_members": [carol.id]}
    assert (await bob.ask("POST", all_of, json=humble)).status_code == 201


async def test_a_domain_keeps_an_operator(alice: Person, domain_id: str) -> None:
    (admin,) = (await alice.ask("GET", f"/domains/{domain_id}/roles")).json()["roles"]
    one = f"/domains/{domain_id}/roles/{admin['id']}"

    refused = [
        await alice.ask("DELETE", one),
        await alice.ask("POST", f"{one}/members/delete", json={"members": [alice.id]}),
        await alice.ask(
            "DELETE", f"/domains/{domain_id}/roles/members", json={"member_ids": [alice.id]}
        ),
    ]

    assert [answer.status_code for answer in refused] == [400] * len(refused)
    assert (await alice.ask("GET", one)).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"role_name": ""},
        {"role_name": "x" * 201},
        {"role_name": "admin"},
        {"optional_actions": ["fly"]},
        {"optional_members": [str(uuid4())]},
        {"optional_members": "alice"},
    ],
)
async def test_a_role_that_cannot_be_is_refused(
    alice: Person, domain_id: str, change: dict[str, object]
) -> None:
    body = {"role_name": "r", "optional_actions": ["read"], "optional_members": [], **change}

    assert (await alice.ask("POST", f"/domains/{domain_id}/roles", json=body)).status_code == 400
    assert (await alice.ask("GET", f"/domains/{domain_id}/roles")).json()["total"] == 1


async def test_the_actions_there_are_can_be_asked(alice: Person) -> None:
    answer = await alice.ask("GET", "/domains/roles/available-actions")

    assert answer.json() == {"available_actions": sorted(ALL_ACTIONS)}
