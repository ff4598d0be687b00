"""The service as a process: started by one command, found again, stopped gently."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import define, field

from provision.pki.keys import make_key
from tests import database
from tests.database import FILE, contents
from tests.service.running import ROOT
from tests.service.tls import self_signed

SECONDS = 30.0


PROVISION = f"{sys.executable} -m provision.cli.main"


@define
class Process:
    """``provision serve`` in a process of its own."""

    data: Path
    arguments: tuple[str, ...] = ("--port", "0")
    environment: dict[str, str] = field(factory=dict)
    before: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None
    words: str = ""
    log: str = ""
    errors: Any = None

    def __enter__(self) -> Process:
        # To a file: a pipe that nobody reads would stop the service once it is full.
        with tempfile.TemporaryFile("w+") as file:
            self.errors = os.fdopen(os.dup(file.fileno()), "r+")
            self.process = start(self.data, self.arguments, self.environment, file, self.before)
        self.words = greeting(self.process)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> str:
        """Stop it, gently; return what it wrote to its log."""
        assert self.process
        if not self.log:
            self.process.send_signal(signal.SIGTERM)
            self.process.communicate(timeout=SECONDS)
            with self.errors:
                self.errors.seek(0)
                self.log = self.errors.read() or "nothing"
        return self.log

    @property
    def base(self) -> str:
        return next(word for word in self.words.split() if word.startswith("http"))

    def commands(self, program: str = "curl") -> list[str]:
        """Return the commands that it prints, each in a line of its own."""
        lines = [line for line in self.words.splitlines() if line.startswith("  ")]
        found = [line.strip() for line in lines if re.match(rf"  (\w+=\S+ )?{program} ", line)]
        return [command.replace("provision ", f"{PROVISION} ", 1) for command in found]

    def account(self) -> dict[str, str]:
        account: dict[str, str] = json.loads((self.data / "operator.json").read_text())
        return account


def start(
    data: Path,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    errors: Any,
    before: tuple[str, ...] = (),
) -> subprocess.Popen[str]:
    command = [*before, sys.executable, "-m", "provision.cli.main", "serve", "--data", str(data)]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MG_", "MF_"))}
    return subprocess.Popen(
        [*command, *arguments],
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        cwd=ROOT,
        env=clean | {"MG_PROVISION_LOG_FORMAT": "json"} | database.environment(data) | environment,
    )


def greeting(process: subprocess.Popen[str]) -> str:
    """Return what the service says once it can be reached."""
    assert process.stdout
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line == "Stop it with Ctrl-C.\n":
            return "".join(lines)
    raise AssertionError("the service did not start")


def refusal(data: Path, *arguments: str, **environment: str) -> str:
    """Return what a service that can't start says."""
    process = start(data, arguments, environment, subprocess.PIPE)
    _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert "Traceback" not in errors
    return errors


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with Process(tmp_path_factory.mktemp("served") / "with space") as process:
        yield process


def test_the_two_commands_that_it_prints_work_when_pasted(served: Process) -> None:
    onboard, fetch = served.commands()
    made = json.loads(shell(onboard))
    assert made["onboarding"]["outcome"] in ("created", "reused")
    device = json.loads(shell(fetch))
    assert device["id"] == made["clients"][0]["id"]
    assert json.loads(device["content"])["mqtt"]["client_id"] == device["id"]


@pytest.mark.slow
def test_its_own_commands_work_when_pasted_whatever_the_port(served: Process) -> None:
    onboard, fetch = served.commands("provision")
    shell(f"cd {ROOT} && {onboard}")
    device = json.loads(shell(f"cd {ROOT} && {fetch}"))
    assert json.loads(device["content"])["mqtt"]["client_id"] == device["id"]


