"""The clients in docs/examples work against the service, as documented for makers of devices.

The one for MicroPython runs here on CPython, whose socket, ssl and json it uses without shims.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.cli.served import KEY, ROOT, Served, serving

EXAMPLES = ROOT / "docs/examples"


def example(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


python, micropython = example("device"), example("device_micropython")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("data"), ROOT / "layouts") as service:
        yield service


def refresh(module: ModuleType, served: Served, external_id: str, key: str, file: Path) -> Any:
    """Fetch with one of the clients; return the configuration."""
    if module is python:
        return python.refresh(file, served.url, external_id, key)[0]
    url = httpx.URL(served.url)
    return micropython.refresh(url.host, url.port, external_id, key, str(file), tls=False)


def last_fetch(served: Served, made: Any) -> Any:
    path = f"{served.url}/{served.domain}/clients/configs/{made['bootstrap']['config_id']}"
    answer = httpx.get(path, headers={"Authorization": f"Bearer {served.token}"})
    return answer.json().get("last_fetch", {}).get("outcome")


@pytest.fixture(params=[python, micropython], ids=["python", "micropython"])
def client(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_it_fetches_keeps_and_asks_again_with_the_tag(
    client: Any, served: Served, tmp_path: Path
) -> None:
    external_id, key = f"é/{client.__name__}", "clé d'accès"
    ended = served.run("map", external_id, key, "--json", "--layout", "gateway")
    made = ended.json
    file = tmp_path / "state.json"
    first = refresh(client, served, external_id, key, file)
    assert first["id"] == made["bootstrap"]["config_id"]
    assert json.loads(first["content"])["mqtt"]["url"] == "mqtts://localhost:8883"
    assert first["client_key"].startswith("-----BEGIN")
    assert last_fetch(served, made) == "delivered"
    assert refresh(client, served, external_id, key, file) == first
    assert last_fetch(served, made) == "unchanged"
    assert json.loads(file.read_text())["configuration"] == first
    if client is python:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # A key that is not given again is the one that is held.
    kept = json.loads(file.read_text())
    config = f"{served.url}/{served.domain}/clients/configs/certs/{first['id']}"
    headers = {"Authorization": f"Bearer {served.token}"}
    httpx.patch(config, json={"client_key": ""}, headers=headers)
    assert refresh(client, served, external_id, key, file) == kept["configuration"]


def test_a_refusal_tells_how_long_to_wait(client: Any, served: Served, tmp_path: Path) -> None:
    external_id = f"unknown-{client.__name__}"
    waits: list[tuple[int, int]] = []
    while not waits or waits[-1][0] == 403:
        with pytest.raises(client.Refused) as refused:
            refresh(client, served, external_id, KEY, tmp_path / "state.json")
        if client is python:
            waits.append((refused.value.status, refused.value.pause))
        else:
            waits.append(refused.value.args)
    assert waits[0] == (403, 300)
    assert waits[-1][0] == 429
    assert 0 < waits[-1][1] <= 6
    assert not (tmp_path / "state.json").exists()


def test_half_an_answer_changes_nothing(client: Any, tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_text('{"etag": "\\"old\\"", "configuration": {"content": "old"}}')
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"

    def answer() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b'HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n{"id": ')

    thread = threading.Thread(target=answer)
    thread.start()
    with listening, pytest.raises(OSError, match="answer"):
        refresh(client, Served(url, tmp_path), "gw", KEY, file)
    thread.join()
    assert json.loads(file.read_text())["configuration"] == {"content": "old"}


def test_the_command_prints_the_content(served: Served, tmp_path: Path) -> None:
    served.map("press-7")
    (tmp_path / "key").write_text(KEY + "\n")
    command = [sys.executable, "-I", EXAMPLES / "device.py", served.url, "press-7", "--once"]
    command += ["--key-file", tmp_path / "key", "--state", tmp_path / "state.json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)


def test_the_client_for_micropython_keeps_to_what_that_has() -> None:
    tree = ast.parse((EXAMPLES / "device_micropython.py").read_text())
    nodes = list(ast.walk(tree))
    imports = [node for node in nodes if isinstance(node, ast.Import)]
    assert {each.name for node in imports for each in node.names} == {"json", "os", "socket", "ssl"}
    absent = (ast.ImportFrom, ast.Match, ast.AnnAssign, ast.JoinedStr)
    assert not [node for node in nodes if isinstance(node, absent)]
