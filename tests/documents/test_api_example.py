"""The example of the API's document: its commands are run, their answers are those it shows."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.served import ROOT, serving

DOCUMENT = ROOT / "docs/reference/api.md"
STEP = re.compile(r"^```console\n(.*?)^```\n+^```json\n(.*?)^```", re.M | re.S)


def differences(shown: Any, answered: Any, place: str = "") -> list[str]:
    """Return where an answer is not what is shown; "..." stands for any text, <...> for a key."""
    if shown == "...":
        return [] if isinstance(answered, str) and answered else [f"{place}: {answered!r}"]
    if isinstance(shown, dict) and isinstance(answered, dict):
        if len(shown) == 1 and next(iter(shown)).startswith("<"):
            shown = dict.fromkeys(answered, *shown.values())
        if shown.keys() != answered.keys():
            return [f"{place}: {sorted(shown.keys() ^ answered.keys())}"]
        pairs = [(key, shown[key], answered[key]) for key in shown]
    elif isinstance(shown, list) and isinstance(answered, list) and len(shown) == len(answered):
        pairs = [
            (str(number), *both) for number, both in enumerate(zip(shown, answered, strict=True))
        ]
    else:
        return [] if shown == answered else [f"{place}: {answered!r}"]
    return [each for key, *both in pairs for each in differences(*both, f"{place}/{key}")]


@pytest.mark.slow
def test_the_example_answers_as_it_is_shown(tmp_path: Path) -> None:
    steps = STEP.findall(DOCUMENT.read_text())
    assert len(steps) == DOCUMENT.read_text().count("```console")
    with serving(tmp_path / "data", ROOT / "layouts") as service:
        environment = {
            "PATH": os.environ["PATH"],
            "PROVISION_URL": service.url,
            "PROVISION_TOKEN": service.token,
            "PROVISION_DOMAIN": service.domain,
        }
        for typed, shown in steps:
            for command in re.findall(r"^\$ (.*)", typed, re.M):
                ended = subprocess.run(
                    ["bash", "-c", command],
                    cwd=tmp_path,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=True,
                )
            answered = json.loads(ended.stdout)
            assert differences(json.loads(shown), answered) == []
            for certificate in answered.get("certificates", ()):
                environment["SERIAL"] = certificate["serial_number"]


def test_a_difference_is_told_with_its_place() -> None:
    shown = {"a": [{"b": "..."}], "c": {"<id>": True}, "d": 1}
    assert differences(shown, {"a": [{"b": "x"}], "c": {"1": True, "2": True}, "d": 1}) == []
    assert differences(shown, {"a": [{"b": ""}], "c": {"1": False}, "d": 1}) == [
        "/a/0/b: ''",
        "/c/1: False",
    ]
    assert differences(shown, {"a": [], "c": {}}) == [": ['d']"]