@pytest.mark.slow
def test_commands_find_the_service_by_its_data_directory_while_it_runs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Process(data) as process:
        found = shell(f"{PROVISION} healthcheck --data {data}")
        variable = shell(f"PROVISION_URL={process.base} {PROVISION} healthcheck")
        kept = json.loads((data / "address").read_text())
        elsewhere = shell(f"PROVISION_URL=http://127.0.0.1:9 {PROVISION} healthcheck 2>&1 || true")
        assert f"export PROVISION_URL={process.base}\n" in process.words
    ended = shell(f"{PROVISION} healthcheck --data {data} 2>&1 || true")
    # As a crash leaves it behind.
    (data / "address").write_text(json.dumps(kept))
    crashed = shell(f"{PROVISION} healthcheck --data {data} 2>&1 || true")
    assert (found, variable) == ("pass\n", "pass\n")
    assert "http://127.0.0.1:9/health" in elsewhere
    assert "http://127.0.0.1:9016/health" in ended
    assert "http://127.0.0.1:9016/health" in crashed


def test_the_operator_account_is_private_and_the_platforms_administrator(served: Process) -> None:
    file = served.data / "operator.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert str(file) in served.words
    account = served.account()
    assert set(account) == {"username", "password", "domain_id"}
    assert account["password"] not in served.words
    with httpx.Client(base_url=served.base) as http:
        body = {"username": account["username"], "password": account["password"]}
        token = http.post("/users/tokens/issue", json=body).json()["access_token"]
        user = http.get("/users/profile", headers={"Authorization": f"Bearer {token}"}).json()
    assert user["role"] == "admin"


def test_health_and_metrics(served: Process) -> None:
    health = httpx.get(f"{served.base}/health")
    assert health.headers["content-type"] == "application/health+json"
    assert health.json() | {"status": "pass", "description": "provision service"} == health.json()
    assert {"version", "commit", "build_time", "instance_id"} <= health.json().keys()
    metrics = httpx.get(f"{served.base}/metrics")
    assert (
        'provision_http_requests_total{method="GET",route="/health",status="200"}' in metrics.text
    )
    assert 'provision_onboarding_rows{state="stuck"} 0.0' in metrics.text


@pytest.mark.slow
def test_a_request_has_an_id_that_the_log_knows(tmp_path: Path) -> None:
    with Process(tmp_path / "data") as process:
        given = httpx.get(f"{process.base}/health", headers={"X-Request-ID": "my-id"})
        assert given.headers["x-request-id"] == "my-id"
        made = httpx.get(f"{process.base}/nowhere", headers={"X-Request-ID": "bad id"})
        assert made.headers["x-request-id"] not in ("", "bad id")
        assert made.json()["request_id"] == made.headers["x-request-id"]
        errors = process.stop()
    rows = [json.loads(line) for line in errors.splitlines()]
    (row,) = (row for row in rows if row.get("request_id") == made.headers["x-request-id"])
    assert (row["path"], row["status"]) == ("/***", 404)


def test_started_again_it_finds_its_data_again(tmp_path: Path) -> None:
    with Process(tmp_path / "data") as first:
        account = first.account()
        made = json.loads(shell(first.commands()[0]))
    with Process(tmp_path / "data") as second:
        assert second.account() == account
        again = json.loads(shell(second.commands()[0]))
        assert again["onboarding"]["outcome"] == "reused"
        assert again["clients"] == made["clients"]
        assert json.loads(shell(second.commands()[1]))["id"] == made["clients"][0]["id"]


