"""One request onboards a gateway, and the gateway fetches what it needs."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from tests.database import FILE, execute
from tests.service.members import stranger
from tests.service.running import KEY, Running, by_key, embedded


async def test_one_request_makes_the_whole_gateway(running: Running) -> None:
    answer = await running.map(layout="gateway", parameters={"mqtt_url": "mqtts://broker:8883"})
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/{running.domain}/mapping/gw-1"
    made = answer.json()
    (agent,) = made["clients"]
    control = by_key(made["channels"], metadata={"type": "control"})
    data = by_key(made["channels"], metadata={"type": "data"})
    assert (
        agent["metadata"]
        | {
            "external_id": "gw-1",
            "type": "gateway",
            "cfg_id": agent["id"],
            "ctrl_channel_id": control["id"],
            "data_channel_id": data["id"],
            "export_channel_id": "",
        }
        == agent["metadata"]
    )
    assert made["bootstrap"]["config_id"] == agent["id"]
    assert made["whitelisted"] == {agent["id"]: True}
    assert made["onboarding"]["outcome"] == "created"
    assert made["onboarding"]["state"] == "done"
    assert KEY not in answer.text

    device = (await running.fetch()).json()
    assert device["id"] == agent["id"]
    assert json.loads(device["content"]) == {
        "device_id": agent["id"],
        "external_id": "gw-1",
        "domain_id": running.domain,
        "mqtt": {
            "url": "mqtts://broker:8883",
            "client_id": agent["id"],
            "secret": agent["credentials"]["secret"],
        },
        "telemetry": {"channel_id": data["id"]},
        "commands": {"channel_id": control["id"]},
    }
    assert device["client_cert"] == made["client_cert"][agent["id"]]
    assert device["client_key"] == made["client_key"][agent["id"]]
    assert device["ca_cert"] == made["ca_cert"]


async def test_the_platform_holds_what_the_answer_says(running: Running) -> None:
    made = (await running.map()).json()
    (agent,) = made["clients"]
    held = await running.get(f"/clients/{agent['id']}")
    assert held == agent | {"created_at": held["created_at"]}
    for channel in made["channels"]:
        held = await running.get(f"/channels/{channel['id']}")
        assert held == channel | {"created_at": held["created_at"]}
        connected = await running.get(f"/clients?channel={channel['id']}")
        assert [each["id"] for each in connected["clients"]] == [agent["id"]]


async def test_the_certificate_is_the_clients_and_verifies_through_the_chain(
    running: Running,
) -> None:
    made = (await running.map()).json()
    (client_id,) = made["client_cert"]
    certificate = x509.load_pem_x509_certificate(made["client_cert"][client_id].encode())
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert name.value == client_id
    issuer, root = x509.load_pem_x509_certificates(made["ca_cert"].encode())
    certificate.verify_directly_issued_by(issuer)
    issuer.verify_directly_issued_by(root)
    context = ssl.create_default_context(cadata=made["ca_cert"])
    assert context.cert_store_stats()["x509_ca"] == 2


async def test_the_export_layout_makes_a_second_client_and_its_channel(running: Running) -> None:
    made = (await running.map(layout="gateway-export")).json()
    assert len(made["clients"]) == 2
    assert len(made["channels"]) == 3
    assert set(made["client_cert"]) == {each["id"] for each in made["clients"]}
    content = json.loads((await running.fetch()).json()["content"])
    assert content["commands"]["channel_id"] in {each["id"] for each in made["channels"]}


async def test_the_go_dialect_onboards_with_its_static_content(running: Running) -> None:
    made = (await running.map(layout="config", name="site-7")).json()
    assert made["clients"][0]["name"] == "site-7"
    assert made["channels"][0]["name"].startswith("site-7_")
    content = (
        await running.http.get(f"/{running.domain}/mapping?layout=config", headers=running.headers)
    ).json()
    assert json.loads((await running.fetch()).json()["content"]) == content


async def test_the_mainflux_dialect_answers_things_with_their_key(running: Running) -> None:
    made = (await running.map(layout="mainflux")).json()
    assert "clients" not in made
    thing = made["things"][0]
    held = await running.get(f"/clients/{thing['id']}")
    assert thing["key"] == held["credentials"]["secret"]
    assert made["whitelisted"] == {thing["id"]: True}


async def test_a_mainflux_device_gets_its_key_and_channels(running: Running) -> None:
    made = (await running.map(layout="mainflux")).json()
    (client,) = made["things"]
    device = {"Authorization": KEY}
    got = (await running.http.get("/things/bootstrap/gw-1", headers=device)).json()
    held = await running.get(f"/clients/{client['id']}")
    assert (got["thing_id"], got["thing_key"]) == (client["id"], held["credentials"]["secret"])
    assert {each["id"] for each in got["channels"]} == {each["id"] for each in made["channels"]}

    listed = f"/channels?client={client['id']}"
    assert (await running.get(listed))["total"] == len(made["channels"])
    for state, count in ((0, 0), (1, len(made["channels"]))):
        answer = await running.http.put(
            f"/things/state/{client['id']}", json={"state": state}, headers=running.headers
        )
        assert answer.status_code == 200
        assert (await running.get(listed))["total"] == count


async def test_repair_gives_a_mainflux_device_of_an_earlier_version_its_key(
    tmp_path: Path,
) -> None:
    async with embedded(tmp_path) as running:
        made = (await running.map(layout="mainflux")).json()
        # Up to 0.2.1 nothing was bound for such a layout.
        execute(tmp_path / FILE, "DELETE FROM bindings")
        repaired = await running.map(layout="mainflux", on_existing="repair")
        assert repaired.status_code == 200
        device = {"Authorization": KEY}
        got = (await running.http.get("/things/bootstrap/gw-1", headers=device)).json()
        assert got["thing_key"] == made["things"][0]["key"]
        assert len(got["channels"]) == len(made["channels"])


async def test_post_mapping_without_a_domain_means_the_callers_only_one(running: Running) -> None:
    body = {"external_id": "gw-1", "external_key": KEY}
    answer = await running.http.post("/mapping", json=body, headers=running.headers)
    assert answer.status_code == 201
    assert answer.json()["clients"][0]["domain_id"] == running.domain


async def test_post_mapping_with_several_domains_says_how_to_name_one(running: Running) -> None:
    someone = await stranger(running)
    domains = [await someone.domain(name) for name in ("first", "second")]
    body = {"external_id": "gw-1", "external_key": KEY}
    answer = await someone.ask("POST", "/mapping", json=body)
    assert answer.status_code == 400
    assert "put the ID of one before the path" in answer.json()["message"]
    assert all(domain in answer.json()["message"] for domain in domains)


async def test_a_raw_token_is_taken_too(running: Running) -> None:
    body = {"external_id": "gw-1", "external_key": KEY}
    answer = await running.http.post(
        f"/{running.domain}/mapping", json=body, headers={"Authorization": running.token}
    )
    assert answer.status_code == 201


async def test_asking_again_gives_the_same_gateway(running: Running) -> None:
    first = (await running.map()).json()
    again = await running.map()
    assert again.status_code == 200
    second = again.json()
    assert second.pop("onboarding")["outcome"] == "reused"
    assert first.pop("onboarding")["outcome"] == "created"
    assert second == first


async def test_twenty_at_once_make_one_gateway(running: Running) -> None:
    answers = await asyncio.gather(*(running.map() for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.json()["clients"][0]["id"] for answer in answers}) == 1
    assert await running.left_on_platform() == {
        "clients": ["gw-1-agent"],
        "channels": ["gw-1-control", "gw-1-data"],
    }


async def test_another_key_for_a_known_gateway_is_refused(running: Running) -> None:
    await running.map()
    answer = await running.map(external_key="another")
    assert answer.status_code == 409
    assert answer.json()["code"] == "external_key_differs"
    assert (await running.fetch()).status_code == 200


async def test_on_existing_fail_names_the_onboarding(running: Running) -> None:
    made = (await running.map()).json()
    answer = await running.map(on_existing="fail")
    assert answer.status_code == 409
    assert answer.json()["details"]["onboarding_id"] == made["onboarding"]["id"]


async def test_rotate_changes_key_secrets_and_certificate_but_no_id(running: Running) -> None:
    before = (await running.map()).json()
    answer = await running.map(external_key="new-key", on_existing="rotate")
    assert answer.status_code == 200
    after = answer.json()
    assert after["onboarding"]["outcome"] == "rotated"
    (old,), (new,) = before["clients"], after["clients"]
    assert new["id"] == old["id"]
    assert new["credentials"] != old["credentials"]
    assert after["client_cert"] != before["client_cert"]
    assert (await running.fetch()).status_code == 403
    device = (await running.fetch(key="new-key")).json()
    assert json.loads(device["content"])["mqtt"]["secret"] == new["credentials"]["secret"]
    held = await running.get(f"/clients/{new['id']}")
    assert held["credentials"]["secret"] == new["credentials"]["secret"]
    listed = (await running.get(f"/certs?entity_id={new['id']}"))["certificates"]
    assert sorted(each["revoked"] for each in listed) == [False, True]


async def test_replace_makes_a_new_gateway_and_removes_the_old(running: Running) -> None:
    before = (await running.map()).json()
    answer = await running.map(external_key="new-key", on_existing="replace")
    assert answer.status_code == 201
    after = answer.json()
    assert after["onboarding"]["outcome"] == "replaced"
    assert after["clients"][0]["id"] != before["clients"][0]["id"]
    assert (await running.fetch(key="new-key")).json()["id"] == after["clients"][0]["id"]
    # The old secret works no longer than until the answer.
    left = await running.left_on_platform()
    assert (len(left["clients"]), len(left["channels"])) == (1, 2)
    assert "warnings" not in after


async def test_repair_restores_what_was_deleted_and_nothing_else(running: Running) -> None:
    made = (await running.map()).json()
    (agent,), channels = made["clients"], made["channels"]
    for path in (f"clients/{agent['id']}", f"channels/{channels[0]['id']}"):
        await running.http.delete(f"/{running.domain}/{path}", headers=running.headers)
    answer = await running.map(on_existing="repair")
    assert answer.status_code == 200
    assert answer.json()["onboarding"]["outcome"] == "repaired"
    assert (await running.get(f"/clients/{agent['id']}"))["credentials"] == agent["credentials"]
    for channel in channels:
        connected = await running.get(f"/clients?channel={channel['id']}")
        assert [each["id"] for each in connected["clients"]] == [agent["id"]]


async def test_dry_run_shows_the_plan_and_makes_nothing(running: Running) -> None:
    body = {"external_id": "gw-1", "external_key": KEY}
    answer = await running.http.post(
        f"/{running.domain}/mapping?dry_run=true", json=body, headers=running.headers
    )
    assert answer.status_code == 200
    plan = answer.json()
    assert [each["name"] for each in plan["clients"]] == ["gw-1-agent"]
    assert [each["name"] for each in plan["channels"]] == ["gw-1-control", "gw-1-data"]
    assert len(plan["connections"]) == 2
    assert await running.nothing_is_there()


async def test_an_idempotency_key_gives_the_stored_answer(running: Running) -> None:
    body = {"external_id": "gw-1", "external_key": KEY}
    headers = running.headers | {"Idempotency-Key": "k-1"}
    path = f"/{running.domain}/mapping"
    first = await running.http.post(path, json=body, headers=headers)
    again = await running.http.post(path, json=body, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.json() == again.json()
    other = await running.http.post(path, json=body | {"name": "x"}, headers=headers)
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_key_reused"


async def test_removing_cuts_the_device_off_and_leaves_nothing(running: Running) -> None:
    await running.map()
    path = f"/{running.domain}/mapping/gw-1"
    removed = await running.http.delete(path, headers=running.headers)
    assert removed.status_code == 204
    assert (await running.fetch()).status_code == 403
    assert await running.nothing_is_there()
    assert (await running.http.delete(path, headers=running.headers)).status_code == 204
    gone = await running.http.get(path, headers=running.headers)
    assert (gone.status_code, gone.json()["code"]) == (404, "gateway_removed")
    entry = gone.json()["details"]["onboarding_id"]
    assert f"/{running.domain}/onboardings/{entry} shows its journal" in gone.json()["message"]
    assert (await running.get(f"/onboardings/{entry}"))["state"] == "undone"
    assert (await running.get("/mapping/gw-1?record=true"))["onboarding"]["state"] == "undone"
    assert (await running.map()).status_code == 201


async def test_a_gateway_is_shown_without_secrets(running: Running) -> None:
    made = (await running.map("a/b c")).json()
    await running.fetch("a/b c")
    answer = await running.http.get(f"/{running.domain}/mapping/a%2Fb%20c", headers=running.headers)
    shown = answer.json()
    assert shown["external_id"] == "a/b c"
    assert shown["bootstrap"]["status"] == "enabled"
    assert made["clients"][0]["credentials"]["secret"] not in answer.text
    assert "PRIVATE KEY" not in answer.text
    (row,) = (await running.get("/onboardings"))["onboardings"]
    assert row["state"] == "done"
    whole = await running.get(f"/onboardings/{row['id']}")
    assert [step["name"] for step in whole["steps"]][-1:] == ["commit"] or whole["steps"]
    assert whole["audit"][0]["action"] == "onboard"


async def test_cert_issues_a_certificate_for_a_client(running: Running) -> None:
    (agent,) = (await running.map()).json()["clients"]
    answer = await running.http.post(
        f"/{running.domain}/cert",
        json={"thing_id": agent["id"], "ttl": "10h", "key_bits": 2048},
        headers=running.headers,
    )
    assert answer.status_code == 201
    made = answer.json()
    certificate = x509.load_pem_x509_certificate(made["certificate"].encode())
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert 10 * 3600 <= life.total_seconds() <= 11 * 3600
    assert "PRIVATE KEY" in made["key"]
