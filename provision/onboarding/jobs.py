"""Jobs: at most one of this process works on a gateway, whoever asked for it and hangs up."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any, TypeAlias

import structlog
from attrs import define, field

from provision.onboarding.clock import Deadline
from provision.onboarding.errors import StillRunning
from provision.onboarding.model import Onboarding

Outcome: TypeAlias = Onboarding | BaseException


@define(eq=False)
class Job:
    """Work on one gateway, and what whoever asked for it is told of it."""

    _outcome: Outcome = field(factory=asyncio.CancelledError)
    is_told: asyncio.Event = field(factory=asyncio.Event, init=False)

    def tell(self, outcome: Outcome) -> bool:
        """Tell the caller a row, or an error; return whether it is what was told first."""
        if not self.is_told.is_set():
            self._outcome = outcome
            self.is_told.set()
        return self._outcome is outcome

    @contextlib.contextmanager
    def told_after(self, seconds: float, outcome: Outcome) -> Iterator[None]:
        """Tell an outcome that is certain already if the block takes longer than that, or fails."""
        timer = asyncio.get_running_loop().call_later(seconds, self.tell, outcome)
        try:
            yield
        except Exception:
            self.tell(outcome)
            raise
        finally:
            timer.cancel()

    def outcome(self) -> Onboarding:
        """Return or raise what was told."""
        if isinstance(self._outcome, Onboarding):
            return self._outcome
        raise self._outcome


Work: TypeAlias = Callable[[Job], Coroutine[Any, Any, Onboarding]]
"""Returns or raises the job's outcome; it may tell it before, and go on after that."""


@define
class Jobs:
    """The jobs of this process, by domain and external ID."""

    _tasks: dict[tuple[str, str], asyncio.Task[Onboarding]] = field(factory=dict, init=False)

    @property
    def count(self) -> int:
        """How many gateways are being worked on here."""
        return len(self._tasks)

    async def run(
        self, onboarding: Onboarding, work: Work, deadline: Deadline | None = None
    ) -> Onboarding:
        """Do ``work`` once nobody here works on the gateway; return its outcome.

        When the caller is cancelled the work goes on all the same. Raises what the work raises,
        and ``StillRunning``: others work on the gateway until the ``deadline``; then nothing is
        done.
        """
        gateway = (onboarding.domain_id, onboarding.external_id)
        while await self.wait_for(*gateway, deadline):
            pass
        job = Job()
        task = self._tasks[gateway] = asyncio.create_task(work(job), name=onboarding.id)
        task.add_done_callback(partial(self._end, gateway, job))
        await job.is_told.wait()
        return job.outcome()

    def is_busy(self, domain_id: str, external_id: str) -> bool:
        """Tell whether somebody here works on the gateway."""
        return (domain_id, external_id) in self._tasks

    async def wait_for(
        self, domain_id: str, external_id: str, deadline: Deadline | None = None
    ) -> bool:
        """Wait until nobody here works on the gateway; ``False``, at once, if nobody does.

        Raises ``StillRunning``: somebody still does at the ``deadline``.
        """
        task = self._tasks.get((domain_id, external_id))
        if task is None:
            return False
        ended, _ = await asyncio.wait([task], timeout=deadline.left if deadline else None)
        if not ended:
            raise StillRunning(details={"onboarding_id": task.get_name()})
        return True

    async def close(self, seconds: float) -> None:
        """Wait for what is running, for at most ``seconds``; the journal keeps what is left."""
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _end(self, gateway: tuple[str, str], job: Job, task: asyncio.Task[Onboarding]) -> None:
        del self._tasks[gateway]
        if task.cancelled():
            job.tell(asyncio.CancelledError())
        elif (error := task.exception()) is None:
            job.tell(task.result())
        elif not job.tell(error):
            structlog.get_logger().error(
                "onboarding work failed", onboarding_id=task.get_name(), exc_info=error
            )