@pytest.mark.slow
def test_no_secret_is_in_the_database_or_the_log(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Process(data) as process:
        made = json.loads(shell(process.commands()[0]))
        account = process.account()
        errors = process.stop()
    (client_id,) = made["client_key"]
    secrets = [
        made["clients"][0]["credentials"]["secret"],
        made["client_key"][client_id].splitlines()[1],
        account["password"],
        "gateway-1-key",
    ]
    stored = contents(data / FILE)
    for secret in secrets:
        assert secret.encode() not in stored
        assert secret not in errors


@pytest.mark.slow
def test_requests_that_run_at_shutdown_are_finished(tmp_path: Path) -> None:
    with Process(tmp_path / "data") as process:
        command = process.commands()[0]
        said: list[str] = []

        def ask(number: int) -> None:
            mine = command.replace("gateway-1", f"gateway-{number}")
            done = subprocess.run(
                ["bash", "-c", mine], capture_output=True, text=True, timeout=SECONDS, check=False
            )
            said.append(done.stdout)

        asking = [threading.Thread(target=ask, args=(number,)) for number in range(2, 6)]
        for thread in asking:
            thread.start()
        wait_for_rows(process, 1)
        assert process.process
        process.process.send_signal(signal.SIGTERM)
        for thread in asking:
            thread.join(SECONDS)
        process.process.wait(SECONDS)
        assert process.process.returncode == 0
    # Who had not connected when the service was told to stop gets no answer at all.
    answers = [json.loads(text) for text in said if text]
    finished = [answer for answer in answers if "onboarding" in answer]
    assert finished
    assert all(answer["onboarding"]["state"] == "done" for answer in finished)


@pytest.mark.slow
def test_it_serves_on_more_than_one_port(tmp_path: Path) -> None:
    port, extra = free_port(), free_port()
    with Process(
        tmp_path / "data",
        ("--port", str(port)),
        {"MG_PROVISION_EXTRA_PORTS": str(extra)},
    ):
        for each in (port, extra):
            assert httpx.get(f"http://127.0.0.1:{each}/health").status_code == 200


@pytest.mark.slow
def test_tls_from_the_settings(tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "127.0.0.1")
    environment = {
        "MG_PROVISION_SERVER_CERT": str(certificate),
        "MG_PROVISION_SERVER_KEY": str(key),
    }
    with Process(tmp_path / "data", environment=environment) as process:
        assert process.base.startswith("https://")
        context = ssl.create_default_context(cafile=certificate)
        assert httpx.get(f"{process.base}/health", verify=context).status_code == 200
        made = json.loads(shell(process.commands()[0]))
        assert made["bootstrap"]["url"].startswith("https://")
        assert "gateway-1" in shell(process.commands("provision")[0])


@pytest.mark.slow
def test_a_taken_port_is_told_with_the_cure(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        errors = refusal(tmp_path / "data", "--port", str(port))
    assert f"can't listen on 127.0.0.1 port {port}" in errors
    assert "--port" in errors


@pytest.mark.slow
def test_a_second_service_on_the_same_data_is_told_so(served: Process) -> None:
    errors = refusal(served.data, "--port", "0")
    assert "another service runs on the data directory" in errors


@pytest.mark.slow
def test_tls_files_that_can_not_be_used_are_told(tmp_path: Path) -> None:
    certificate, _ = self_signed(tmp_path, "127.0.0.1")
    other = tmp_path / "other.key"
    other.write_text(make_key().pem())
    errors = refusal(
        tmp_path / "data",
        "--port",
        "0",
        MG_PROVISION_SERVER_CERT=str(certificate),
        MG_PROVISION_SERVER_KEY=str(other),
    )
    assert "the key must belong to the certificate" in errors


def test_settings_that_can_not_be_used_are_told(tmp_path: Path) -> None:
    errors = refusal(tmp_path / "data", MG_PROVISION_HTTP_PORT="many")
    assert "environment variable MG_PROVISION_HTTP_PORT: a whole number is needed" in errors


@pytest.mark.slow
def test_a_default_layout_that_is_not_there_is_told(tmp_path: Path) -> None:
    errors = refusal(tmp_path / "data", "--port", "0", MG_PROVISION_LAYOUT="gatewya")
    assert 'there is no layout "gatewya"; did you mean "gateway"?' in errors
    assert "gateway" in errors


@pytest.mark.slow
def test_a_lost_sealing_key_is_told_and_nothing_is_overwritten(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Process(data) as process:
        shell(process.commands()[0])
    keys = data / "sealing.keys"
    kept = keys.read_text()
    keys.unlink()
    errors = refusal(data, "--port", "0")
    assert "sealed with key" in errors
    keys.write_text(kept)
    with Process(data) as process:
        assert json.loads(shell(process.commands()[0]))["onboarding"]["outcome"] == "reused"


def shell(command: str) -> str:
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_rows(process: Process, count: int) -> None:
    """Wait until the service has begun ``count`` onboardings."""
    for _ in range(500):
        text = httpx.get(f"{process.base}/metrics").text
        rows = [
            float(line.split()[-1])
            for line in text.splitlines()
            if line.startswith("provision_onboarding_rows")
        ]
        if sum(rows) >= count:
            return
        time.sleep(0.01)
    raise AssertionError("no onboarding began")
