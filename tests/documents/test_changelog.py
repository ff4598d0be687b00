"""One version: the package, what it says of itself, and the changelog's newest entry."""

from __future__ import annotations

import re
import subprocess
import tomllib
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from provision.build_info import BuildInfo, build_info, release
from tests.cli.prompt import provision
from tests.service.running import embedded

ROOT: Final = Path(__file__).parents[2]
UNRELEASED: Final = re.compile(r"^## \[\d+\.\d+\.\d+\] - unreleased$")
ENTRY: Final = re.compile(r"^## \[(\d+)\.(\d+)\.(\d+)\] - (\d{4}-\d{2}-\d{2})$")
KINDS: Final = {
    "Upgrading",
    "Added",
    "Changed",
    "Deprecated",
    "Removed",
    "Fixed",
    "Security",
}


def entries() -> list[tuple[tuple[int, ...], date]]:
    """Return the changelog's released versions with their days, as they follow each other."""
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    headings = [line for line in lines if line.startswith("## ")]
    if UNRELEASED.match(headings[0]):
        del headings[0]
    found = [ENTRY.match(line) for line in headings]
    assert all(found), headings
    return [
        (tuple(map(int, match.groups()[:3])), date.fromisoformat(match[4]))
        for match in found
        if match
    ]


async def test_package_command_image_and_changelog_tell_one_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = project["version"]
    ((newest, _), *_) = entries()
    assert ".".join(map(str, newest)) == version
    assert provision("--version").out == f"provision {version}\n"
    # What an image writes beside the package.
    build = tmp_path / "build_info.json"
    build.write_text('{"commit": "0123abcd", "build_time": "2026-11-22_10:00:00"}')
    monkeypatch.setattr("provision.build_info.BUILD_FILE", build)
    async with embedded(tmp_path / "data") as running:
        health = (await running.http.get("/health")).json()
        assert (health["version"], health["commit"]) == (version, "0123abcd")
        description = (await running.http.get("/openapi.json")).json()
        assert description["info"]["version"] == version


def test_a_checkout_tells_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*words: str) -> str:
        command = [
            "git",
            "-C",
            str(tmp_path),
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.org",
        ]
        done = subprocess.run([*command, *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    monkeypatch.setattr("provision.build_info.CHECKOUT", tmp_path)
    nothing = build_info()
    git("init", "-q")
    empty = build_info()
    git("commit", "-q", "--allow-empty", "-m", "first", "--date", "2026-01-02T03:04:05Z")
    committed = build_info()

    assert nothing == empty == BuildInfo(release())
    assert committed.commit == git("rev-parse", "HEAD")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_\d\d:\d\d:\d\d", committed.build_time)


def test_the_changelog_goes_back_version_by_version() -> None:
    versions, days = zip(*entries(), strict=True)
    assert list(versions) == sorted(set(versions), reverse=True)
    assert list(days) == sorted(days, reverse=True)
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= KINDS
