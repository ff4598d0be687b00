"""``provision bootstrap import``: devices of the Go service go on fetching from this one."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import bcrypt
import httpx
import pytest

from tests.cli.prompt import provision
from tests.cli.served import KEY, ROOT, Served, serving

CONFIG = str(uuid.UUID(int=7, version=4))


def device(served: Served, external_id: str) -> httpx.Response:
    return httpx.get(
        f"{served.url}/clients/bootstrap/{external_id}",
        headers={"Authorization": f"Client {KEY}"},
    )


def dump(file: Path, domain: str) -> None:
    hashed = bcrypt.hashpw(b"device-key", bcrypt.gensalt(4)).decode().replace("$2b$", "$2a$")
    row = {
        "id": CONFIG,
        "domain_id": domain,
        "external_id": "old-gw",
        "external_key": hashed,
        "name": "old",
        "content": '{"from": "go"}',
        "status": 0,
    }
    broken = row | {"id": str(uuid.UUID(int=8, version=4)), "external_key": "$2a$99$zz"}
    lines = [json.dumps({"table": "configs", "row": each}) for each in (row, broken)]
    file.write_text("\n".join(lines) + "\n")


@pytest.mark.slow
def test_a_dump_is_taken_over_and_can_be_taken_over_again(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "bootstrap.jsonl"
    arguments = ("bootstrap", "import", str(file), "--data", str(data))
    with serving(data, ROOT / "layouts") as served:
        domain = served.domain
        dump(file, "another-domain")
        running = provision(*arguments, "--into-domain", domain)
        assert running.code == 1
        assert "another service runs" in running.err
    ended = provision(*arguments, "--into-domain", domain, "--json")
    assert [each["result"] for each in ended.json["rows"]] == ["created", "failed"]
    assert ended.code == 1
    assert "1 created, 1 failed" in ended.err
    again = provision(*arguments, "--into-domain", domain)
    assert "there already" in again.out
    with serving(data, ROOT / "layouts") as served:
        answer = httpx.get(
            f"{served.url}/clients/bootstrap/old-gw",
            headers={"Authorization": "Client device-key"},
        )
        assert answer.json()["id"] == CONFIG
        assert answer.json()["content"] == '{"from": "go"}'


@pytest.mark.slow
def test_a_running_bootstrap_service_is_taken_over_through_its_api(tmp_path: Path) -> None:
    """The source is a service with the Go service's routes: this one, on data of its own."""
    data = tmp_path / "data"
    with serving(tmp_path / "old", ROOT / "layouts") as old:
        made = old.map("gw-1", "--layout", "gateway")
        config = {"external_id": "gw-2", "external_key": KEY, "content": "as it was"}
        headers = {"Authorization": f"Bearer {old.token}"}
        answer = httpx.post(f"{old.url}/{old.domain}/clients/configs", json=config, headers=headers)
        assert answer.is_success, answer.text
        arguments = ["bootstrap", "import", old.url, "--data", str(data), "--token", old.token]
        arguments += ["--domain", old.domain, "--keys", json.dumps({"gw-2": KEY})]
        ended = provision(*arguments, "--json")
        assert ended.code == 1
        rows = {(each["kind"], each["id"]): each for each in ended.json["rows"]}
        lost = rows["configs", made["bootstrap"]["config_id"]]
        assert (lost["result"], "key" in lost["message"]) == ("failed", True)
        arguments[-1] = json.dumps({"gw-1": KEY, "gw-2": KEY})
        again = provision(*arguments)
        assert again.code == 0, again.out + again.err
        assert "there already" in again.out
    with serving(data, ROOT / "layouts") as new:
        fetched = device(new, "gw-2")
        assert fetched.json()["content"] == "as it was"
        # The API told no secrets: this one's bindings wait for being refreshed, as it was said.
        assert "created, incomplete" in again.out
        assert device(new, "gw-1").json()["code"] == "not_renderable"


@pytest.mark.slow
def test_an_api_that_cannot_be_read_is_told_with_the_next_thing_to_try(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(tmp_path / "old", ROOT / "layouts") as old:
        where = ["--data", str(data), "--domain", old.domain]
        refused = provision("bootstrap", "import", old.url, *where, "--token", "wrong")
        assert refused.code == 1
        assert "answered 401" in refused.err
        assert "next: check the address, --domain and --token" in refused.err
        url = old.url
    gone = provision("bootstrap", "import", url, *where, "--token", "t")
    assert gone.code == 1
    assert "cannot be read" in gone.err
    listed = provision("bootstrap", "import", url, *where, "--token", "t", "--keys", "[]")
    assert (listed.code, "--keys is no JSON object" in listed.err) == (1, True)


@pytest.mark.slow
def test_mistakes_are_told(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    assert provision("bootstrap", "import", "nowhere", "--data", data).code == 1
    assert provision("bootstrap", "import", "http://x", "--data", data).code == 2
    named = provision("bootstrap", "import", "x", "--data", data, "--into-domain", "home")
    assert (named.code, "takes a domain's ID, not 'home'" in named.err) == (2, True)
    (tmp_path / "x").write_text("{}\n")
    ended = provision("bootstrap", "import", str(tmp_path / "x"), "--data", data)
    assert ended.code == 1
    assert "line 1" in ended.err
