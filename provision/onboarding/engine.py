"""The engine of onboardings: takes a row, keeps its lease, runs its steps and records the outcome.

At most one job of this process works on a gateway, and at most one process on a row. The platform's
transport retries a call; the engine retries an onboarding, from its row.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol, TypeAlias

import structlog
from attrs import define, evolve, field
from sqlalchemy.ext.asyncio import AsyncConnection

from bootstrap_core.model import Caller
from bootstrap_core.secrets import Secret
from provision.layout.model import Identifiers
from provision.onboarding.clock import Clock, Deadline, Timing
from provision.onboarding.credentials import Credentials
from provision.onboarding.errors import (
    HalfMade,
    LeaseLost,
    StepFailed,
    StillRunning,
    joined,
    of_plan,
)
from provision.onboarding.jobs import Job, Jobs
from provision.onboarding.journal import Check, Journal
from provision.onboarding.leases import Lease, LeaseKeeper, Leases
from provision.onboarding.model import Heading, Onboarding, Outcome, State
from provision.onboarding.repair import fresh_intent
from provision.onboarding.runner import Runner
from provision.onboarding.steps import (
    SideEffects,
    StepError,
    StepLog,
    code_of,
    is_passing,
    needs_credentials,
    step_failed,
)

WAIT_FOR_OTHERS: Final = 20.0
"""Seconds that one request waits for what others do with its gateway, in all."""
OTHERS_PAUSE: Final = 0.1
FRESH: Final = 1.0
"""A lease that was taken less than these seconds ago is as good as a new one."""

STARTS: Final = 2
"""How often an attempt may begin, with other IDs each time, where the platform makes halves."""
STUCK_AFTER: Final = 3
MAX_ATTEMPTS: Final = 6
"""How often applying a plan is tried again before it is rolled back."""
FIRST_BACKOFF: Final = 1.0
MAX_BACKOFF: Final = 300.0

REMOVED: Final = "everything that had been created was removed again"
REMOVING: Final = "what had been created is still being removed"
LATER: Final = "it is tried again in the background"
LEFT: Final = "what is there was left as it is"

FINISHING: Final = frozenset({"client_create", "client_delete"})
"""What it takes to finish or undo what another caller began."""

LOOK_EVERY: Final = 1.0
MAX_AT_ONCE: Final = 16
MAX_TOGETHER: Final = 8
"""Rows that are leased in one transaction where many wait; one for each row costs as much again."""

Remake: TypeAlias = Callable[[Onboarding], Onboarding]


class Settle(Protocol):
    """Takes what was made out of the journal's care, in the transaction that keeps it."""

    async def __call__(self, connection: AsyncConnection) -> None:
        """Raise ``LeaseLost`` where it is being undone already."""
        ...


PartsWork: TypeAlias = Callable[[Lease, SideEffects, Settle], Awaitable[None]]
"""Makes things, notes in the side effects what may be there of them, and keeps them."""


class Observer(Protocol):
    """Is told what becomes of onboardings: the metrics and the log."""

    def note(self, onboarding: Onboarding, action: str, outcome: str) -> None:
        """Take note; never raises."""
        ...


