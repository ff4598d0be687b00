"""An intent is read as it was written, or not at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from attrs import evolve

from bootstrap_core.secrets import Secret
from provision.onboarding.errors import IntentUnreadable
from provision.onboarding.model import (
    Intent,
    Step,
    intent_from_json,
    intent_to_json,
    step_from_json,
    step_to_json,
)
from tests.onboarding.stories import make
from tests.onboarding.world import World, simulated

AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


async def whole(world: World) -> Intent:
    """Return an intent in which every field has a value."""
    world.start_replica()
    intent = (await make(world)).intent
    (certificate,) = intent.certificates
    return evolve(
        intent,
        external_key=Secret("key"),
        csrs={certificate.client_id: "request"},
        certificates=(evolve(certificate, csr="request"),),
        settled_at=AT,
    )


@simulated
async def test_it_comes_back_as_it_was(world: World) -> None:
    intent = await whole(world)
    assert all(getattr(intent, name) for name in Intent.__slots__ if name[0] != "_")
    assert intent_from_json(intent_to_json(intent)) == intent
    without = evolve(intent, settled_at=None)
    assert intent_from_json(intent_to_json(without)) == without


@simulated
async def test_one_of_another_release_is_not_guessed_at(world: World) -> None:
    document = json.loads(intent_to_json(await whole(world)))
    for text in (
        json.dumps(document | {"version": 2}),
        json.dumps({key: value for key, value in document.items() if key != "plan"}),
        json.dumps(document | {"certificates": "none"}),
        json.dumps(document | {"private_keys": []}),
        "[]",
        "{",
        "",
    ):
        with pytest.raises(IntentUnreadable):
            intent_from_json(text.encode())


def test_a_step_comes_back_as_it_was() -> None:
    for error in ("", "not_found: no such"):
        step = Step("connections", AT, 1.25, 3, error)
        assert step_from_json(json.loads(json.dumps(step_to_json(step)))) == step
    assert step_to_json(Step("connections", AT, 0.00125, 3)) == {
        "name": "connections",
        "began_at": "2026-01-02T03:04:05.678901Z",
        "milliseconds": 1.2,
        "tries": 3,
    }
