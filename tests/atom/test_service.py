"""The whole way beside Atom: a gateway is onboarded, fetched, watched, mended and removed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bootstrap_core.model import ConnectionType
from tests.atom.records import Caller
from tests.atom.service import BesideAtom, beside_atom
from tests.atom.world import PASSWORD, town
from tests.console.visiting import Visitor
from tests.service.running import KEY


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[BesideAtom]:
    async with beside_atom(tmp_path / "data") as running:
        yield running


async def test_a_gateway_is_onboarded_and_fetches_its_config(running: BesideAtom) -> None:
    made = await running.map()

    assert made.status_code == 201, made.text
    gateway = made.json()
    devices, channels = running.live("entities"), running.live("resources")
    assert sorted(devices) == sorted(each["id"] for each in gateway["clients"])
    assert sorted(channels) == sorted(each["id"] for each in gateway["channels"])
    check = running.there.double.store.check
    for client_id in devices:
        for channel_id in channels:
            assert check(client_id, ConnectionType.PUBLISH.value, channel_id) == (True, "allowed")
    fetched = await running.http.get(
        "/clients/bootstrap/gw-1", headers={"Authorization": f"Client {KEY}"}
    )
    assert fetched.status_code == 200, fetched.text


async def test_the_same_request_again_returns_the_same_gateway(running: BesideAtom) -> None:
    made, again = await running.map(), await running.map()

    assert (made.status_code, again.status_code) == (201, 200)
    assert [each["id"] for each in again.json()["clients"]] == [
        each["id"] for each in made.json()["clients"]
    ]
    assert len(running.live("entities")) == len(made.json()["clients"])


async def test_every_action_has_a_block_and_a_policy_of_its_own(running: BesideAtom) -> None:
    await running.map()

    store = running.there.double.store
    blocks = [each for each in store.blocks.values() if each.object_id]
    assert {tuple(each.actions) for each in blocks} == {("publish",), ("subscribe",)}
    assert sorted(each.block_id for each in store.policies.values()) == sorted(
        each.id for each in blocks
    )


async def test_removing_a_gateway_leaves_nothing_live(running: BesideAtom) -> None:
    await running.map()

    removed = await running.call("DELETE", "/mapping/gw-1")

    assert removed.status_code == 204, removed.text
    store = running.there.double.store
    assert running.live("entities") == running.live("resources") == {}
    assert not store.policies
    assert not [each for each in store.blocks.values() if each.object_id]
    issued = running.there.double.operations.authority.issued.values()
    assert all(each.revoked_at for each in issued)


async def test_a_removed_gateway_is_onboarded_again_under_new_ids(running: BesideAtom) -> None:
    first = (await running.map()).json()
    await running.call("DELETE", "/mapping/gw-1")

    second = await running.map()

    assert second.status_code == 201, second.text
    assert second.json()["clients"][0]["id"] != first["clients"][0]["id"]


async def drift(running: BesideAtom) -> set[tuple[str, str, str]]:
    answer = await running.call("GET", "/mapping/gw-1/drift")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert "drift_unknown" not in told, told
    return {(each["what"], each["kind"], each["key"]) for each in told["drift"]}


async def test_drift_tells_what_changed_and_a_repair_mends_it(running: BesideAtom) -> None:
    await running.map()
    assert await drift(running) == set()
    store = running.there.double.store
    (device,) = running.live("entities").values()
    store.policies.clear()
    device.attributes = {**device.attributes, "metadata": {"rewritten": "by the device"}}
    for each in store.credentials.values():
        if each.entity_id == device.id:
            each.secret = "by-hand"

    assert {(what, kind) for what, kind, _ in await drift(running)} == {
        ("changed", "client"),
        ("deleted", "connection"),
    }
    repaired = await running.map(on_existing="repair")

    assert repaired.status_code == 200, repaired.text
    assert {kind for _, kind, _ in await drift(running)} <= {"client"}
    assert len([each for each in store.credentials.values() if each.is_good]) == 3


async def test_what_was_deleted_is_made_again_under_another_id(running: BesideAtom) -> None:
    made = (await running.map()).json()
    (device,) = running.live("entities").values()
    device.deleted = True
    channel = next(iter(running.live("resources").values()))
    channel.deleted = True
    assert {("deleted", "client"), ("deleted", "channel")} <= {
        (what, kind) for what, kind, _ in await drift(running)
    }

    repaired = await running.map(on_existing="repair")

    assert repaired.status_code == 201, repaired.text
    assert repaired.json()["onboarding"]["outcome"] == "replaced"
    assert repaired.json()["clients"][0]["id"] != made["clients"][0]["id"]
    assert await drift(running) == set()


async def test_a_repair_by_the_onboardings_id_says_that_ids_are_spent(running: BesideAtom) -> None:
    made = (await running.map()).json()
    (device,) = running.live("entities").values()
    device.deleted = True

    refused = await running.call("POST", f"/onboardings/{made['onboarding']['id']}/repair")

    assert (refused.status_code, refused.json()["code"]) == (409, "ids_spent"), refused.text
    assert f"takes the ID again: {device.id}" in refused.text


async def test_rotating_gives_another_secret_and_certificate(running: BesideAtom) -> None:
    made = (await running.map()).json()

    rotated = await running.map(on_existing="rotate")

    assert rotated.status_code == 200, rotated.text
    store = running.there.double.store
    (device,) = running.live("entities").values()
    good = [
        each.secret
        for each in store.credentials.values()
        if each.entity_id == device.id and each.is_good
    ]
    assert good == [rotated.json()["clients"][0]["credentials"]["secret"]]
    assert good != [made["clients"][0]["credentials"]["secret"]]
    issued = running.there.double.operations.authority.issued.values()
    assert len([each for each in issued if not each.revoked_at]) == 1


async def test_replacing_makes_another_gateway_of_the_same_names(running: BesideAtom) -> None:
    made = (await running.map()).json()

    replaced = await running.map(on_existing="replace", external_key="key-2")

    assert replaced.is_success, replaced.text
    assert replaced.json()["clients"][0]["id"] != made["clients"][0]["id"]
    assert sorted(running.live("entities")) == [each["id"] for each in replaced.json()["clients"]]
    assert await drift(running) == set()


async def test_two_gateways_can_not_have_clients_of_one_name(running: BesideAtom) -> None:
    await running.map()
    for each in running.live("entities").values():
        each.name = "gw-2-agent"

    refused = await running.map("gw-2")

    assert (refused.status_code, refused.json()["code"]) == (409, "name_taken"), refused.text
    assert len(running.live("entities")) == 1


async def test_a_plan_and_the_drift_are_shown(running: BesideAtom) -> None:
    await running.map()

    plan = await running.call("POST", "/plan", json={"external_id": "gw-1"})

    assert plan.status_code == 200, plan.text
    assert plan.json()["changes"] == plan.json()["drift"] == []


async def test_a_certificate_is_issued_renewed_and_revoked(running: BesideAtom) -> None:
    made = (await running.map()).json()
    client_id = made["clients"][0]["id"]

    issued = await running.call("POST", "/cert", json={"client_id": client_id})

    assert issued.status_code in (200, 201), issued.text


async def test_a_lifetime_over_the_maximum_is_refused_with_it(tmp_path: Path) -> None:
    async with beside_atom(tmp_path / "data", MG_PROVISION_CERTS_HOURS_VALID="") as running:
        for method, path, body in (
            ("POST", "/mapping", {"external_id": "gw-1", "external_key": KEY}),
            ("POST", "/plan", {"external_id": "gw-1"}),
        ):
            answer = await running.call(method, path, json=body)
            assert answer.status_code >= 400, answer.text
            assert "720h" in answer.text
        assert not running.live("entities")


async def test_requests_without_a_header_use_the_configured_account(tmp_path: Path) -> None:
    there = town()
    caller = Caller(there.alice.id)
    made = there.double.operations.create_access_token(
        caller, {"input": {"name": "provision", "scoped": False, "permissions": []}}
    )
    for given in (
        {"MG_PROVISION_API_KEY": made["token"]},
        {"MG_PROVISION_USERNAME": "alice", "MG_PROVISION_PASS": PASSWORD},
    ):
        async with beside_atom(tmp_path / next(iter(given)), there, **given) as running:
            answer = await running.http.post(
                f"/{running.domain}/mapping",
                json={"external_id": next(iter(given)), "external_key": KEY},
            )
            assert answer.status_code == 201, answer.text


async def test_a_wrong_configured_password_is_tried_once(tmp_path: Path) -> None:
    there = town()
    given = {"MG_PROVISION_USERNAME": "alice", "MG_PROVISION_PASS": "wrong"}
    async with beside_atom(tmp_path / "data", there, **given) as running:
        for _ in range(7):
            answer = await running.http.get(f"/{running.domain}/gateways")
            assert answer.status_code == 401, answer.text
        assert there.double.failures == {"alice": 1}


async def test_the_platform_and_its_features_are_told(running: BesideAtom) -> None:
    health = (await running.http.get("/health")).json()

    assert health["status"] == "pass", health
    assert health["platform"] == {
        "name": "Atom",
        "release": "of Magistrala 0.40 or later",
        "features": [],
    }


async def test_the_console_is_entered_with_an_account_of_atom(running: BesideAtom) -> None:
    await running.map()
    someone = Visitor(running.http)

    refused = await someone.sign_in("alice", "not the password")
    entered = await someone.sign_in("alice", PASSWORD)
    gateways = await someone.open("/console/gateways")

    assert "do not belong together" in refused.text
    assert entered.status_code == gateways.status_code == 200
    assert "gw-1" in gateways.text
    assert "factory" in gateways.text


async def test_bindings_are_refreshed_from_atom(running: BesideAtom) -> None:
    made = (await running.map()).json()
    (device,) = running.live("entities").values()
    device.name = "renamed by hand"
    path = f"/clients/bootstrap/enrollments/{made['bootstrap']['config_id']}/bindings"

    refreshed = await running.call("POST", f"{path}/refresh")
    bound = await running.call("GET", path)

    assert refreshed.is_success, refreshed.text
    assert "renamed by hand" in bound.text


async def test_a_device_that_was_moved_to_another_domain_is_told(running: BesideAtom) -> None:
    await running.map()
    (device,) = running.live("entities").values()
    other = running.there.double.person("bob", "bob-password")
    device.tenant_id = running.there.double.tenant_of(other, "elsewhere").id

    assert ("changed", "client") in {(what, kind) for what, kind, _ in await drift(running)}
    removed = await running.call("DELETE", "/mapping/gw-1")

    assert removed.is_success, removed.text
    store = running.there.double.store
    assert not store.policies, "it keeps a right here"
    listed = await running.call("GET", "/onboardings")
    assert device.id in listed.text, "what is left is not named"
