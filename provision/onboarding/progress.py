"""How onboardings fare, as people ask for them."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import ColumnElement, and_

from provision.onboarding.model import State
from provision.onboarding.tables import onboardings


class Progress(StrEnum):
    """How an onboarding fares, as people ask for it."""

    RUNNING = "running"
    """It is being made or undone."""
    STUCK = "stuck"
    """It is tried again, ever more slowly."""
    FAILED = "failed"
    """It failed, and nothing of it is left."""


def in_progress(progress: Progress) -> ColumnElement[bool]:
    """Return the condition on the journal's rows."""
    state = onboardings.c.state
    match progress:
        case Progress.RUNNING:
            return state.in_((State.PLANNED.value, State.UNDOING.value))
        case Progress.STUCK:
            return state == State.STUCK.value
        case Progress.FAILED:
            return and_(state == State.UNDONE.value, onboardings.c.error_code != "")
