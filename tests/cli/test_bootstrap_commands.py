"""``provision bootstrap``: every line of the document's CLI section does what it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.prompt import Ended, provision
from tests.cli.served import KEY, ROOT, Served, serving

CRYPTO = "0123456789abcdef"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(
        tmp_path_factory.mktemp("data"), ROOT / "layouts", MG_BOOTSTRAP_ENCRYPT_KEY=CRYPTO
    ) as service:
        yield service


@pytest.fixture(autouse=True)
def environment(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROVISION_URL", served.url)
    monkeypatch.setenv("PROVISION_TOKEN", served.token)
    monkeypatch.setenv("MG_PROVISION_DATA", str(served.data))


def right(*arguments: str) -> Any:
    ended = provision("bootstrap", *arguments)
    assert ended.code == 0, ended.err
    return ended.json if ended.out else None


def create(external_id: str, **fields: Any) -> str:
    config = {"external_id": external_id, "external_key": "key-1", **fields}
    return str(right("create", json.dumps(config))["id"])


@pytest.mark.slow
def test_a_config_from_create_to_remove(served: Served) -> None:
    config_id = create("01:6:0:sb:sa", name="warehouse", content='{"a": 1}')
    assert right("get", config_id, served.domain)["external_id"] == "01:6:0:sb:sa"
    assert config_id in [each["id"] for each in right("get", "all")["configs"]]
    right("update", "config", json.dumps({"id": config_id, "name": "renamed"}))
    assert right("get", config_id)["name"] == "renamed"
    assert right("bootstrap", "01:6:0:sb:sa", "key-1")["content"] == '{"a": 1}'
    secure = right("bootstrap", "secure", "01:6:0:sb:sa", "key-1", CRYPTO)
    assert secure["content"] == '{"a": 1}'
    right("remove", config_id)
    gone = provision("bootstrap", "get", config_id)
    assert gone.code == 1
    assert "next: check the ID" in gone.err


@pytest.mark.parametrize(
    ("off", "on"),
    [
        ({"status": "disabled"}, {"status": "enabled"}),
        ({"status": 1}, {"status": 0}),
        ({"state": 0}, {"state": 1}),
    ],
)
@pytest.mark.slow
def test_whitelist_enables_and_disables(off: dict[str, Any], on: dict[str, Any]) -> None:
    config_id = create(f"white-{off}")
    right("whitelist", json.dumps({"id": config_id, **off}))
    assert right("get", config_id)["status"] == "disabled"
    right("whitelist", json.dumps({"client_id": config_id, **on}))
    assert right("get", config_id)["status"] == "enabled"
    assert provision("bootstrap", "whitelist", json.dumps({"id": config_id})).code == 1


@pytest.mark.slow
def test_profiles_and_enrollments(served: Served, tmp_path: Path) -> None:
    gateway = served.map("gw-bind")
    client, channel = gateway["clients"][0]["id"], gateway["channels"][0]["id"]
    profile = {
        "name": "mqtt sensor",
        "template_format": "json",
        "binding_slots": [
            {"name": "mqtt_client", "type": "client", "required": True},
            {"name": "telemetry", "type": "channel", "required": True},
        ],
        "content_template": '{"id": "{{ .Bindings.mqtt_client.ID }}"}',
    }
    file = tmp_path / "profile.json"
    file.write_text(json.dumps(profile))
    profile_id = right("profiles", "create", f"@{file}")["id"]
    right("profiles", "update", json.dumps({"id": profile_id, "description": "new"}))
    assert right("profiles", "get", profile_id)["description"] == "new"
    assert profile_id in [each["id"] for each in right("profiles", "get", "all")["profiles"]]
    right("enrollments", "assign-profile", client, profile_id)
    bindings = [
        {"slot": "mqtt_client", "type": "client", "resource_id": client},
        {"slot": "telemetry", "type": "channel", "resource_id": channel},
    ]
    right("enrollments", "bind", client, json.dumps({"bindings": bindings}))
    right("enrollments", "bind", client, json.dumps(bindings))
    right("enrollments", "refresh-bindings", client)
    bound = right("enrollments", "get-bindings", client)["bindings"]
    assert {each["slot"] for each in bound} >= {"mqtt_client", "telemetry"}
    content = right("bootstrap", "gw-bind", "device-key-1")["content"]
    assert json.loads(content) == {"id": client}
    spare = right("profiles", "create", json.dumps({**profile, "name": "spare"}))["id"]
    right("profiles", "remove", spare)
    assert provision("bootstrap", "profiles", "get", spare).code == 1


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["bootstrap", "a"], 2, "secure EXTERNAL_ID"),
        (["bootstrap", "nobody", "key"], 1, "provision:"),
        (["create", "{"], 1, "not valid JSON at line 1, column 2: a name in double quotes is miss"),
        (["create", "@nowhere.json"], 1, "cannot be read"),
        (["update", "config", "{}"], 1, 'add "id"'),
        (["bootstrap", "secure", "a", "b", "short"], 1, "16, 24 or 32 bytes"),
        (["get", "all", "no-domain"], 1, "provision:"),
    ],
)
def test_mistakes_are_told(arguments: list[str], code: int, text: str) -> None:
    ended: Ended = provision("bootstrap", *arguments)
    assert ended.code == code
    assert text in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", '{"external_id": "a", "external_key": "b"}', "TOKEN"),
        ("get", "TOKEN"),
        ("get", "all", "TOKEN"),
        ("remove", "some-id", "TOKEN"),
        ("update", "config", '{"id": "TOKEN"}'),
        ("whitelist", '{"id": "some-id", "status": "enabled"}', "TOKEN"),
        ("profiles", "get", "all", "TOKEN"),
        ("enrollments", "get-bindings", "some-id", "TOKEN"),
        ("bootstrap", "TOKEN", "some-id"),
    ],
)
def test_a_token_in_the_place_of_an_id_is_not_sent(
    served: Served, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PROVISION_URL", "http://127.0.0.1:1")
    ended = provision("bootstrap", *(each.replace("TOKEN", served.token) for each in arguments))
    assert ended.code == 1
    assert "a token stands where an ID belongs, so nothing was sent" in ended.err
    assert served.token not in ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("gw-1", "secure", "word-of-the-device", CRYPTO),
        ("secure", "gw-1", "secure", "word-of-the-device"),
        ("gw-1", "secure"),
    ],
)
def test_swapped_words_of_a_device_are_not_sent(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PROVISION_URL", "http://127.0.0.1:1")
    ended = provision("bootstrap", "bootstrap", *arguments)
    assert ended.code == 2
    assert "word-of-the-device" not in ended.err


def test_cert_issue_writes_files_that_only_the_owner_reads(served: Served, tmp_path: Path) -> None:
    client = served.map("gw-cert")["clients"][0]["id"]
    out = tmp_path / "pki"
    ended = served.run("cert", "issue", client, "--ttl", "10h", "--out", str(out))
    assert ended.code == 0, ended.err
    assert "valid until" in ended.err
    assert "PRIVATE KEY" in (out / "key.pem").read_text()
    assert (out / "key.pem").stat().st_mode & 0o777 == 0o600
    assert "BEGIN CERTIFICATE" in served.run("cert", "issue", client).out
    assert served.run("cert", "issue", "nobody").code == 1


@pytest.mark.slow
def test_certificates_are_listed_and_revoked(served: Served) -> None:
    client = served.map("gw-revoke", "--layout", "gateway")["clients"][0]["id"]
    (only,) = served.run("cert", "list", client, "--json").json["certificates"]
    serial = only["serial_number"]
    assert serial in served.run("cert", "list", "--gateway", "gw-revoke").out
    assert served.run("cert", "revoke", serial).code == 0
    (after,) = served.run("cert", "list", client, "--json").json["certificates"]
    assert after != only
    assert served.run("cert", "list").code == 2
    assert served.run("cert", "revoke", "00").code == 1


@pytest.mark.slow
def test_a_certificate_is_renewed_and_the_device_gets_the_next_one(
    served: Served, tmp_path: Path
) -> None:
    made = served.map("gw-renew", "--layout", "gateway")
    client = made["clients"][0]["id"]
    (old,) = served.run("cert", "list", client, "--json").json["certificates"]
    ended = served.run("cert", "renew", old["serial_number"], "--out", str(tmp_path))
    assert ended.code == 0, ended.err
    certificates = served.run("cert", "list", client, "--json").json["certificates"]
    assert [each["revoked"] for each in certificates] == [False, False]
    fetched = httpx.get(
        f"{served.url}/clients/bootstrap/gw-renew", headers={"Authorization": f"Client {KEY}"}
    ).json()
    assert fetched["client_cert"] == (tmp_path / "cert.pem").read_text()
    assert fetched["client_cert"] != made["client_cert"][client]
    again = served.run("cert", "renew", old["serial_number"])
    assert again.code == 1
