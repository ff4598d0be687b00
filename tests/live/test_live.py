"""``make test-live`` works: here against the service's own platform, over real HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service.running import ROOT
from tests.service.test_serving import Process

COMMAND = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
MODULE = "tests/live/live_magistrala.py"


def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MG_", "MF_"))}
    return subprocess.run(
        [*COMMAND, MODULE],
        cwd=ROOT,
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
def test_the_contract_runs_against_what_the_settings_name(tmp_path: Path) -> None:
    with Process(tmp_path / "data") as process:
        names = ("CLIENTS", "CHANNELS", "USERS", "DOMAINS")
        account = process.account()
        done = run(
            {f"MG_PROVISION_{name}_URL": process.base for name in names}
            | {
                "MG_PROVISION_USERNAME": account["username"],
                "MG_PROVISION_PASS": account["password"],
            }
        )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.slow
def test_without_a_magistrala_it_says_what_to_set() -> None:
    done = run({})
    assert done.returncode == 2
    assert "MG_PROVISION_CLIENTS_URL" in done.stdout + done.stderr