@define
class Engine:
    """Carries onboardings out, rolls them back, and takes over what was left behind.

    ``runner`` makes the steps that run under a lease; ``random`` spreads pauses; ``identifiers``
    are for what has to be made with other IDs. About every ``look_every`` seconds the engine looks
    for work that was left behind, once it is started; stop it before you close its jobs.
    """

    runner: Callable[[Lease], Runner]
    journal: Journal
    leases: Leases
    keeper: LeaseKeeper
    credentials: Credentials
    observer: Observer
    clock: Clock
    random: random.Random
    timing: Timing
    identifiers: Identifiers
    look_every: float = LOOK_EVERY
    jobs: Jobs = field(factory=Jobs)
    _waiting_domains: Collection[str] = field(default=(), init=False)
    _looking: asyncio.Task[None] | None = field(default=None, init=False)
    _taken_over: set[asyncio.Task[None]] = field(factory=set, init=False)

    def deadline(self) -> Deadline:
        """Return until when a request that comes now waits for others."""
        return Deadline.after(self.clock, WAIT_FOR_OTHERS)

    async def create(self, onboarding: Onboarding, check: Check, deadline: Deadline) -> Onboarding:
        """Write the intent and carry it out; return the onboarding once it is done.

        Raises what ``check`` raises, ``StillRunning`` (the gateway's place is taken) and
        ``StepFailed``.
        """

        async def work(job: Job) -> Onboarding:
            opened = await self.journal.open(onboarding, check)
            async with self.keeper.keep(opened) as lease:
                done = await self._apply(
                    job, self.runner(lease), opened, opened.token, resumed=False
                )
            if done.replaces:
                # The secrets of the old gateway work until it is removed: the answer waits.
                with job.told_after(self.timing.answer_after, done):
                    await self._remove_replaced(job, done)
            return done

        return await self.jobs.run(onboarding, work, deadline)

    async def make_parts(self, row: Onboarding, make: PartsWork) -> None:
        """Write down what is about to be made, and make it; what fails is undone.

        Raises what ``make`` raises, as it is.
        """

        async def work(job: Job) -> Onboarding:
            opened = await self.journal.open_to_undo(row)
            effects = SideEffects()
            async with self.keeper.keep(opened) as lease:
                try:
                    await make(lease, effects, partial(self.journal.forget, onboarding=opened))
                except LeaseLost:
                    raise
                except Exception as error:
                    await self._undo_parts(job, self.runner(lease), opened, error, effects)
                    raise
            return opened

        await self.jobs.run(row, work, self.deadline())

    async def rotate(self, present: Onboarding, remake: Remake, deadline: Deadline) -> Onboarding:
        """Journal the new secrets that ``remake`` gives a gateway, and put them in force.

        Raises ``StillRunning`` and ``StepFailed``; then it is tried again in the background until
        it is done.
        """

        async def work(_: Job) -> Onboarding:
            taken = await self._take_present(present)
            async with self.keeper.keep(taken) as lease:
                rotating = remake(taken)
                await self.journal.reopen(rotating)
                await self._settle(rotating)
                return await self._rotate(self.runner(lease), rotating, rotating.token)

        return await self.jobs.run(present, work, deadline)

    async def repair(self, present: Onboarding, caller: Caller, deadline: Deadline) -> Onboarding:
        """Re-create what is missing of a gateway; a failure leaves it as it is.

        Raises ``StillRunning`` and ``StepFailed``.
        """

        async def work(_: Job) -> Onboarding:
            taken = await self._take_present(present)
            async with self.keeper.keep(taken) as lease:
                ours = evolve(taken, actor=caller.user_id)
                await self._settle(ours)
                return await self._repair(self.runner(lease), ours, caller.token)

        return await self.jobs.run(present, work, deadline)

    async def remove(self, found: Onboarding, caller: Caller, deadline: Deadline) -> Onboarding:
        """Cut the device off, then remove the gateway; return it ``undone``, or ``undoing``.

        Raises ``StillRunning`` when others work on it until the ``deadline``, and
        ``OnboardingNotFound``: it is not in the journal any more.
        """

        async def work(job: Job) -> Onboarding:
            taken = await self._take_patiently(found, deadline)
            if taken.state is State.UNDONE:
                await self.leases.release(taken)
                return taken
            ours = evolve(taken, token=caller.token, actor=caller.user_id)
            async with self.keeper.keep(taken) as lease:
                if taken.heading is Heading.ROLL_BACK:
                    return await self._continue(job, self.runner(lease), ours)
                return await self._remove(job, self.runner(lease), evolve(ours, attempts=0))

        return await self.jobs.run(found, work, deadline)

    async def go_on(
        self, found: Onboarding, caller: Caller, deadline: Deadline
    ) -> Onboarding | None:
        """Go on with a row; return it as it is then, or ``None`` if another process works on it.

        A row that somebody made an attempt at since it was ``found`` is returned as it is. Raises
        ``StillRunning``: that is not so by the ``deadline``; it goes on all the same.
        """
        is_busy = False

        async def work(job: Job) -> Onboarding:
            nonlocal is_busy
            taken = await self.leases.take(found.id)
            if taken is None:
                is_busy = True
                return found
            if taken.state.is_at_rest or taken.attempts > found.attempts:
                await self.leases.release(taken)
                return taken
            return await self._resume(job, evolve(taken, token=caller.token))

        try:
            async with asyncio.timeout(deadline.left) as waiting:
                after = await self.jobs.run(found, work, deadline)
        except TimeoutError as error:
            if not waiting.expired():
                raise
            raise StillRunning(details={"onboarding_id": found.id}) from error
        return None if is_busy else after

    def is_awaited(self, domain_id: str) -> bool:
        """Tell whether something of the domain waits for a caller's token."""
        return domain_id in self._waiting_domains

    async def resume_with(self, caller: Caller) -> None:
        """Resume what waits for credentials in the caller's domain with the caller's token.

        Only that of a caller who may create and remove clients is of any use. Never raises: where
        the store can't be written, the next request does it.
        """
        if not self.is_awaited(caller.domain_id):
            return
        if caller.actions is not None and not caller.actions >= FINISHING:
            return
        self._waiting_domains = set(self._waiting_domains) - {caller.domain_id}
        log = structlog.get_logger().bind(domain_id=caller.domain_id)
        try:
            count = await self.leases.assign_token(caller.domain_id, caller.token)
        except Exception as error:
            log.warning("credentials not passed on", error=str(error))
        else:
            log.info("credentials found", onboardings=count)

    def start(self) -> None:
        """Begin to look for work that was left behind."""
        self._looking = asyncio.create_task(self._look())

    async def stop(self) -> None:
        """Stop looking; jobs that have begun go on."""
        tasks = [*self._taken_over, *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def tick(self) -> bool:
        """Look once, and take over what was left behind; tell whether there may be more of it.

        At most ``MAX_AT_ONCE`` rows are taken over at a time. A failure is logged.
        """
        free = MAX_AT_ONCE - len(self._taken_over)
        asked_at = self.clock.monotonic()
        try:
            rows = await self.due(free)
        except Exception as error:
            structlog.get_logger().warning("can't look for work left behind", error=str(error))
            return False
        for row in rows:
            task = asyncio.create_task(self.take_over(row, asked_at))
            self._taken_over.add(task)
            task.add_done_callback(self._taken_over.discard)
        return len(rows) == free

    async def due(self, limit: int) -> Sequence[Onboarding]:
        """Lease and return rows that were left behind, or whose next attempt is due."""
        self._waiting_domains = await self.leases.domains_in_need()
        return await self.leases.take_due(limit)

    async def take_over(self, row: Onboarding, asked_at: float) -> None:
        """Go on with a row of ``due``, asked at that time (monotonic); a failure is logged.

        A row of whose gateway somebody works here is given back: they may be waiting for it.
        """
        if self.jobs.is_busy(row.domain_id, row.external_id):
            await self.keeper.give_back(row)
            return

        async def work(job: Job) -> Onboarding:
            late = self.clock.monotonic() > asked_at + FRESH
            if late and not await self.leases.renew(row):
                raise LeaseLost
            return await self._resume(job, row)

        try:
            await self.jobs.run(row, work)
        except Exception as error:
            structlog.get_logger().warning("not finished", onboarding_id=row.id, error=str(error))

    async def _look(self) -> None:
        while True:
            while len(self._taken_over) > MAX_AT_ONCE - MAX_TOGETHER:
                await asyncio.wait(self._taken_over, return_when=asyncio.FIRST_COMPLETED)
            if not await self.tick():
                # Several processes do not look in step.
                await self.clock.sleep(self.random.uniform(0.5, 1.5) * self.look_every)

    async def _take_present(self, present: Onboarding) -> Onboarding:
        """Lease a gateway that is there, and in charge: nobody is about to replace it.

        Raises ``StillRunning``: it is not, or somebody works on it.
        """
        taken = await self.leases.take(present.id)
        if taken is None:
            raise StillRunning(details={"onboarding_id": present.id})
        in_charge = await self.journal.current(taken.domain_id, taken.external_id)
        if taken.state is not State.DONE or in_charge is None or in_charge.id != taken.id:
            await self.leases.release(taken)
            raise StillRunning(details={"onboarding_id": present.id})
        return taken

    async def _take_patiently(self, found: Onboarding, deadline: Deadline) -> Onboarding:
        while (taken := await self.leases.take(found.id)) is None:
            await self.journal.get(found.domain_id, found.id)
            if not deadline.left:
                raise StillRunning(details={"onboarding_id": found.id})
            await self.clock.sleep(OTHERS_PAUSE)
        return taken

    async def _resume(self, job: Job, row: Onboarding) -> Onboarding:
        """Go on with a leased row that an earlier attempt, perhaps another process's, left."""
        async with self.keeper.keep(row) as lease:
            after = await self._continue(job, self.runner(lease), row)
        job.tell(after)
        await self._remove_replaced(job, row)
        return after

    async def _continue(self, job: Job, runner: Runner, row: Onboarding) -> Onboarding:
        try:
            await self._settle(row)
            steps = StepLog(self.clock, row.steps)
            token = await steps.run("credentials", self.credentials.usable(row))
        except StepError as error:
            return await self._postpone(_failed(row, error), error)
        if row.heading is Heading.ROLL_BACK:
            return await self._roll_back(runner, row, token)
        if row.outcome is Outcome.ROTATED:
            return await self._rotate(runner, row, token)
        return await self._apply(job, runner, row, token, resumed=True)

    async def _remove_replaced(self, job: Job, row: Onboarding) -> None:
        """Remove the gateway that a committed row took the place of."""
        if not row.replaces:
            return
        old = await self.leases.take(row.replaces)
        if old is None:
            return
        if old.heading is not Heading.ROLL_BACK or old.state.is_at_rest:
            await self.leases.release(old)
            return
        async with self.keeper.keep(old) as lease:
            # Nobody worked on it since it was whole: no call has to settle.
            await self._continue(job, self.runner(lease), evolve(old, quiet_since=None))

    async def _apply(
        self, job: Job, runner: Runner, row: Onboarding, token: Secret, *, resumed: bool
    ) -> Onboarding:
        """Make a gateway; what can't be finished is undone, or tried again where it was resumed.

        Raises ``StepFailed`` with the cause and what became of the rest, as soon as that is known.
        """
        for starts_left in reversed(range(STARTS)):
            # Whatever an earlier attempt may have made counts as made by this one.
            effects = SideEffects(possible=row.created_ids if resumed else set())
            try:
                done = await runner.apply(row, token, effects, resumed=resumed)
            except StepError as error:
                cause = error.cause
                effects.note_failure(cause)
                if afresh := await self._afresh(row, error, effects, starts_left):
                    row = afresh
                    continue
                may_pass = is_passing(cause) and row.attempts < MAX_ATTEMPTS
                if resumed and (needs_credentials(cause) or may_pass):
                    return await self._postpone(_failed(row, error), error)
                raise await self._give_up(job, runner, row, error, effects) from cause
            self.observer.note(done, "onboard", done.outcome.value)
            return done
        raise AssertionError("the last start returns or raises")

    async def _afresh(
        self, row: Onboarding, error: StepError, effects: SideEffects, starts_left: int
    ) -> Onboarding | None:
        """Write down other IDs for a gateway that the platform made half; else return ``None``.

        What may be there under the IDs of before is given up.
        """
        if not isinstance(error.cause, HalfMade) or not starts_left:
            return None
        intent = fresh_intent(row.intent, self.identifiers)
        if intent is None:
            return None
        failed = _failed(row, error)
        given_up = joined(failed.leftovers, of_plan(row.plan, effects.possible))
        afresh = evolve(failed, intent=intent, leftovers=given_up)
        await self.journal.reopen(afresh, "with other IDs")
        return afresh

    async def _give_up(
        self, job: Job, runner: Runner, row: Onboarding, error: StepError, effects: SideEffects
    ) -> StepFailed:
        """Undo what failed; return the cause, and what became of the rest."""
        failed = _failed(row, error)
        try:
            cut = await runner.cut_off(failed, effects.possible - effects.created)
        except LeaseLost:
            raise
        except Exception as store_error:
            structlog.get_logger().exception(
                "undo not begun", onboarding_id=row.id, error=str(store_error)
            )
            return step_failed(failed, error, LATER)
        self.observer.note(cut, "onboard", "failed")
        never_created = row.created_ids - effects.possible
        removing = step_failed(cut, error, REMOVING)
        with job.told_after(self.timing.answer_after, removing):
            after = await self._roll_back_attempt(runner, cut, never_created, effects)
        if job.is_told.is_set():
            return removing
        return step_failed(after, error, REMOVED if after.state is State.UNDONE else REMOVING)

    async def _undo_parts(
        self, job: Job, runner: Runner, row: Onboarding, error: Exception, effects: SideEffects
    ) -> None:
        failed = evolve(
            row,
            error_code=code_of(error),
            error_message=str(error),
            leftovers=of_plan(row.plan, effects.possible - effects.created),
        )
        try:
            # Should the row be gone all the same, what it names was kept.
            await self.journal.reopen(failed, "failed")
        except LeaseLost:
            raise
        except Exception as store_error:
            structlog.get_logger().exception(
                "undo not begun", onboarding_id=row.id, error=str(store_error)
            )
            return
        never_created = (row.created_ids | row.borrowed_ids) - effects.possible
        with job.told_after(self.timing.answer_after, error):
            await self._roll_back_attempt(runner, failed, never_created, effects)

    async def _remove(self, job: Job, runner: Runner, row: Onboarding) -> Onboarding:
        # What was never whole may have been cut short on the platform.
        unsure = () if row.state is State.DONE else row.created_ids
        cut = await runner.cut_off(row, unsure)
        self.observer.note(cut, "remove", "begun")
        made_at = row.quiet_since or row.finished_at or row.updated_at
        # What was made a moment ago is not shown yet: that it is not there is no proof before.
        visible = self._moment(made_at + timedelta(seconds=self.timing.visible_after))
        settled = self._moment(self._settles_at(row))
        with job.told_after(self.timing.answer_after, cut):
            return await self._roll_back(runner, cut, row.token, (), visible, settled)

    async def _repair(self, runner: Runner, row: Onboarding, token: Secret) -> Onboarding:
        effects = SideEffects()
        try:
            wanted = evolve(row, outcome=Outcome.REPAIRED)
            repaired = await runner.repair(wanted, token, effects)
        except StepError as error:
            effects.note_failure(error.cause)
            failed = _failed(row, error)
            settled = evolve(failed.intent, settled_at=self._settled_at(row, effects))
            await self.journal.keep(evolve(failed, intent=settled, error_code="", error_message=""))
            self.observer.note(failed, "repair", "failed")
            raise step_failed(failed, error, LEFT) from error.cause
        self.observer.note(repaired, "onboard", repaired.outcome.value)
        return repaired

    async def _rotate(self, runner: Runner, row: Onboarding, token: Secret) -> Onboarding:
        try:
            done = await runner.rotate(row, token, SideEffects())
        except StepError as error:
            kept = await self._postpone(_failed(row, error), error)
            raise step_failed(kept, error, LATER) from error.cause
        self.observer.note(done, "onboard", done.outcome.value)
        return done

    async def _roll_back_attempt(
        self, runner: Runner, row: Onboarding, never_created: Collection[str], effects: SideEffects
    ) -> Onboarding:
        """Remove what an attempt that ended just now has made."""
        now = self.clock.monotonic()
        settled = now + self.timing.settled_after if effects.uncertain else now
        visible = now + self.timing.visible_after
        return await self._roll_back(runner, row, row.token, never_created, visible, settled)

    async def _roll_back(
        self,
        runner: Runner,
        row: Onboarding,
        token: Secret,
        never_created: Collection[str] = (),
        visible_at: float = 0.0,
        settled_at: float = 0.0,
    ) -> Onboarding:
        """Remove what is on the platform; return the row as it is then."""
        undoing = runner.undoing(row, token)
        try:
            undone = await runner.roll_back(row, undoing, never_created, visible_at, settled_at)
        except StepError as error:
            failed = evolve(_failed(row, error), leftovers=undoing.left_of(row.leftovers))
            return await self._postpone(failed, error)
        self.observer.note(undone, "undo", "done")
        return undone

    async def _postpone(self, row: Onboarding, error: StepError) -> Onboarding:
        """Keep a row for later, each time for longer; a ``stuck`` one needs somebody to look."""
        attempts = row.attempts + 1
        is_stuck = attempts >= STUCK_AFTER or needs_credentials(error.cause)
        moving = State.PLANNED if row.heading is Heading.APPLY else State.UNDOING
        longest = min(FIRST_BACKOFF * 2 ** min(attempts, 20), MAX_BACKOFF)
        backoff = timedelta(seconds=self.random.uniform(0.0, longest))
        kept = evolve(
            row,
            state=State.STUCK if is_stuck else moving,
            attempts=attempts,
            next_attempt_at=self.clock.now() + backoff,
        )
        await self.journal.postpone(kept)
        self.observer.note(kept, "onboard" if moving is State.PLANNED else "undo", "postponed")
        return kept

    async def _settle(self, row: Onboarding) -> None:
        """Wait until no call of an earlier attempt can take effect any more."""
        # A call that was cut off may still be on its way: what it makes would be found nowhere.
        wait = self._moment(self._settles_at(row)) - self.clock.monotonic()
        if wait > 0:
            await self.clock.sleep(wait)

    def _settles_at(self, row: Onboarding) -> datetime | None:
        """Return until when a call of an earlier attempt may still take effect."""
        known = row.intent.settled_at
        if row.quiet_since is None:
            return known
        quiet = row.quiet_since + timedelta(seconds=self.timing.settled_after)
        return max(known, quiet) if known else quiet

    def _settled_at(self, row: Onboarding, effects: SideEffects) -> datetime | None:
        if not effects.uncertain:
            return row.intent.settled_at
        return self.clock.now() + timedelta(seconds=self.timing.settled_after)

    def _moment(self, at: datetime | None) -> float:
        """Return a time on the monotonic clock; a time that has passed, or none, is now."""
        wait = (at - self.clock.now()).total_seconds() if at else 0.0
        return self.clock.monotonic() + max(wait, 0.0)


def _failed(onboarding: Onboarding, error: StepError) -> Onboarding:
    half_made = error.cause.identifiers if isinstance(error.cause, HalfMade) else ()
    found = of_plan(onboarding.plan, half_made, certain=half_made)
    return evolve(
        onboarding,
        error_code=code_of(error.cause),
        error_message=f"{error.step}: {error.cause}",
        steps=error.steps,
        leftovers=joined(onboarding.leftovers, found),
    )
