"""Keys, backup and restore: nothing is lost, whether the service runs or not."""

from __future__ import annotations

import json
import shutil
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from bootstrap_core.secrets import SealingKey
from provision.store.data_directory import DataDirectory
from tests.cli.prompt import provision
from tests.cli.served import KEY, ROOT, Served, serving
from tests.console.visiting import forms_of
from tests.database import FILE, execute

LAYOUTS = ROOT / "layouts"
JOINED = """
[layout]
name = "joined"

[parameters.token]
secret = true
required = true

[[clients]]
key = "agent"
name = "{{ .ExternalID }}"
bootstrap = true

[profile]
name = "joined"
content_format = "json"
content_template = '{"token": "{{ .Vars.token }}"}'
"""


def fetched(served: Served, external_id: str) -> str:
    answer = httpx.get(
        f"{served.url}/clients/bootstrap/{external_id}", headers={"Authorization": f"Client {KEY}"}
    )
    assert answer.status_code == 200, answer.text
    return answer.text


def key_ids(data: Path) -> set[str]:
    """Return the IDs of the keys that anything in the database is sealed with."""
    columns = {
        "service_keys": ("sealed",),
        "platform_authorities": ("issuer_key", "root_key"),
        "platform_clients": ("secret",),
        "configs": ("sealed_client_key", "sealed_context"),
        "bindings": ("sealed_secret",),
        "onboardings": ("intent", "token"),
        "stored_answers": ("answer",),
        "console_sessions": ("credentials", "notice"),
    }
    found = set()
    for table, names in columns.items():
        for row in execute(data / FILE, f"SELECT {', '.join(names)} FROM {table}"):  # noqa: S608
            found |= {value.split(".")[1] for value in row if value}
    return found


def signed_in(served: Served) -> httpx.Client:
    """Return a browser in which the operator is signed in to the console."""
    browser = httpx.Client(follow_redirects=True)
    (form,) = forms_of(browser.get(f"{served.url}/console").text)
    browser.post(served.url + form.action, data=form.values | served.operator)
    return browser


@pytest.mark.slow
def test_rotation_reseals_everything_and_devices_get_the_same(tmp_path: Path) -> None:
    data, layouts = tmp_path / "data", tmp_path / "layouts"
    shutil.copytree(LAYOUTS, layouts)
    (layouts / "joined.toml").write_text(JOINED)
    with serving(data, layouts) as served:
        served.map("gw-1", "--layout", "gateway")
        served.map("gw-3", "--layout", "joined", "--param", "token=swordfish")
        joined = fetched(served, "gw-3")
        assert "swordfish" in joined
        body = {"external_id": "gw-2", "external_key": KEY}
        headers = {"Authorization": f"Bearer {served.token}", "Idempotency-Key": "k"}
        httpx.post(f"{served.url}/{served.domain}/mapping", json=body, headers=headers)
        browser = signed_in(served)
        before = fetched(served, "gw-1")
    old = key_ids(data)
    ended = provision("keys", "rotate", "--data", str(data), "--forget", "--json")
    assert ended.code == 0, ended.err
    assert key_ids(data) == {ended.json["key"]}
    assert not key_ids(data) & old
    assert all(ended.json["resealed"].values())
    assert len((data / "sealing.keys").read_text().split()) == 1
    assert (data / "sealing.keys").stat().st_mode & 0o777 == 0o600
    with serving(data, layouts) as served:
        assert fetched(served, "gw-1") == before
        assert fetched(served, "gw-3") == joined
        assert served.map("gw-1")["onboarding"]["outcome"] == "reused"
        assert "Overview" in browser.get(f"{served.url}/console").text
    browser.close()


@pytest.mark.slow
def test_a_running_service_goes_on_through_a_rotation(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data, LAYOUTS) as served:
        served.map("gw-1", "--layout", "gateway")
        before = fetched(served, "gw-1")
        old = key_ids(data)
        ended = provision("keys", "rotate", "--data", str(data), "--json")
        assert ended.code == 0, ended.err
        assert ended.json["service_runs"] is True
        assert key_ids(data) == {ended.json["key"]}
        assert fetched(served, "gw-1") == before
        served.map("gw-2", "--layout", "gateway")
        assert key_ids(data) == {ended.json["key"]}
        assert served.map("gw-1", "--layout", "gateway")["onboarding"]["outcome"] == "reused"
        forgetful = provision("keys", "rotate", "--data", str(data), "--forget")
        assert forgetful.code == 1
        assert "next: rotate without --forget" in forgetful.err
        assert key_ids(data) == {ended.json["key"]}
        people = provision("keys", "rotate", "--data", str(data))
        assert "the running service seals with it, too" in people.err
    assert not key_ids(data) & old
    assert provision("keys", "rotate", "--data", str(data), "--forget").code == 0
    with serving(data, LAYOUTS) as served:
        assert fetched(served, "gw-1") == before


