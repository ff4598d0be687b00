"""Works on onboardings: one task per gateway here, one lease per row among all processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Final, TypeAlias

import structlog
from attrs import evolve

from bootstrap_core.model import Caller
from provision.onboarding.attempts import Attempts
from provision.onboarding.clock import Clock
from provision.onboarding.errors import LeaseLost, StillRunning
from provision.onboarding.holding import Holding
from provision.onboarding.journal import Check, Journal
from provision.onboarding.leases import Leases
from provision.onboarding.model import Heading, Onboarding, State
from provision.onboarding.tasks import Answer, GatewayTasks

WAIT_FOR_OTHER: Final = 20.0
OTHER_PAUSE: Final = 0.1
FRESH: Final = 1.0
"""A lease that was taken less than these seconds ago is as good as a new one."""

Remake: TypeAlias = Callable[[Onboarding], Onboarding]


class Worker:
    """Takes rows, has attempts made at them, and lets them go."""

    def __init__(
        self, attempts: Attempts, journal: Journal, leases: Leases, holding: Holding, clock: Clock
    ) -> None:
        """Take who makes the attempts, and who keeps rows and leases."""
        self.tasks = GatewayTasks()
        self._attempts = attempts
        self._journal = journal
        self._leases = leases
        self._holding = holding
        self._clock = clock
        self._in_need: Collection[str] = ()
        self._log = structlog.get_logger()

    async def begin(self, onboarding: Onboarding, check: Check) -> Onboarding:
        """Write the intent and carry it out; return the onboarding once it is done.

        Raises what ``check`` raises, ``StillRunning`` (the gateway's place is taken) and
        ``StepFailed``.
        """

        async def work(answer: Answer) -> None:
            opened = await self._journal.open(onboarding, check)
            await self._holding.run(opened, self._attempts.make(opened, answer))
            await self._remove_replaced(opened)

        return await self.tasks.run(onboarding, work)

    async def rotate(self, present: Onboarding, remake: Remake) -> Onboarding:
        """Journal the new secrets that ``remake`` gives a gateway, and put them in force.

        Raises ``StillRunning`` and ``StepFailed``; then it is tried again in the background until
        it is done.
        """

        async def work(answer: Answer) -> None:
            taken = await self._take_present(present)
            await self._holding.run(taken, self._rotate(taken, remake, answer))

        return await self.tasks.run(present, work)

    async def repair(self, present: Onboarding, caller: Caller) -> Onboarding:
        """Re-create what is missing of a gateway. Raises ``StillRunning`` and ``StepFailed``."""

        async def work(answer: Answer) -> None:
            taken = await self._take_present(present)
            ours = evolve(taken, actor=caller.user_id)
            await self._holding.run(taken, self._attempts.repair(ours, caller.token, answer))

        return await self.tasks.run(present, work)

    async def remove(self, found: Onboarding, caller: Caller) -> Onboarding:
        """Cut the device off, then remove the gateway; return it ``undone``, or ``undoing``.

        Raises ``StillRunning`` when another process works on it for too long.
        """

        async def work(answer: Answer) -> None:
            taken = await self._take_patiently(found)
            if taken.state is State.UNDONE:
                await self._leases.release(taken)
                answer.set_result(taken)
                return
            ours = evolve(taken, token=caller.token, actor=caller.user_id)
            if taken.heading is Heading.BACK:
                await self._holding.run(taken, self._attempts.resume(ours, answer))
            else:
                ours = evolve(ours, attempts=0)
                await self._holding.run(taken, self._attempts.remove(ours, answer))

        return await self.tasks.run(found, work)

    async def go_on(self, found: Onboarding, caller: Caller) -> Onboarding | None:
        """Go on with a row; return it as it is then, or ``None`` if another process works on it.

        A row that somebody made an attempt at since it was ``found`` is returned as it is.
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

        after = await self.tasks.run(found, work)
        return None if busy else after

    async def due(self, limit: int) -> Sequence[Onboarding]:
        """Lease and return rows that were left behind, or whose next attempt is due."""
        self._in_need = await self._leases.domains_in_need()
        return await self._leases.take_due(limit)

    async def take_over(self, row: Onboarding, asked_at: float) -> None:
        """Go on with a row of ``due``, asked at that time (monotonic); a failure is logged."""

        async def work(answer: Answer) -> None:
            # It may have waited here while somebody else worked on its gateway.
            late = self._clock.monotonic() > asked_at + FRESH
            if late and not await self._leases.renew(row):
                raise LeaseLost
            await self._resume(row, answer)

        try:
            await self.tasks.run(row, work)
        except Exception as error:
            self._log.warning("not finished", onboarding_id=row.id, error=str(error))

    async def welcome(self, caller: Caller) -> None:
        """Let what waits for credentials in the caller's domain go on with the caller's."""
        if caller.domain_id in self._in_need:
            self._in_need = set(self._in_need) - {caller.domain_id}
            count = await self._leases.lend(caller.domain_id, caller.token)
            self._log.info("credentials found", domain_id=caller.domain_id, onboardings=count)

    async def _resume(self, row: Onboarding, answer: Answer) -> None:
        await self._holding.run(row, self._attempts.resume(row, answer))
        await self._remove_replaced(row)

    async def _rotate(self, taken: Onboarding, remake: Remake, answer: Answer) -> None:
        rotating = remake(taken)
        await self._journal.reopen(rotating)
        await self._attempts.rotate(rotating, answer)

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
            await self._holding.run(old, self._attempts.resume(at_once, unheard))
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

    async def _take_patiently(self, found: Onboarding) -> Onboarding:
        until = self._clock.monotonic() + WAIT_FOR_OTHER
        while (taken := await self._leases.take(found.id)) is None:
            if self._clock.monotonic() > until:
                raise StillRunning(details={"onboarding_id": found.id})
            await self._clock.sleep(OTHER_PAUSE)
        return taken
