"""An event loop on virtual time: nothing waits, and the same seed gives the same run."""

from __future__ import annotations

import asyncio
import selectors
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


class Deadlock(AssertionError):
    """Everything waits for something, and nothing will ever happen."""


class VirtualSelector(selectors.SelectSelector):
    """Lets time pass instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Deadlock
        self.time += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time is its selector's."""

    def __init__(self) -> None:
        self.virtual = VirtualSelector()
        super().__init__(self.virtual)
        # After some days, floats are too coarse for the machine's resolution: time would stand.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self.virtual.time


class VirtualClock:
    """The loop's time; ``frozen_until`` keeps a stopped process from waking before that."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.frozen_until = 0.0

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.thaw()

    async def thaw(self) -> None:
        await asyncio.sleep(max(0.0, self.frozen_until - self._loop.time()))
