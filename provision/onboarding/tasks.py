"""One task per gateway: it outlives the request that started it, and others wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import structlog

from provision.onboarding.errors import LeaseLost
from provision.onboarding.model import Onboarding

Answer: TypeAlias = asyncio.Future[Onboarding]
Work: TypeAlias = Callable[[Answer], Coroutine[Any, Any, None]]


class GatewayTasks:
    """The tasks of this process, by domain and external ID."""

    def __init__(self) -> None:
        """Start with none."""
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._log = structlog.get_logger()

    @property
    def count(self) -> int:
        """How many gateways are being worked on here."""
        return len(self._tasks)

    async def run(self, onboarding: Onboarding, work: Work) -> Onboarding:
        """Do ``work`` in a task once the gateway is free; return the answer it gives on its way.

        Work gives its answer (or an exception) as soon as the caller may have it, and may go on
        after that. When the caller is cancelled the work goes on all the same.
        """
        place = (onboarding.domain_id, onboarding.external_id)
        while await self.wait_for(*place):
            pass
        answer: Answer = asyncio.get_running_loop().create_future()
        # A caller that has hung up never looks at the answer; that is no error.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._tasks[place] = asyncio.create_task(self._whole(place, onboarding.id, work, answer))
        return await asyncio.shield(answer)

    async def wait_for(self, domain_id: str, external_id: str) -> bool:
        """Wait until nobody here works on the gateway; ``False``, at once, if nobody does."""
        task = self._tasks.get((domain_id, external_id))
        if task is None:
            return False
        await asyncio.wait([task])
        return True

    async def close(self, seconds: float) -> None:
        """Wait for what is running, for at most ``seconds``; the journal keeps what is left."""
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _whole(
        self, place: tuple[str, str], onboarding_id: str, work: Work, answer: Answer
    ) -> None:
        try:
            await work(answer)
        except asyncio.CancelledError:
            answer.cancel()
            raise
        except Exception as error:
            if answer.done():
                self._log.exception("onboarding work failed", onboarding_id=onboarding_id)
            else:
                answer.set_exception(error)
        else:
            if not answer.done():
                answer.set_exception(LeaseLost())
        finally:
            del self._tasks[place]
