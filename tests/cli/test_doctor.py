"""``provision doctor``: what is right says so, what is wrong says how to put it right."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from provision.cli.device_checks import check_certificates, check_content
from tests.cli.served import KEY, Served
from tests.pki.tools import HOLDER, NOW, hierarchy, issued

GATEWAY = {
    "clients": [{"id": "c1", "name": "agent"}],
    "channels": [{"id": "d1", "name": "data"}, {"id": "k1", "name": "control"}],
    "connections": [
        {"client_id": "c1", "channel_id": "d1", "types": ["publish"]},
        {"client_id": "c1", "channel_id": "k1", "types": ["publish", "subscribe"]},
    ],
}
CONTENT: dict[str, Any] = {
    "domain_id": "x",
    "mqtt": {"url": "tcp://b", "client_id": "c1", "secret": "s"},
    "telemetry": {"channel_id": "d1"},
    "commands": {"channel_id": "k1"},
}


def verdicts(served: Served, external_id: str, key: str = KEY) -> dict[str, str]:
    ended = served.run("doctor", external_id, "--key", key, "--json")
    found = {each["name"]: each["verdict"] for each in ended.json["checks"]}
    assert ended.code == ("wrong" in found.values())
    return found


def test_a_whole_gateway_is_right_in_every_respect(served: Served) -> None:
    served.map("gw-well", "--layout", "gateway", "--param", "mqtt_url=mqtts://broker.example:8883")
    found = verdicts(served, "gw-well")
    assert set(found.values()) == {"right"}
    assert {"fetch", "mqtt", "telemetry", "commands", "certificate", "key", "chain"} <= set(found)
    people = served.run("doctor", "gw-well", "--key", KEY)
    assert people.code == 0
    assert "✓ the chain leads to" in people.out


def test_a_broker_on_the_own_host_is_told(served: Served) -> None:
    served.map("gw-local", "--layout", "gateway")
    assert verdicts(served, "gw-local")["mqtt.url"] == "warning"


@pytest.mark.parametrize(
    ("url", "verdict"),
    [
        ("mqtts://localhost:8883", "warning"),
        ("tcp://127.0.0.1:1883", "warning"),
        ("ssl://[::1]:8883", "warning"),
        ("localhost:1883", "warning"),
        ("mqtts://broker.example:8883", None),
        ("mqtts://localhost.example:8883", None),
        ("mqtts://[broken", None),
    ],
)
def test_which_addresses_lead_back_to_the_device(url: str, verdict: str | None) -> None:
    content = {**CONTENT, "mqtt": {**CONTENT["mqtt"], "url": url}}
    found = {each.name: each.verdict for each in check_content(json.dumps(content), GATEWAY)}
    assert found.get("mqtt.url") == verdict


def test_a_client_that_was_disabled_is_told(served: Served) -> None:
    made = served.map("gw-off", "--layout", "gateway")
    client = made["clients"][0]["id"]
    headers = {"Authorization": f"Bearer {served.token}"}
    path = f"{served.url}/{served.domain}/clients/{client}/disable"
    httpx.post(path, headers=headers).raise_for_status()
    ended = served.run("doctor", "gw-off", "--key", KEY)
    assert ended.code == 1
    assert "client agent was disabled on the platform; enable it on the platform" in ended.out


def test_of_a_personal_token_the_scopes_are_told(served: Served) -> None:
    served.map("gw-pat")
    ended = served.run("doctor", "gw-pat", "--key", KEY, "--token", "pat_1234567890")
    assert "it needs the scopes clients create, view, update_secret, delete" in ended.out
    assert "domains read; each on *" in ended.out


def test_an_unknown_device_and_a_wrong_key(served: Served) -> None:
    found = verdicts(served, "gw-none")
    assert (found["gateway"], found["fetch"]) == ("wrong", "wrong")
    served.map("gw-key")
    assert verdicts(served, "gw-key", "other")["fetch"] == "wrong"


def test_an_id_that_no_url_carries_is_told(served: Served) -> None:
    ended = served.run("doctor", "gw-key\n", "--key", KEY)
    assert "the external ID holds the control character U+000A at place 7" in ended.out


@pytest.mark.slow
def test_a_device_of_another_domain_is_named_as_that(served: Served) -> None:
    headers = {"Authorization": f"Bearer {served.token}"}
    body = {"name": "other", "route": "other"}
    other = httpx.post(f"{served.url}/domains", json=body, headers=headers).json()["id"]
    served.map("gw-twice", "--domain", other)
    refused = served.run("map", "gw-twice", KEY)
    assert refused.code == 1
    assert "external_key: cannot be used with this external ID" in refused.err
    ended = served.run("doctor", "gw-twice", "--key", KEY)
    assert ended.code == 1
    assert "the device is another domain's: another domain of this service registered" in ended.out
    assert other not in ended.out
    assert verdicts(served, "gw-twice", "other-key")["fetch"] == "wrong"


def test_what_was_broken_on_the_platform_is_found_with_its_cure(served: Served) -> None:
    made = served.map("gw-torn", "--layout", "gateway")
    headers = {"Authorization": f"Bearer {served.token}"}
    config = made["bootstrap"]["config_id"]
    channel = made["channels"][0]["id"]
    base = f"{served.url}/{served.domain}"
    httpx.post(f"{base}/clients/configs/{config}/disable", headers=headers).raise_for_status()
    httpx.request(
        "POST",
        f"{base}/channels/{channel}/disconnect",
        headers=headers,
        json={"client_ids": [config], "types": ["publish", "subscribe"]},
    ).raise_for_status()
    ended = served.run("doctor", "gw-torn", "--key", KEY)
    assert ended.code == 1
    assert (
        f'provision bootstrap whitelist \'{{"id": "{config}", "status": "enabled"}}\'' in ended.out
    )
    assert (
        "✗ connection agent - control was deleted on the platform; "
        "provision map gw-torn --on-existing repair puts it back\n" in ended.out
    )


@pytest.mark.slow
def test_a_revoked_certificate_and_another_secret_are_found(served: Served) -> None:
    made = served.map("gw-lost", "--layout", "gateway")
    client = made["clients"][0]["id"]
    (held,) = served.run("cert", "list", "--gateway", "gw-lost", "--json").json["certificates"]
    revoked = served.run("cert", "revoke", held["serial_number"], "--json")
    assert revoked.json == {"serial_number": held["serial_number"], "revoked": True}
    headers = {"Authorization": f"Bearer {served.token}"}
    url = f"{served.url}/{served.domain}/clients/{client}"
    httpx.patch(f"{url}/secret", headers=headers, json={"secret": "new"}).raise_for_status()
    httpx.patch(url, headers=headers, json={"name": "by hand"}).raise_for_status()
    ended = served.run("doctor", "gw-lost", "--key", KEY)
    assert ended.code == 1
    assert "✗ certificate agent was revoked on the platform" in ended.out
    assert "✗ client agent was changed on the platform: secret" in ended.out
    assert "! client agent was changed on the platform: name" in ended.out


@pytest.mark.parametrize(
    ("change", "name", "verdict"),
    [
        ({"mqtt": {"url": "u", "username": "c1", "password": "s"}}, "mqtt", "right"),
        ({"mqtt": {"url": "u", "client_id": "c1"}}, "mqtt", "wrong"),
        ({"mqtt": {"url": "u", "client_id": "c9", "secret": "s"}}, "mqtt", "wrong"),
        ({"mqtt": {"client_id": "c1", "secret": "s"}}, "mqtt.url", "warning"),
        ({"mqtt": "text"}, "mqtt", "wrong"),
        ({"domain_id": ""}, "domain_id", "warning"),
        ({"telemetry": {}}, "telemetry", "wrong"),
        ({"telemetry": {}, "channels": {"data_id": "d1"}}, "telemetry", "right"),
        ({"commands": {"channel_id": "zz"}}, "commands", "wrong"),
        ({"commands": {"channel_id": "d1"}}, "commands", "wrong"),
        ({"commands": {}, "channels": {"ctrl_id": "k1"}}, "commands", "right"),
    ],
)
def test_what_the_agent_requires_of_the_content(
    change: dict[str, Any], name: str, verdict: str
) -> None:
    checks = {each.name: each for each in check_content(json.dumps(CONTENT | change), GATEWAY)}
    assert checks[name].verdict == verdict
    assert checks[name].cure or verdict == "right"


@pytest.mark.parametrize("content", ["", "no json", "[]"])
def test_content_that_is_no_object_is_wrong(content: str) -> None:
    (check,) = check_content(content, GATEWAY)
    assert check.verdict == "wrong"


@pytest.mark.parametrize("hours", [1, 720, 8760])
def test_a_fresh_certificate_of_any_life_is_no_warning(hours: int) -> None:
    life = timedelta(hours=hours)
    pem = issued(hierarchy().intermediate, ttl=life).certificate.pem
    for at, verdict in ((NOW, "right"), (NOW + life * 0.7, "warning"), (NOW + life * 1.1, "wrong")):
        (check,) = (
            each
            for each in check_certificates({"id": HOLDER.client_id, "client_cert": pem}, at)
            if each.name == "certificate"
        )
        assert check.verdict == verdict
        assert "rotate" not in check.cure


def test_certificates_are_checked_for_life_key_chain_and_name(served: Served) -> None:
    made = served.map("gw-chain", "--layout", "gateway")
    other = served.map("gw-other", "--layout", "gateway")
    config = made["bootstrap"]["config_id"]
    device = {
        "id": config,
        "client_cert": made["client_cert"][config],
        "client_key": made["client_key"][config],
        "ca_cert": made["ca_cert"],
    }

    def wrong(**change: str | datetime) -> set[str]:
        at = change.pop("at", datetime.now(UTC))
        assert isinstance(at, datetime)
        checks = check_certificates(device | change, at)
        return {each.name for each in checks if each.verdict == "wrong"}

    assert wrong() == set()
    assert wrong(client_key=other["client_key"][other["bootstrap"]["config_id"]]) == {"key"}
    assert wrong(ca_cert="") == {"chain"}
    assert wrong(id="another") == {"certificate name"}
    assert "certificate" in wrong(at=datetime.now(UTC) + timedelta(days=400))
    assert wrong(client_cert="no PEM") == {"certificate"}
    at = datetime.now(UTC) + timedelta(days=245)
    (life,) = (each for each in check_certificates(device, at) if each.name == "certificate")
    (held,) = served.run("cert", "list", "--gateway", "gw-chain", "--json").json["certificates"]
    assert f"provision cert renew {held['serial_number']}" in life.cure
    (warning,) = check_certificates({"id": config}, datetime.now(UTC))
    assert (warning.name, warning.verdict) == ("certificate", "warning")
