"""Works on onboardings: one task per gateway here, one lease per row among all processes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from typing import Final, TypeAlias

import structlog
from attrs import evolve

from bootstrap_core.model import Caller
from provision.onboarding.attempts import WAIT_FOR_OTHER, Answer, Attempts, GatewayTasks, Settle
from provision.onboarding.clock import Chance, Clock, Deadline
from provision.onboarding.errors import LeaseLost, StillRunning
from provision.onboarding.journal import Check, Journal
from provision.onboarding.leases import Hold, Holding, Leases
from provision.onboarding.model import Heading, Onboarding, State
from provision.onboarding.steps import Trace

OTHER_PAUSE: Final = 0.1
FRESH: Final = 1.0
"""A lease that was taken less than these seconds ago is as good as a new one."""

HeldWork: TypeAlias = Callable[[Hold, Trace, Settle], Awaitable[None]]
Remake: TypeAlias = Callable[[Onboarding], Onboarding]


class Worker:
    """Takes rows, has attempts made at them, and lets them go."""

    def __init__(
        self,
        attempts: Callable[[Hold], Attempts],
        journal: Journal,
        leases: Leases,
        holding: Holding,
        clock: Clock,
        patience: float,
    ) -> None:
        """Take what makes attempts under a hold, and who keeps rows and leases.

        For ``patience`` seconds the answer about a new gateway waits for the removal of the one
        that it replaces, whose secrets work until then.
        """
        self._patience = patience
        self.tasks = GatewayTasks()
        self._attempts = attempts
        self._journal = journal
        self._leases = leases
        self._holding = holding
        self._clock = clock
        self._in_need: Collection[str] = ()
        self._log = structlog.get_logger()

    def patience(self) -> Deadline:
        """Return until when a request that comes now waits for others."""
        return Deadline.after(self._clock, WAIT_FOR_OTHER)

    async def begin(self, onboarding: Onboarding, check: Check, deadline: Deadline) -> Onboarding:
        """Write the intent and carry it out; return the onboarding once it is done.

        Raises what ``check`` raises, ``StillRunning`` (the gateway's place is taken) and
        ``StepFailed``.
        """

        async def work(answer: Answer) -> None:
            opened = await self._journal.open(onboarding, check)
            if not opened.replaces:
                await self._holding.run(
                    opened, lambda hold: self._attempts(hold).make(opened, answer)
                )
                return
            made: Answer = asyncio.get_running_loop().create_future()
            made.add_done_callback(partial(_pass_failure_on, answer))
            await self._holding.run(opened, lambda hold: self._attempts(hold).make(opened, made))
            removing = asyncio.ensure_future(self._remove_replaced(opened))
            try:
                await asyncio.wait({removing}, timeout=self._patience)
            except asyncio.CancelledError:
                removing.cancel()
                # Its lease is let go before the store is closed.
                await asyncio.wait({removing})
                raise
            if made.done() and not answer.done():
                answer.set_result(made.result())
            await removing

        return await self.tasks.run(onboarding, work, deadline)

    async def make_parts(self, row: Onboarding, work: HeldWork) -> None:
        """Write down what is about to be made, and make it; what fails is undone.

        Raises what the work raises.
        """

        async def whole(answer: Answer) -> None:
            opened = await self._journal.open_to_undo(row)
            await self._holding.run(
                opened,
                lambda hold: self._attempts(hold).make_parts(opened, partial(work, hold), answer),
            )

        await self.tasks.run(row, whole, self.patience())

    async def rotate(self, present: Onboarding, remake: Remake, deadline: Deadline) -> Onboarding:
        """Journal the new secrets that ``remake`` gives a gateway, and put them in force.

        Raises ``StillRunning`` and ``StepFailed``; then it is tried again in the background until
        it is done.
        """

        async def work(answer: Answer) -> None:
            taken = await self._take_present(present)
            await self._holding.run(taken, partial(self._rotate, taken, remake, answer))

        return await self.tasks.run(present, work, deadline)

    async def repair(self, present: Onboarding, caller: Caller, deadline: Deadline) -> Onboarding:
        """Re-create what is missing of a gateway. Raises ``StillRunning`` and ``StepFailed``."""

        async def work(answer: Answer) -> None:
            taken = await self._take_present(present)
            ours = evolve(taken, actor=caller.user_id)
            await self._holding.run(
                taken, lambda hold: self._attempts(hold).repair(ours, caller.token, answer)
            )

        return await self.tasks.run(present, work, deadline)

    async def remove(self, found: Onboarding, caller: Caller, deadline: Deadline) -> Onboarding:
        """Cut the device off, then remove the gateway; return it ``undone``, or ``undoing``.

        Raises ``StillRunning`` when others work on it until the ``deadline``, and
        ``OnboardingNotFound``: it is not in the journal any more.
        """

        async def work(answer: Answer) -> None:
            taken = await self._take_patiently(found, deadline)
            if taken.state is State.UNDONE:
                await self._leases.release(taken)
                answer.set_result(taken)
                return
            ours = evolve(taken, token=caller.token, actor=caller.user_id)
            if taken.heading is Heading.BACK:
                await self._holding.run(
                    taken, lambda hold: self._attempts(hold).resume(ours, answer)
                )
            else:
                ours = evolve(ours, attempts=0)
                await self._holding.run(
                    taken, lambda hold: self._attempts(hold).remove(ours, answer)
                )

        return await self.tasks.run(found, work, deadline)

    async def go_on(
        self, found: Onboarding, caller: Caller, deadline: Deadline
    ) -> Onboarding | None:
        """Go on with a row; return it as it is then, or ``None`` if another process works on it.

        A row that somebody made an attempt at since it was ``found`` is returned as it is. Raises
        ``StillRunning``: that is not so by the ``deadline``; it goes on all the same.
        """
        busy = False

        async def work(answer: Answer) -> None:
            nonlocal busy
            taken = await self._leases.take(found.id)
            if taken is None:
                busy = True
                answer.set_result(found)
            elif taken.state.is_at_rest or taken.attempts > found.attempts:
                await self._leases.release(taken)
                answer.set_result(taken)
            else:
                await self._resume(evolve(taken, token=caller.token), answer)

        try:
            async with asyncio.timeout(deadline.left) as waiting:
                after = await self.tasks.run(found, work, deadline)
        except TimeoutError as error:
            if not waiting.expired():
                raise
            raise StillRunning(details={"onboarding_id": found.id}) from error
        return None if busy else after

    async def due(self, limit: int) -> Sequence[Onboarding]:
        """Lease and return rows that were left behind, or whose next attempt is due."""
        self._in_need = await self._leases.domains_in_need()
        return await self._leases.take_due(limit)

    async def take_over(self, row: Onboarding, asked_at: float) -> None:
        """Go on with a row of ``due``, asked at that time (monotonic); a failure is logged.

        A row of whose gateway somebody works here is let go: it may be the row that they wait for.
        """
        if self.tasks.is_busy(row.domain_id, row.external_id):
            await self._holding.let_go(row)
            return

        async def work(answer: Answer) -> None:
            late = self._clock.monotonic() > asked_at + FRESH
            if late and not await self._leases.renew(row):
                raise LeaseLost
            await self._resume(row, answer)

        try:
            await self.tasks.run(row, work)
        except Exception as error:
            self._log.warning("not finished", onboarding_id=row.id, error=str(error))

    async def welcome(self, caller: Caller) -> None:
        """Let what waits for credentials in the caller's domain go on with the caller's.

        A store that can't be written is no obstacle to the caller: the next request does it.
        """
        if caller.domain_id not in self._in_need:
            return
        self._in_need = set(self._in_need) - {caller.domain_id}
        try:
            count = await self._leases.lend(caller.domain_id, caller.token)
        except Exception as error:
            self._log.warning(
                "credentials not passed on", domain_id=caller.domain_id, error=str(error)
            )
        else:
            self._log.info("credentials found", domain_id=caller.domain_id, onboardings=count)

    async def _resume(self, row: Onboarding, answer: Answer) -> None:
        await self._holding.run(row, lambda hold: self._attempts(hold).resume(row, answer))
        await self._remove_replaced(row)

    async def _rotate(self, taken: Onboarding, remake: Remake, answer: Answer, hold: Hold) -> None:
        rotating = remake(taken)
        await self._journal.reopen(rotating)
        await self._attempts(hold).rotate(rotating, answer)

    async def _remove_replaced(self, row: Onboarding) -> None:
        """Remove the gateway that a committed row took the place of."""
        if not row.replaces:
            return
        old = await self._leases.take(row.replaces)
        if old is None:
            return
        if old.heading is Heading.BACK and not old.state.is_at_rest:
            unheard: Answer = asyncio.get_running_loop().create_future()
            # Nobody worked on it since it was whole: there is nothing to wait for.
            at_once = evolve(old, quiet_since=None)
            await self._holding.run(old, lambda hold: self._attempts(hold).resume(at_once, unheard))
        else:
            await self._leases.release(old)

    async def _take_present(self, present: Onboarding) -> Onboarding:
        """Lease a gateway that is there, and in charge: nobody is about to replace it.

        Raises ``StillRunning``: it is not, or somebody works on it.
        """
        taken = await self._leases.take(present.id)
        if taken is None:
            raise StillRunning(details={"onboarding_id": present.id})
        in_charge = await self._journal.current(taken.domain_id, taken.external_id)
        if taken.state is not State.DONE or in_charge is None or in_charge.id != taken.id:
            await self._leases.release(taken)
            raise StillRunning(details={"onboarding_id": present.id})
        return taken

    async def _take_patiently(self, found: Onboarding, deadline: Deadline) -> Onboarding:
        while (taken := await self._leases.take(found.id)) is None:
            await self._journal.get(found.domain_id, found.id)
            if not deadline.left:
                raise StillRunning(details={"onboarding_id": found.id})
            await self._clock.sleep(OTHER_PAUSE)
        return taken


def _pass_failure_on(answer: Answer, made: Answer) -> None:
    """Tell at once of what could not be made."""
    if not made.cancelled() and (error := made.exception()) and not answer.done():
        answer.set_exception(error)


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
