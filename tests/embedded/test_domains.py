"""Domains over HTTP, and the first one."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap_core.secrets import Secret
from provision.embedded.start import first_start
from provision.embedded.users import administrator
from tests.embedded.people import Person
from tests.embedded.service import Installation, prepare_tables, started


async def test_the_first_start_makes_an_operator_once(installed: Installation) -> None:
    platform, who = installed.platform, installed.operator

    tokens = await platform.issue_token(who.username, who.password)
    assert (await platform.view_user(tokens.access)).role == "admin"
    assert (await platform.view_domain(tokens.access, who.domain_id)).id == who.domain_id
    assert who.password.reveal() not in repr(who)
    assert await first_start(platform, who.password) == who
    assert (await platform.list_domains(tokens.access, 0, 10)).total == 1


async def test_a_first_start_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    await prepare_tables(tmp_path / "database")
    async with started(tmp_path / "database") as (_, platform):
        await platform.users.register(administrator("operator", "o@example.com", Secret("p" * 8)))
        operator = await first_start(platform, Secret("p" * 8))
        tokens = await platform.issue_token("operator", Secret("p" * 8))
        assert (await platform.view_domain(tokens.access, operator.domain_id)).name == "default"


async def test_domains_are_listed_to_their_members(
    operator: Person, alice: Person, bob: Person
) -> None:
    hers = [await alice.domain(name) for name in ("first", "second")]
    await bob.domain("third")

    listed = (await alice.ask("GET", "/domains")).json()
    assert (listed["total"], [one["id"] for one in listed["domains"]]) == (2, hers[::-1])
    assert (await alice.ask("GET", "/domains?name=SEC")).json()["total"] == 1
    assert (await alice.ask("GET", "/domains?limit=1&offset=1")).json()["domains"][0]["id"] == hers[
        0
    ]
    assert (await operator.ask("GET", "/domains")).json()["total"] == 4


async def test_a_domain_is_changed_as_named(alice: Person) -> None:
    domain_id = await alice.domain("mine")

    changed = await alice.ask(
        "PATCH", f"/domains/{domain_id}", json={"name": "ours", "tags": ["t"], "metadata": {"k": 1}}
    )
    again = await alice.ask("PATCH", f"/domains/{domain_id}", json={"metadata": {}})

    assert changed.json() | {"updated_at": ""} == again.json() | {
        "updated_at": "",
        "metadata": {"k": 1},
    }
    assert (again.json()["name"], again.json()["route"]) == ("ours", "mine")
    assert again.json()["updated_by"] == alice.id


@pytest.mark.parametrize("verb", ["enable", "disable"])
async def test_a_domain_s_status_may_be_set_again(alice: Person, verb: str) -> None:
    domain_id = await alice.domain("mine")

    for _ in range(2):
        answer = await alice.ask("POST", f"/domains/{domain_id}/{verb}")
        assert (answer.status_code, answer.content) == (200, b"")

    assert (await alice.ask("GET", f"/domains/{domain_id}")).json()["status"] == f"{verb}d"


@pytest.mark.parametrize(
    "body",
    [
        {"name": "x"},
        {"route": "x"},
        {"name": "x", "route": "taken"},
        {"name": "x", "route": "bad route"},
        {"name": "x", "route": "x", "metadata": 7},
    ],
)
async def test_a_domain_that_cannot_be_is_refused(
    alice: Person, bob: Person, body: dict[str, object]
) -> None:
    await bob.domain("taken")

    assert (await alice.ask("POST", "/domains", json=body)).status_code == 400
    assert (await alice.ask("GET", "/domains")).json()["total"] == 0
