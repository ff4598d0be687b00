"""Looks, again and again, for onboardings that somebody left behind, and finishes them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

import structlog

from provision.onboarding.chance import Chance
from provision.onboarding.clock import Clock
from provision.onboarding.model import Onboarding
from provision.onboarding.worker import Worker

PAUSE: Final = 1.0
AT_ONCE: Final = 16
TOGETHER: Final = 8
"""Rows that are leased in one transaction where many wait; one for each row costs as much again."""


class Reconciler:
    """A background task that takes over rows, at most ``AT_ONCE`` at a time."""

    def __init__(self, worker: Worker, clock: Clock, chance: Chance, pause: float = PAUSE) -> None:
        """Look every ``pause`` seconds or so, and at once where there was more than could be done.

        ``chance`` keeps several processes from looking in step.
        """
        self._worker = worker
        self._clock = clock
        self._chance = chance
        self._pause = pause
        self._task: asyncio.Task[None] | None = None
        self._working: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop looking; work that has begun is the worker's to end."""
        tasks = [*self._working, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            while len(self._working) > AT_ONCE - TOGETHER:
                await asyncio.wait(self._working, return_when=asyncio.FIRST_COMPLETED)
            free = AT_ONCE - len(self._working)
            asked_at = self._clock.monotonic()
            rows = await self._due(free)
            for row in rows:
                task = asyncio.create_task(self._worker.take_over(row, asked_at))
                self._working.add(task)
                task.add_done_callback(self._working.discard)
            if len(rows) < free:
                await self._clock.sleep(self._chance.uniform(0.5, 1.5) * self._pause)

    async def _due(self, limit: int) -> Sequence[Onboarding]:
        try:
            return await self._worker.due(limit)
        except Exception as error:
            structlog.get_logger().warning("can't look for work left behind", error=str(error))
            return ()
