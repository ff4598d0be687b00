"""``provision broker mosquitto``: the files that it writes, and what it says."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import httpx
import pytest

from provision.cli.broker import access_of
from provision.cli.output import CommandFailed
from tests.cli.prompt import Ended
from tests.cli.served import Served


def write(served: Served, directory: Path, *arguments: str) -> Ended:
    return served.run("broker", "mosquitto", "--out", str(directory), *arguments)


def rules(directory: Path, client: str) -> list[str]:
    """Return the rules of one user of an ACL file."""
    blocks = (directory / "acl").read_text().split("\nuser ")
    (own,) = (each for each in blocks if each.startswith(f"{client}\n"))
    return [line for line in own.splitlines()[1:] if line.startswith("topic ")]


def named(made: Any, kind: str, name: str) -> str:
    return next(str(each["id"]) for each in made[kind] if each["name"] == name)


@pytest.mark.slow
def test_each_client_may_do_what_its_connections_say(served: Served, tmp_path: Path) -> None:
    made = served.map("gw-1", "--layout", "gateway-export")
    ended = write(served, tmp_path / "out")
    assert ended.code == 0, ended.err
    assert "changed in" in ended.err
    assert "next: provision cert server NAME --out" in ended.err

    topics = f"m/{served.domain}/c"
    agent, export = (named(made, "clients", f"gw-1-{name}") for name in ("agent", "export"))
    control, data, own = (
        named(made, "channels", f"gw-1-{name}") for name in ("control", "data", "export")
    )
    assert set(rules(tmp_path / "out", agent)) == {
        f"topic readwrite {topics}/{control}/#",
        f"topic readwrite {topics}/{data}/#",
    }
    assert rules(tmp_path / "out", export) == [f"topic write {topics}/{own}/#"]
    older = write(served, tmp_path / "older", "--older-topics")
    assert older.code == 0
    assert f"topic write channels/{own}/messages/#" in rules(tmp_path / "older", export)


def test_the_files_are_for_the_broker_to_read(served: Served, tmp_path: Path) -> None:
    made = served.map("gw-2")
    assert write(served, tmp_path, "--port", "18883").code == 0
    files = {each.name: each for each in tmp_path.iterdir()}
    assert set(files) == {"acl", "ca.pem", "crl.pem", "mosquitto.conf"}
    assert all(stat.S_IMODE(each.stat().st_mode) & 0o044 for each in files.values())
    assert files["ca.pem"].read_text() == made["ca_cert"]
    settings = dict(
        line.split(" ", 1)
        for line in files["mosquitto.conf"].read_text().splitlines()
        if not line.startswith("#")
    )
    assert settings["listener"] == "18883"
    assert settings["acl_file"] == str(files["acl"])
    assert settings["require_certificate"] == "true"
    assert settings["use_identity_as_username"] == "true"
    assert files["crl.pem"].read_text().count("BEGIN X509 CRL") == 2


@pytest.mark.slow
def test_it_says_what_has_changed(served: Served, tmp_path: Path) -> None:
    served.map("gw-3")
    assert write(served, tmp_path, "--json").json["changed"] == [
        "acl",
        "ca.pem",
        "crl.pem",
        "mosquitto.conf",
    ]
    (tmp_path / "cert.pem").touch()
    (tmp_path / "key.pem").touch()
    again = write(served, tmp_path, "--json")
    assert again.json["changed"] == []
    assert "next" not in again.err

    (held,) = served.run("cert", "list", "--gateway", "gw-3", "--json").json["certificates"]
    assert served.run("cert", "revoke", held["serial_number"]).code == 0
    revoked = write(served, tmp_path, "--json")
    assert revoked.json["changed"] == ["crl.pem"]
    assert "next: have mosquitto read them" in revoked.err
    assert served.run("unmap", "gw-3", "--yes").code == 0
    assert "acl" in write(served, tmp_path, "--json").json["changed"]


@pytest.mark.slow
def test_live_leaves_out_what_the_platform_has_disabled(served: Served, tmp_path: Path) -> None:
    made = served.map("gw-4")
    agent = made["clients"][0]["id"]
    headers = {"Authorization": f"Bearer {served.token}"}
    path = f"{served.url}/{served.domain}/clients/{agent}/disable"
    assert httpx.post(path, headers=headers).status_code == 200
    assert write(served, tmp_path).code == 0
    assert rules(tmp_path, agent)
    ended = write(served, tmp_path, "--live", "--json")
    assert list(ended.json["left_out"]) == ["gw-4"]
    assert "gateway gw-4 is left out: client" in ended.err
    assert "was disabled on the platform" in ended.err
    assert agent not in (tmp_path / "acl").read_text()


@pytest.mark.slow
def test_the_gateways_of_several_domains_share_a_broker(served: Served, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {served.token}"}
    body = {"name": "second", "route": "second"}
    second = httpx.post(f"{served.url}/domains", json=body, headers=headers).json()["id"]
    first = served.map("gw-5")
    other = served.map("gw-6", "--domain", second)
    assert write(served, tmp_path, "--domain", served.domain, "--also-domain", second).code == 0
    for made, domain in ((first, served.domain), (other, second)):
        (agent, *_) = made["clients"]
        assert all(f" m/{domain}/c/" in rule for rule in rules(tmp_path, agent["id"]))
    refused = write(served, tmp_path, "--also-domain", "11111111-2222-4333-8444-555555555555")
    assert refused.code == 1


@pytest.mark.parametrize("channel", ["all/#", "+", "two\ntopic readwrite #", ""])
def test_an_id_that_would_change_the_rules_is_refused(channel: str) -> None:
    gateway = {
        "external_id": "gw",
        "connections": [{"client_id": "c", "channel_id": channel, "types": ["publish"]}],
    }
    with pytest.raises(CommandFailed, match="can't be part of a topic"):
        access_of("d", gateway)
