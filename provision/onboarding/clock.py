"""Time as the onboarding sees it, so that tests can run it on a time of their own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, Protocol

from attrs import frozen


class Clock(Protocol):
    """Tells the time and lets time pass."""

    def now(self) -> datetime:
        """Return the present time in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``."""
        ...


@frozen
class Deadline:
    """A moment that what is waited for one after another has in common."""

    clock: Clock
    at: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> Deadline:
        """Return the moment that many seconds from now."""
        return cls(clock, clock.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds until then; 0 once it has passed."""
        return max(0.0, self.at - self.clock.monotonic())


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """Return the present time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return the machine's monotonic time in seconds."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the running event loop."""
        await asyncio.sleep(seconds)


FIRST_PAUSE: Final = 0.05
MAX_PAUSE: Final = 0.5


@frozen
class Timing:
    """How long things take on a platform, in seconds.

    ``visible_after``: what was created can be seen; Magistrala's authorization store trails its
    answers by 50 to 95 ms under load. ``settled_after``: a call that was cut off can no longer
    take effect. ``answer_after``: a caller whose onboarding failed is not kept waiting any longer
    for its undoing, which goes on in the background. ``look_after``: how often the background looks
    for certificates that are due.
    """

    visible_after: float = 2.0
    settled_after: float = 5.0
    answer_after: float = 3.0
    look_after: float = 2.0


class Backoff:
    """Short pauses, each longer than the last, until a deadline on the given clock."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        """Wait for ``seconds`` in all, from now on."""
        self._clock = clock
        self._deadline = clock.monotonic() + seconds
        self._pauses = _pauses()

    async def pause(self) -> bool:
        """Wait a little; ``False``, at once, when the time is up."""
        left = self._deadline - self._clock.monotonic()
        if left <= 0:
            return False
        await self._clock.sleep(min(next(self._pauses), left))
        return True


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(pause * 2, MAX_PAUSE)
