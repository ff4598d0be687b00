"""Replicas, crashes, stops and losses on virtual time: a smaller run of the simulation."""

from __future__ import annotations

import os

import pytest
from sqlalchemy import Engine

from provision.onboarding.steps import SideEffects
from tests.onboarding.simulation import play

SCHEDULES = int(os.environ.get("ONBOARDING_SCHEDULES", "60"))


@pytest.mark.slow
def test_every_schedule_ends_with_whole_gateways_or_none(database: Engine) -> None:
    failed = {seed: trace for seed in range(SCHEDULES) if (trace := play(seed, database))}
    assert not failed, next(iter(failed.values()))


@pytest.mark.slow
def test_a_product_that_forgets_lost_answers_is_found_out(
    database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SideEffects, "note_failure", lambda self, error: None)
    # One schedule in about a hundred loses an answer where that does harm.
    assert any(play(seed, database) for seed in range(5100, 5700))
