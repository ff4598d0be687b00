"""Steps of an onboarding, timed and named, so that people see where it is and where it broke."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from provision.onboarding.clock import Clock
from provision.onboarding.errors import LeaseLost
from provision.onboarding.model import Step

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
