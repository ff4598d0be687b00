"""The double answers as the recorded Atom did, and every recorded refusal has its meaning."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from provision.platform.atom.messages import meaning
from provision.platform.errors import (
    AlreadyExists,
    Failed,
    Gone,
    InvalidToken,
    NotFound,
    NotPermitted,
    Overloaded,
    PlatformError,
    Rejected,
    Unavailable,
)
from tests.platform.atom_replay import DIFFERENCES, Step, read, replay

RECORDING: Final = Path(__file__).parents[1] / "data" / "atom" / "atom.jsonl"
SOMETHING: Final = "11111111-2222-4333-8444-555555555555"
REFUSED_BEFORE: Final = (
    "Invalid value for argument",
    "Unknown field",
    "Unknown argument",
    "Operation name required",
    "Query is too complex",
    "Variable i is not defined",
    " --> 1:",
)
"""How Atom begins what it says of a wrong document: this adapter sends none."""


async def test_the_double_answers_as_recorded() -> None:
    steps = list(read([RECORDING]))

    faults = await replay(steps)

    unexplained = {step.id: faults[step.id] for step in steps if step.id in faults}
    assert {name for name in unexplained if not _by_id(steps, name).reason} == set()
    scenarios = {str(step.row["scenario"]) for step in steps}
    assert DIFFERENCES.keys() <= scenarios | {step.id for step in steps}


def _by_id(steps: list[Step], name: str) -> Step:
    return next(step for step in steps if step.id == name)


def refusals() -> Iterator[tuple[str, bool]]:
    """Return each recorded message, and whether it came with a path."""
    for step in read([RECORDING]):
        content = step.row["response"].get("json")
        if not isinstance(content, dict):
            continue
        for error in content.get("errors", ()):
            yield error["message"], "path" in error
        if isinstance(content.get("error"), str):
            yield content["error"], False


def test_every_recorded_refusal_has_a_meaning() -> None:
    unknown = {
        message
        for message, ran in refusals()
        if meaning(message.replace("{{", "").replace("}}", ""), ran=ran) is PlatformError
        and not message.startswith(REFUSED_BEFORE)
        and "{{" not in message
    }

    assert unknown == set()


@pytest.mark.parametrize(
    ("message", "ran", "kind"),
    [
        ("missing authentication", True, InvalidToken),
        ("session revoked", False, InvalidToken),
        ("api key expired", False, InvalidToken),
        ("entity is not active", False, InvalidToken),
        ("entity is not active", True, Rejected),
        ("forbidden", True, NotPermitted),
        (f"entity {SOMETHING} not found", True, Gone),
        (f"resource {SOMETHING} not found", True, Gone),
        (f"active entity {SOMETHING} not found", True, NotFound),
        ("entity not found", True, NotFound),
        ("already exists", True, AlreadyExists),
        ("database error", True, Failed),
        ("database error", False, Unavailable),
        ("rate limit exceeded", False, Overloaded),
        ("certificate TTL must be greater than zero", True, Rejected),
        (f"the entity {SOMETHING} not found, or so", True, PlatformError),
        ("something that nobody has seen", True, PlatformError),
    ],
)
def test_a_message_means_one_thing(message: str, ran: bool, kind: type[PlatformError]) -> None:
    assert meaning(message, ran=ran) is kind


def test_the_recording_is_whole() -> None:
    lines = RECORDING.read_text(encoding="utf-8").splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == len(lines)
