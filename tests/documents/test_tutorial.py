"""The tutorial: what it tells a newcomer to type is typed, in its order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.served import ROOT, serving

TUTORIAL = ROOT / "docs/tutorial.md"
ADDRESS = "http://127.0.0.1:9016"


@pytest.mark.slow
def test_the_tutorial_works_as_it_is_written(tmp_path: Path) -> None:
    text = TUTORIAL.read_text()
    commands = re.findall(r"^\$ (?!make )(.*)", text, re.M)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    with serving(tmp_path / "data", ROOT / "layouts") as service:
        script = "\n".join(["set -eu", *commands]).replace(ADDRESS, service.url)
        ended = subprocess.run(
            ["bash", "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PROVISION_URL": service.url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        left = service.run("list", "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [gateway["external_id"] for gateway in left.json["onboardings"]] == ["gateway-2"]
    for line in re.findall(r"^(client|channel|connection|onboarding)  .*", text, re.M):
        assert line in ended.stdout


def test_the_tutorial_shows_pictures_that_are_there() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", TUTORIAL.read_text())
    assert len(pictures) == 3
    assert all((TUTORIAL.parent / picture).stat().st_size < 200_000 for picture in pictures)
