"""What the shell is offered: commands, options, external IDs and layouts; never an error."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.cli.prompt import Ended, provision
from tests.cli.served import Served

Offer: TypeAlias = Callable[..., list[str]]


@pytest.fixture
def offered(monkeypatch: pytest.MonkeyPatch) -> Offer:
    def offer(*words: str) -> list[str]:
        monkeypatch.setenv("_PROVISION_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", " ".join(["provision", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        ended: Ended = provision()
        assert ended.err == ""
        return ended.out.split()

    return offer


@pytest.fixture
def reached(served: Served, monkeypatch: pytest.MonkeyPatch) -> Served:
    monkeypatch.setenv("PROVISION_URL", served.url)
    monkeypatch.setenv("MG_PROVISION_DATA", str(served.data))
    return served


def test_commands_options_and_choices(offered: Offer) -> None:
    assert offered("do") == ["doctor"]
    assert "--layout" in offered("map", "--la")
    assert offered("map", "x", "--on-existing", "re") == ["reuse", "repair", "replace"]
    assert offered("layout", "lint", "--format", "s") == ["sarif"]


@pytest.mark.slow
def test_external_ids_and_layouts_of_the_running_service(offered: Offer, reached: Served) -> None:
    reached.map("pump-1")
    reached.map("pump-2")
    reached.map("valve-1")
    for command in ("show", "unmap", "doctor", "plan"):
        assert offered(command, "pump-") == ["pump-1", "pump-2"]
    assert offered("map", "x", "--layout", "gateway-") == ["gateway-export"]
    assert offered("plan", "pump-1", "--layout", "gateway-") == ["gateway-export"]


def test_without_a_service_nothing_is_offered(
    offered: Offer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROVISION_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("MG_PROVISION_DATA", str(tmp_path))
    assert offered("show", "pump-") == []
    monkeypatch.setenv("MG_PROVISION_HTTP_PORT", "no number")
    assert offered("map", "x", "--layout", "g") == []


@pytest.mark.slow
def test_a_key_press_does_not_load_the_service() -> None:
    loaded = "import sys, provision.cli.main; print(*{'sqlalchemy', 'uvicorn'} & {*sys.modules})"
    ended = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout == "\n"
