"""Steps of an onboarding, timed and named, so that people see where it is and where it broke."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from enum import StrEnum
from typing import TypeVar
from weakref import WeakValueDictionary

from attrs import define, evolve, field, frozen
from sqlalchemy import ColumnElement, and_
from sqlalchemy.exc import SQLAlchemyError

from provision.errors import StoreUnavailable
from provision.onboarding.clock import Clock
from provision.onboarding.errors import LeaseLost, StepFailed, leftovers_to_json
from provision.onboarding.model import Onboarding, State, Step, Summary
from provision.onboarding.tables import onboardings
from provision.platform.errors import (
    DomainNotFound,
    InvalidToken,
    NotAMember,
    NotFound,
    NotPermitted,
    NotReady,
    NotThePlatform,
    PlatformError,
    Rejected,
    Unavailable,
)
from provision.store.faults import cause_of


@define
class SideEffects:
    """IDs under which something may exist, and whether a call may still take effect.

    Of those in ``created`` the platform said that they were created, or showed them.
    ``uncertain``: a call got no answer, so that even what is not there now may be there later.
    """

    possible: set[str] = field(factory=set)
    created: set[str] = field(factory=set)
    uncertain: bool = False

    def note_possible(self, identifiers: Iterable[str]) -> None:
        """Note that something may exist under these IDs."""
        self.possible.update(identifiers)

    def note_created(self, identifiers: Iterable[str]) -> None:
        """Note that these are there."""
        self.created.update(identifiers)

    def note_failure(self, error: Exception) -> None:
        """Note how a call that changes something failed."""
        self.uncertain = self.uncertain or getattr(error, "outcome_unknown", False)


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


T = TypeVar("T")


class StepError(Exception):
    """A step failed; ``cause`` says why."""

    def __init__(self, step: str, cause: Exception, log: StepLog) -> None:
        """Name the step; ``log`` has what was tried until now."""
        super().__init__(f"{step}: {cause}")
        self.step = step
        self.cause = cause
        self._log = log

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every step that has ended, the failed one among them."""
        return self._log.steps


class StepLog:
    """What was tried in one attempt."""

    def __init__(self, clock: Clock, earlier: tuple[Step, ...] = ()) -> None:
        """Go on after ``earlier`` steps of former attempts (the last 40 are kept)."""
        self._clock = clock
        self._steps = list(earlier[-40:])

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps that have ended."""
        return tuple(self._steps)

    async def run(self, name: str, work: Awaitable[T]) -> T:
        """Do a step's work and note how it went.

        Raises ``StepError`` from whatever exception the work ended with; but ``LeaseLost`` as it
        is: the step is somebody else's now.
        """
        began_at, started = self._clock.now(), self._clock.monotonic()
        error = ""
        try:
            return await work
        except LeaseLost:
            raise
        except Exception as cause:
            error = f"{getattr(cause, 'code', type(cause).__name__)}: {cause}"
            raise StepError(name, cause, self) from cause
        finally:
            seconds = self._clock.monotonic() - started
            tries = 1 + sum(step.name == name for step in self._steps)
            self._steps.append(Step(name, began_at, seconds, tries, error))


@frozen
class RunningSteps:
    """The steps of the attempts that this process makes; the journal has them when they end."""

    _clock: Clock
    # An attempt holds its log; nothing is kept here of what has ended.
    _logs: WeakValueDictionary[str, StepLog] = field(factory=WeakValueDictionary, init=False)

    def begin(self, onboarding: Onboarding) -> StepLog:
        """Return the log of an attempt that begins."""
        log = StepLog(self._clock, onboarding.steps)
        self._logs[onboarding.id] = log
        return log

    def shown(self, row: Summary) -> Summary:
        """Return a row of the journal with the steps that have ended since it was written."""
        log = None if row.state.is_at_rest else self._logs.get(row.id)
        return evolve(row, steps=log.steps) if log else row


BAD_GATEWAY = 502
PASSING = (Unavailable, NotReady, NotThePlatform)
CREDENTIALS = (InvalidToken, NotAMember, NotPermitted, DomainNotFound)
CREDENTIAL_CODES = tuple(error.code for error in CREDENTIALS)


def is_passing(error: Exception) -> bool:
    """Say whether the same attempt may well succeed later."""
    if isinstance(error, PlatformError):
        return error.outcome_unknown or isinstance(error, PASSING)
    return not hasattr(error, "status")


def needs_credentials(error: Exception) -> bool:
    """Say whether the work waits for another token: the platform does not take this one for it."""
    return isinstance(error, CREDENTIALS)


def code_of(error: Exception) -> str:
    """Return a stable code for the journal and the API."""
    if isinstance(error, SQLAlchemyError):
        return "store_failed"
    return str(getattr(error, "code", "internal"))


def step_failed(onboarding: Onboarding, error: StepError, aftermath: str) -> StepFailed:
    """Return what the caller is told: the cause, the step, and what became of the rest."""
    cause = error.cause
    failed = StepFailed(
        f"onboarding failed at step {error.step!r}: {_text(cause)} ({aftermath})",
        status=_status(cause),
        code=code_of(cause),
        details={
            "step": error.step,
            "onboarding_id": onboarding.id,
            "external_id": onboarding.external_id,
            "state": onboarding.state.value,
            "aftermath": aftermath,
        },
    )
    if left := leftovers_to_json(onboarding.leftovers):
        failed.details["leftovers"] = left
    known_after = StoreUnavailable.retry_after if isinstance(cause, SQLAlchemyError) else None
    failed.retry_after = getattr(cause, "retry_after", known_after)
    return failed


def _text(cause: Exception) -> str:
    if isinstance(cause, SQLAlchemyError):
        return f"the service's own store failed: {cause_of(cause)}"
    if hasattr(cause, "status"):
        return str(cause).rstrip(".")
    return "an error inside the service, which its log explains"


def _status(cause: Exception) -> int:
    match cause:
        case Rejected(answered=answered):
            return answered
        case NotFound():
            # What is not there was created by this very onboarding: not the caller's mistake.
            return BAD_GATEWAY
        case SQLAlchemyError():
            return StoreUnavailable.status
    return int(getattr(cause, "status", 500))
