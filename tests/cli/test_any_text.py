"""Commands take every text that the service takes, and print no key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.cli.prompt import Ended, provision
from tests.cli.served import ROOT, Served
from tests.cli.test_doctor import verdicts

ACCENT = "clé-d'accès-ключ"


def fetch(served: Served, external_id: str, key: str) -> Ended:
    return provision("bootstrap", "bootstrap", external_id, key, "--json", "--url", served.url)


@pytest.mark.slow
def test_a_key_with_an_accent(served: Served) -> None:
    made = served.run("map", "gw-é", ACCENT, "--name", "Zähler", "--json")
    assert made.code == 0, made.err
    assert "wrong" not in verdicts(served, "gw-é", ACCENT).values()
    got = fetch(served, "gw-é", ACCENT)
    assert got.json["id"] == made.json["bootstrap"]["config_id"]


@pytest.mark.parametrize("key", ["secret-key\n", "secret-key ", "secret\x01-key"])
@pytest.mark.parametrize("command", ["doctor", "bootstrap"])
def test_a_key_that_no_header_carries_is_refused_and_not_printed(
    served: Served, command: str, key: str
) -> None:
    if command == "doctor":
        ended = served.run("doctor", "gw-1", "--key", key)
    else:
        ended = fetch(served, "gw-1", key)
    assert ended.code == 1
    assert "the external key h" in ended.err
    assert "-key" not in ended.out + ended.err.replace("external-key", "")


def test_a_token_that_no_header_carries_is_not_printed(served: Served) -> None:
    ended = served.run("list", "--token", "a-secret\ntoken")
    assert ended.code == 1
    assert "no header carries" in ended.err
    assert "a-secret" not in ended.err


def _in_a_terminal_of(encoding: str, served: Served, *arguments: str) -> tuple[int, bytes, bytes]:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PROVISION_TOKEN": served.token}
    command = [sys.executable, "-m", "provision.cli.main", *arguments, "--url", served.url]
    ended = subprocess.run(
        [*command, "--data", str(served.data)], env=environment, capture_output=True, check=False
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.slow
def test_a_terminal_that_has_no_such_character(served: Served) -> None:
    assert served.run("map", "gw-ω", ACCENT).code == 0
    code, out, err = _in_a_terminal_of("ascii", served, "show", "gw-ω", "--json")
    assert code == 0, err
    assert json.loads(out)["external_id"] == "gw-ω"
    code, out, err = _in_a_terminal_of("ascii", served, "doctor", "gw-ω", "--key", ACCENT)
    assert (code, b"Traceback" in err) == (0, False), err
    assert b"the device is given its configuration" in out


@pytest.mark.slow
def test_the_demonstration_in_a_terminal_that_has_only_ascii() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "provision.demo"]
    ended = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert b"All of it was right." in ended.stdout


@pytest.mark.parametrize("command", ["show", "graph"])
@pytest.mark.slow
def test_a_result_that_cannot_be_written_is_told(command: str) -> None:
    layout = str(ROOT / "layouts" / "gateway.toml")
    provision_ = [sys.executable, "-m", "provision.cli.main", "layout", command, layout]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            provision_, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr.startswith("provision: the result cannot be written")
    closed = subprocess.run(
        ["bash", "-c", 'exec "$@" >&-', "bash", *provision_],
        stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    assert (closed.returncode, closed.stderr) == (0, "")


def test_an_argument_that_is_no_text_is_told(served: Served) -> None:
    ended = served.run("show", "gw-\udcff")
    assert ended.code == 1
    assert "not valid UTF-8" in ended.err


def test_doctor_changes_nothing_of_the_device(served: Served) -> None:
    made = served.map("gw-look")
    path = f"/{served.domain}/clients/configs/{made['bootstrap']['config_id']}"
    headers = {"Authorization": f"Bearer {served.token}"}
    assert "wrong" not in verdicts(served, "gw-look").values()
    assert "last_fetch" not in httpx.get(served.url + path, headers=headers).json()
