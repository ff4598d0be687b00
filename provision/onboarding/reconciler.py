"""Looks, again and again, for onboardings that somebody left behind, and finishes them."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from provision.onboarding.clock import Clock
from provision.onboarding.worker import Worker

PAUSE = 1.0
AT_ONCE = 8


class Reconciler:
    """A background task over ``Worker.take_over``."""

    def __init__(self, worker: Worker, clock: Clock, pause: float = PAUSE) -> None:
        """Look every ``pause`` seconds, or at once while there is more to do."""
        self._worker = worker
        self._clock = clock
        self._pause = pause
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stop looking; work that has begun is the worker's to end."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            taken = 0
            try:
                taken = await self._worker.take_over(AT_ONCE)
            except Exception as error:
                structlog.get_logger().warning("can't look for work left behind", error=str(error))
            if taken < AT_ONCE:
                await self._clock.sleep(self._pause)
