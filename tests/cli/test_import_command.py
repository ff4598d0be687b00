"""``provision bootstrap import``: devices of the Go service go on fetching from this one."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import bcrypt
import httpx

from tests.cli.prompt import provision
from tests.cli.served import ROOT, serving

CONFIG = str(uuid.UUID(int=7, version=4))


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
    broken = row | {"id": str(uuid.UUID(int=8, version=4)), "external_id": ""}
    lines = [json.dumps({"table": "configs", "row": each}) for each in (row, broken)]
    file.write_text("\n".join(lines) + "\n")


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


def test_mistakes_are_told(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    assert provision("bootstrap", "import", "nowhere", "--data", data).code == 1
    assert provision("bootstrap", "import", "http://x", "--data", data).code == 2
    (tmp_path / "x").write_text("{}\n")
    ended = provision("bootstrap", "import", str(tmp_path / "x"), "--data", data)
    assert ended.code == 1
    assert "line 1" in ended.err
