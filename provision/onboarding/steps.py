"""Steps of an onboarding, timed and named, so that people see where it is and where it broke."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar
from weakref import WeakValueDictionary

from attrs import evolve

from provision.onboarding.clock import Clock
from provision.onboarding.errors import LeaseLost
from provision.onboarding.model import Onboarding, Step, Summary

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


class RunningSteps:
    """The steps of the attempts that this process makes; the journal has them when they end."""

    def __init__(self, clock: Clock) -> None:
        """Time steps by ``clock``."""
        self._clock = clock
        # An attempt holds its log; nothing is kept here of what has ended.
        self._logs: WeakValueDictionary[str, StepLog] = WeakValueDictionary()

    def begin(self, onboarding: Onboarding) -> StepLog:
        """Return the log of an attempt that begins."""
        log = StepLog(self._clock, onboarding.steps)
        self._logs[onboarding.id] = log
        return log

    def shown(self, row: Summary) -> Summary:
        """Return a row of the journal with the steps that have ended since it was written."""
        log = None if row.state.is_at_rest else self._logs.get(row.id)
        return evolve(row, steps=log.steps) if log else row