@pytest.mark.slow
def test_gateways_made_while_keys_are_rotated_lose_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    names = [f"gw-{number}" for number in range(24)]
    with serving(data, LAYOUTS) as served:
        headers = {"Authorization": f"Bearer {served.token}"}

        def make(name: str) -> str:
            body = {"external_id": name, "external_key": KEY, "layout": "gateway"}
            url = f"{served.url}/{served.domain}/mapping"
            made = httpx.post(url, json=body, headers=headers, timeout=60)
            assert made.status_code == 201, made.text
            return fetched(served, name)

        with ThreadPoolExecutor(3) as makers:
            given = makers.map(make, names)
            for _ in range(3):
                ended = provision("keys", "rotate", "--data", str(data))
                assert ended.code == 0, ended.err
            first = dict(zip(names, given, strict=True))
        assert {name: fetched(served, name) for name in names} == first
    assert provision("keys", "rotate", "--data", str(data), "--forget").code == 0
    with serving(data, LAYOUTS) as served:
        assert {name: fetched(served, name) for name in names} == first


def test_two_commands_never_change_the_keys_at_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data, LAYOUTS):
        with DataDirectory(data).holding_keys():
            rotating = provision("keys", "rotate", "--data", str(data))
            saving = provision("backup", str(tmp_path / "b.tar.gz"), "--data", str(data))
        assert (rotating.code, saving.code) == (1, 1)
        assert "in use by another command" in rotating.err
        assert "in use by another command" in saving.err
        (data / "sealing.keys").write_text("no key")
        damaged = provision("keys", "rotate", "--data", str(data))
        assert damaged.code == 1
        assert "sealing.keys: a sealing key is written in base64" in damaged.err


@pytest.mark.slow
def test_configured_keys_are_put_in_force_beside_a_running_service(tmp_path: Path) -> None:
    data = tmp_path / "data"
    old, new = (SealingKey.generate().to_text() for _ in range(2))
    with (
        pytest.MonkeyPatch.context() as given,
        serving(data, LAYOUTS, MG_PROVISION_SEALING_KEYS=f"{new},{old}") as served,
    ):
        given.setenv("MG_PROVISION_SEALING_KEYS", f"{old},{new}")
        assert provision("keys", "rotate", "--data", str(data)).code == 0
        given.setenv("MG_PROVISION_SEALING_KEYS", f"{new},{old}")
        served.map("gw-1", "--layout", "gateway")
        ended = provision("keys", "rotate", "--data", str(data), "--json")
        assert ended.code == 0, ended.err
        assert key_ids(data) == {SealingKey.from_text(new).id}
        assert fetched(served, "gw-1")
    assert not (data / "sealing.keys").exists()


@pytest.mark.sqlite("a backup holds the database file; pg_dump backs PostgreSQL up")
@pytest.mark.slow
def test_a_backup_of_a_running_service_restores_elsewhere(tmp_path: Path) -> None:
    data, archive, other = tmp_path / "data", tmp_path / "b.tar.gz", tmp_path / "other"
    with serving(data, LAYOUTS) as served:
        served.map("gw-1", "--layout", "gateway")
        before = fetched(served, "gw-1")
        ended = provision("backup", str(archive), "--data", str(data), "--json")
        assert ended.code == 0, ended.err
        assert ended.json["files"] == ["operator.json", "provision.db", "sealing.keys"]
        assert archive.stat().st_mode & 0o777 == 0o600
        served.map("gw-later")
        assert provision("restore", str(archive), "--data", str(data), "--force").code == 1
    assert provision("backup", str(archive), "--data", str(data)).code == 1
    assert provision("restore", str(archive), "--data", str(data)).code == 1
    assert provision("restore", str(archive), "--data", str(other)).code == 0
    with serving(other, LAYOUTS) as served:
        assert fetched(served, "gw-1") == before
        known = served.run("list", "--json").json["onboardings"]
        assert [each["external_id"] for each in known] == ["gw-1"]


def test_rotation_without_the_old_keys_is_refused_and_told(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data, LAYOUTS):
        pass
    (data / "sealing.keys").unlink()
    ended = provision("keys", "rotate", "--data", str(data))
    assert ended.code == 1
    assert "which is not among the configured keys" in ended.err


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "sub/file"])
def test_an_archive_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    archive, data = tmp_path / "b.tar.gz", tmp_path / "data"
    (tmp_path / "x").write_text(json.dumps({}))
    with tarfile.open(archive, "w:gz") as made:
        made.add(tmp_path / "x", arcname=name)
    ended = provision("restore", str(archive), "--data", str(data))
    assert ended.code == 1
    assert "is no backup of this service" in ended.err
    (tmp_path / "text").write_text("no archive")
    assert provision("restore", str(tmp_path / "text"), "--data", str(data)).code == 1
    assert provision("backup", str(tmp_path / "c"), "--data", str(tmp_path / "none")).code == 1
