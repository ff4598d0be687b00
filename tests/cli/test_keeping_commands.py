"""Keys, backup and restore: nothing is lost, and nothing is done under a running service."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from pathlib import Path

import httpx
import pytest

from tests.cli.prompt import provision
from tests.cli.served import KEY, ROOT, Served, serving
from tests.console.visiting import forms_of

LAYOUTS = ROOT / "layouts"


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
        "configs": ("sealed_client_key",),
        "bindings": ("sealed_secret",),
        "onboardings": ("intent", "token"),
        "stored_answers": ("answer",),
        "console_sessions": ("credentials", "notice"),
    }
    found = set()
    with sqlite3.connect(data / "provision.db") as database:
        for table, names in columns.items():
            for row in database.execute(f"SELECT {', '.join(names)} FROM {table}"):  # noqa: S608
                found |= {value.split(".")[1] for value in row if value}
    database.close()
    return found


def signed_in(served: Served) -> httpx.Client:
    """Return a browser in which the operator is signed in to the console."""
    browser = httpx.Client(follow_redirects=True)
    (form,) = forms_of(browser.get(f"{served.url}/console").text)
    browser.post(served.url + form.action, data=form.values | served.operator)
    return browser


def test_rotation_reseals_everything_and_devices_get_the_same(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data, LAYOUTS) as served:
        served.map("gw-1", "--layout", "gateway")
        body = {"external_id": "gw-2", "external_key": KEY}
        headers = {"Authorization": f"Bearer {served.token}", "Idempotency-Key": "k"}
        httpx.post(f"{served.url}/{served.domain}/mapping", json=body, headers=headers)
        browser = signed_in(served)
        before = fetched(served, "gw-1")
        running = provision("keys", "rotate", "--data", str(data))
        assert running.code == 1
        assert "another service runs" in running.err
    old = key_ids(data)
    ended = provision("keys", "rotate", "--data", str(data), "--forget", "--json")
    assert ended.code == 0, ended.err
    assert key_ids(data) == {ended.json["key"]}
    assert not key_ids(data) & old
    assert all(ended.json["resealed"].values())
    assert len((data / "sealing.keys").read_text().split()) == 1
    assert (data / "sealing.keys").stat().st_mode & 0o777 == 0o600
    with serving(data, LAYOUTS) as served:
        assert fetched(served, "gw-1") == before
        assert served.map("gw-1")["onboarding"]["outcome"] == "reused"
        assert "Overview" in browser.get(f"{served.url}/console").text
    browser.close()


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
