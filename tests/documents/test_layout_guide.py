"""The guide for authors of layouts: its files are written, its commands run, in its order."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.prompt import provision
from tests.cli.served import ROOT, serving

GUIDE = ROOT / "docs/tasks/write-a-layout.md"
BLOCK = re.compile(r"^```(\w+) ?([^\n]*)\n(.*?)^```", re.M | re.S)
COMMAND = re.compile(r"^\$ provision ([^\n]*)\n(.*?)(?=^\$ |\Z)", re.M | re.S)
FILES = {"toml", "json"}


def shows(expected: str, printed: str) -> bool:
    """Tell whether this was printed; a line "..." stands for any lines, one within for any text."""
    lines = [
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*?") + r"\n"
        for line in expected.splitlines()
    ]
    return re.fullmatch("".join(lines), printed) is not None


def write(place: Path, name: str, text: str) -> None:
    """Write a block's file; one that is marked with a plus is added to what is there."""
    path = place / name.removesuffix(" +")
    path.parent.mkdir(exist_ok=True)
    before = path.read_text() if name.endswith(" +") else ""
    path.write_text(before + text)


@pytest.fixture
def station(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with the fragment that the guide includes."""
    fragments = tmp_path / "layouts/fragments"
    fragments.mkdir(parents=True)
    (fragments / "agent.toml").write_text((ROOT / "layouts/fragments/agent.toml").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def commands_in_order(station: Path) -> Iterator[tuple[str, str]]:
    """Yield each command with what it prints, when the files before it are written."""
    for kind, name, text in BLOCK.findall(GUIDE.read_text()):
        if kind in FILES:
            write(station, name, text)
            continue
        assert kind == "console"
        yield from COMMAND.findall(text)


def check(command: str, expected: str) -> None:
    """Run a command and compare what it prints."""
    ended = provision(*shlex.split(command))
    printed = re.sub(r" +$", "", ended.out + ended.err, flags=re.M)
    assert shows(expected, printed), f"{command}\n{printed}"


def test_every_file_of_the_guide_lints_as_it_says(station: Path) -> None:
    for command, expected in commands_in_order(station):
        if command.startswith("layout "):
            check(command, expected)


@pytest.mark.slow
def test_what_the_guide_onboards_is_as_it_says(
    station: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [each for each in commands_in_order(station) if not each[0].startswith("layout ")]
    layouts = station / "layouts"
    with serving(station / "data", layouts, MG_PROVISION_LAYOUT="pump-station") as service:
        monkeypatch.setenv("PROVISION_URL", service.url)
        monkeypatch.setenv("PROVISION_TOKEN", service.token)
        monkeypatch.setenv("MG_PROVISION_DATA", str(service.data))
        for command, expected in asked:
            check(command, expected)


def test_what_is_left_out_may_be_anything_and_nothing_else_may() -> None:
    assert shows("a\n...\nd ... f\n", "a\nb\nc\nd e f\n")
    assert shows("a\n...\nb\n", "a\nb\n")
    assert not shows("a\n...\nd\n", "a\nb\nc\n")
    assert not shows("a.c\n", "abc\n")
