"""What comes over from each release, played through: variables, file, dump, and its devices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from provision.errors import SettingsError
from provision.former_settings import PLATFORM
from provision.settings_reader import load
from tests.cli.prompt import provision
from tests.cli.served import ROOT, serving
from tests.documents.releases_table import RELEASES
from tests.service.running import embedded

Release = Mapping[str, Any]

TEXTS = {
    "HTTP_PORT": "9016", "PORT": "9016", "LOG_LEVEL": "info", "ENV_CLIENTS_TLS": "true",
    "X509_PROVISIONING": "false", "BS_CONFIG_PROVISIONING": "true", "BS_AUTO_WHITELIST": "true",
    "BS_CONTENT": "{}", "CERTS_HOURS_VALID": "2400h", "CERTS_RSA_BITS": "4096",
    "ENCRYPT_KEY": "k" * 32,
}  # fmt: skip
VALUES: Mapping[str, object] = {
    "server.LogLevel": "info", "server.log_level": "info", "server.tls": True,
    "bootstrap.x509_provision": True, "bootstrap.provision": True,
    "bootstrap.autowhite_list": True, "bootstrap.bindings": [], "bootstrap.render_context": {},
    "cert.ttl": "2400h", "certs.days_valid": "2400h", "cert.key_bits": 2048,
    "certs.key_bits": 2048, "cert.KeyType": "rsa", "certs.KeyType": "rsa",
    "client.metadata": {"external_id": "x"}, "file": "config.toml",
}  # fmt: skip
THING, CHANNEL = "5b0c1a3e-7d52-4c1f-9a43-0f6f2a9b1c01", "5b0c1a3e-7d52-4c1f-9a43-0f6f2a9b1c05"

each_release = pytest.mark.parametrize("release", RELEASES, ids=lambda each: str(each["name"]))


@each_release
def test_every_variable_is_read_or_told_of(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "given.toml").touch()
    given = {name: _text(name) for name in release["variables"]}
    loaded = load(given, {})
    unread = given.keys() - {origin.rpartition(" ")[2] for origin in loaded.origins.values()}
    told = "\n".join(loaded.warnings)
    # Where two name one setting, one of them is read.
    doubled = {
        "THINGS_URL", "CLIENTS_URL", "CHANNELS_URL", "WHITELIST_URL", "USER", "BOOTSTRAP_URL",
    }  # fmt: skip
    quiet = {name for name in unread if name not in told and name not in PLATFORM}
    assert {name for name in quiet if not name.endswith(tuple(doubled))} == set()
    assert "is not known" not in told


@each_release
def test_one_address_of_a_platform_is_never_passed_over(release: Release) -> None:
    for name in release["variables"]:
        if name in PLATFORM:
            with pytest.raises(SettingsError, match=name):
                load({name: "http://platform"}, {})
        elif name.endswith(("_LOCATION", "CLIENTS_URL", "THINGS_URL", "USERS_URL")):
            assert load({name: "http://platform"}, {}).settings.uses_magistrala


@each_release
async def test_a_file_with_all_keys_of_the_release_is_served(
    release: Release, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(_file(release))
    environment = {
        "MG_PROVISION_CONFIG_FILE": str(file),
        "MG_PROVISION_LAYOUTS": str(tmp_path / "none"),
    }
    assert not [each for each in load(environment, {}).warnings if "is not known" in each]
    async with embedded(tmp_path / "data", **environment) as running:
        made = await running.map("gw-1")
        assert made.status_code == 201, made.text
        kind = "things" if "things" in release["device"]["path"] else "clients"
        assert len(made.json()[kind]) == 1
        assert len(made.json()["client_cert"]) == 1
        assert (await running.fetch("gw-1")).status_code == 200


@each_release
@pytest.mark.slow
def test_a_dump_comes_over_and_the_release_s_devices_go_on(
    release: Release, tmp_path: Path
) -> None:
    data, file = tmp_path / "data", tmp_path / "bootstrap.jsonl"
    with serving(data, ROOT / "layouts") as served:
        domain = served.domain
    tables = release["tables"]
    file.write_text(_dump(tables, domain if tables["owner"] == "domain_id" else "op@example.com"))
    command = ("bootstrap", "import", str(file), "--data", str(data), "--json")
    if tables["owner"] == "owner":
        refused = provision(*command)
        assert refused.code == 1
        assert "--into-domain" in refused.json["rows"][0]["message"]
        command = (*command, "--into-domain", domain)
    ended = provision(*command)
    assert ended.code == 0, ended.out
    with serving(data, ROOT / "layouts") as served:
        device = release["device"]
        answer = httpx.get(
            f"{served.url}{device['path']}gw-1",
            headers={"Authorization": f"{device['scheme']} device-key".strip()},
        )
    assert answer.status_code == 200, answer.text
    got = answer.json()
    assert got["content"] == '{"a": 1}'
    assert got[device["id"]] == THING
    if device["key"]:
        assert got[device["key"]] == "thing-key"
        metadata = {"type": "control"}
        assert got[device["channels"]] == [{"id": CHANNEL, "name": "c", "metadata": metadata}]


def _text(name: str) -> str:
    plain = name.split("_", 2)[2]
    if plain in TEXTS:
        return TEXTS[plain]
    if name.endswith(("_URL", "_LOCATION")):
        return "http://platform"
    return "given.toml" if plain == "CONFIG_FILE" else "x"


def _file(release: Release) -> str:
    tables: dict[str, dict[str, object]] = {}
    top = ""
    for key in release["keys"]:
        table, _, entry = key.rpartition(".")
        if not table:
            top += f"{entry} = {json.dumps(VALUES[key])}\n"
        elif key != "bootstrap.content":
            tables.setdefault(table, {})[entry] = VALUES.get(key, "")
    text = top + "".join(f"[{table}]\n{_entries(each)}" for table, each in tables.items())
    clients = "things" if "things" in release["device"]["path"] else "clients"
    metadata = f'[{clients}.metadata]\nexternal_id = "x"\n'
    text += f'[[{clients}]]\nname = "gateway"\n{metadata}'
    return f'{text}[[channels]]\nname = "control"\n[channels.metadata]\ntype = "control"\n'


def _entries(values: Mapping[str, object]) -> str:
    toml = {key: json.dumps(value).replace(": ", " = ") for key, value in values.items()}
    toml |= {key: "{external_id = 'x'}" for key in values if key == "metadata"}
    return "".join(f"{key} = {value}\n" for key, value in toml.items())


def _dump(tables: Mapping[str, str], owner: str) -> str:
    owned = {tables["owner"]: owner}
    config = {
        tables["config"]: THING,
        "name": "gw",
        "external_id": "gw-1",
        "external_key": "device-key",
        "content": '{"a": 1}',
        "client_cert": "",
        "client_key": "",
        "ca_cert": "",
    }
    if not tables["channel"]:
        return _line("configs", owned | config | {"status": 0, "render_context": {}})
    channel = {tables["channel"]: CHANNEL, "name": "c", "metadata": {"type": "control"}}
    connection = {"config_id": THING, "channel_id": CHANNEL}
    return "".join(
        [
            _line("connections", owned | connection),
            _line("configs", owned | config | {tables["secret"]: "thing-key", "state": 0}),
            _line("channels", owned | channel),
        ]
    )


def _line(table: str, row: Mapping[str, object]) -> str:
    return json.dumps({"table": table, "row": row}) + "\n"
