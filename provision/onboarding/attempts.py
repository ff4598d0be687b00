"""One attempt at a row whose lease is held, and the one task that each gateway has for it.

How it ends is written down, and told to whoever asked for it: by way of the answer, which is given
as soon as it is known, though the attempt may go on after that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

import structlog
from attrs import evolve
from sqlalchemy.ext.asyncio import AsyncConnection

from bootstrap_core.secrets import Secret
from provision.layout.model import Identifiers
from provision.onboarding.clock import Chance, Clock, Deadline, Timing
from provision.onboarding.credentials import Credentials
from provision.onboarding.errors import HalfMade, LeaseLost, StillRunning, joined, of_plan
from provision.onboarding.journal import Journal
from provision.onboarding.model import Heading, Onboarding, Outcome, State
from provision.onboarding.repair import fresh_intent
from provision.onboarding.runner import Runner
from provision.onboarding.steps import (
    StepError,
    StepLog,
    Trace,
    code_of,
    is_passing,
    needs_credentials,
    step_failed,
)

WAIT_FOR_OTHER: Final = 20.0
"""So many seconds one request waits for what others do with its gateway, in all."""

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

    async def run(
        self, onboarding: Onboarding, work: Work, deadline: Deadline | None = None
    ) -> Onboarding:
        """Do ``work`` in a task once the gateway is free; return the answer it gives on its way.

        Work gives its answer (or an exception) as soon as the caller may have it, and may go on
        after that. When the caller is cancelled the work goes on all the same. Raises
        ``StillRunning``: the gateway is not free by the ``deadline``; then nothing is done.
        """
        place = (onboarding.domain_id, onboarding.external_id)
        while await self.wait_for(*place, deadline):
            pass
        answer: Answer = asyncio.get_running_loop().create_future()
        # A caller that has hung up never looks at the answer; that is no error.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._tasks[place] = asyncio.create_task(
            self._whole(place, onboarding.id, work, answer), name=onboarding.id
        )
        return await asyncio.shield(answer)

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


STUCK_AFTER: Final = 3
STARTS: Final = 2
"""How often an attempt may begin, with other IDs each time, where the platform makes halves."""
TRIES_FORWARD: Final = 6
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 300.0
REMOVED: Final = "everything that had been created was removed again"
REMOVING: Final = "what had been created is still being removed"
LATER: Final = "it is tried again in the background"
LEFT: Final = "what is there was left as it is"


class Settle(Protocol):
    """Takes what was made out of the journal's care, in the transaction that keeps it."""

    async def __call__(self, connection: AsyncConnection) -> None:
        """Raise ``LeaseLost`` where it is being undone already."""
        ...


PartsWork: TypeAlias = Callable[[Trace, Settle], Awaitable[None]]
"""Makes things, notes in the trace what may be there of them, and keeps them."""


class Observer(Protocol):
    """Is told what becomes of onboardings: the metrics and the log."""

    def note(self, onboarding: Onboarding, action: str, outcome: str) -> None:
        """Take note; never raises."""
        ...


class Attempts:
    """Makes attempts with a runner."""

    def __init__(
        self,
        runner: Runner,
        journal: Journal,
        credentials: Credentials,
        observer: Observer,
        clock: Clock,
        chance: Chance,
        timing: Timing,
        identifiers: Identifiers,
    ) -> None:
        """``chance`` spreads the pauses between attempts; ``identifiers`` are for fresh starts."""
        self._identifiers = identifiers
        self._runner = runner
        self._journal = journal
        self._credentials = credentials
        self._observer = observer
        self._clock = clock
        self._chance = chance
        self._timing = timing
        self._log = structlog.get_logger()

    async def make(self, row: Onboarding, answer: Answer) -> None:
        """Make a gateway whose intent was written just now; undo what can't be finished."""
        for starts_left in reversed(range(STARTS)):
            trace = Trace()
            try:
                done = await self._runner.finish(row, row.token, trace)
            except StepError as error:
                trace.failed(error.cause)
                if afresh := await self._afresh(row, error, trace.touched, starts_left):
                    row = afresh
                    continue
                spared, unsure = row.created_ids - trace.touched, trace.touched - trace.made
                await self._give_up(_failed(row, error), error, trace, spared, unsure, answer)
                return
            self._succeed(done, answer)
            return

    async def make_parts(self, row: Onboarding, work: PartsWork, answer: Answer) -> None:
        """Make what a row that is open to be undone names; undo it where the work fails.

        The caller gets the failure as it is.
        """
        trace = Trace()
        try:
            await work(trace, partial(self._journal.forget, onboarding=row))
        except LeaseLost:
            raise
        except Exception as error:
            await self._take_back(row, error, trace, answer)
        else:
            answer.set_result(row)

    async def _take_back(
        self, row: Onboarding, error: Exception, trace: Trace, answer: Answer
    ) -> None:
        failed = evolve(
            row,
            error_code=code_of(error),
            error_message=str(error),
            leftovers=of_plan(row.plan, trace.touched - trace.made),
        )
        try:
            # Should the row be gone all the same, what it names was kept.
            await self._journal.reopen(failed, "failed")
        except LeaseLost:
            raise
        except Exception as store_error:
            self._log.exception("undo not begun", onboarding_id=row.id, error=str(store_error))
            answer.set_exception(error)
            return
        spared = (row.created_ids | row.borrowed_ids) - trace.touched
        undoing = self._undo_attempt(failed, spared, trace)
        await self._soon(undoing)
        answer.set_exception(error)
        await undoing

    async def resume(self, row: Onboarding, answer: Answer) -> None:
        """Go on with a row that an earlier attempt, perhaps another process's, left behind."""
        steps = StepLog(self._clock, row.steps)
        try:
            await self._settle(row)
            token = await steps.run("credentials", self._credentials.usable(row))
        except StepError as error:
            answer.set_result(await self._postpone(_failed(row, error), error))
            return
        if row.heading is Heading.BACK:
            answer.set_result(await self._undo(row, token))
        elif row.outcome is Outcome.ROTATED:
            await self._rotate(row, token, answer)
        else:
            await self._finish(row, token, answer)

    async def rotate(self, rotating: Onboarding, answer: Answer) -> None:
        """Put the new secrets of an intent that was written just now in force."""
        await self._settle(rotating)
        await self._rotate(rotating, rotating.token, answer)

    async def repair(self, row: Onboarding, token: Secret, answer: Answer) -> None:
        """Create what is missing of a gateway that is there; a failure leaves it as it is."""
        await self._settle(row)
        trace = Trace()
        try:
            wanted = evolve(row, outcome=Outcome.REPAIRED)
            repaired = await self._runner.repair(wanted, token, trace)
        except StepError as error:
            trace.failed(error.cause)
            failed = _failed(row, error)
            settled = evolve(failed.intent, settled_at=self._settled_at(row, trace))
            kept = evolve(failed, intent=settled, error_code="", error_message="")
            await self._journal.keep(kept)
            self._observer.note(failed, "repair", "failed")
            raise step_failed(failed, error, LEFT) from error.cause
        self._succeed(repaired, answer)

    async def remove(self, row: Onboarding, answer: Answer) -> None:
        """Cut the device off, then remove its gateway."""
        # What was never whole may have been cut short on the platform.
        unsure = () if row.state is State.DONE else row.created_ids
        cut = await self._runner.cut_off(row, unsure)
        self._observer.note(cut, "remove", "begun")
        made_at = row.quiet_since or row.finished_at or row.updated_at
        visible = self._moment(made_at + timedelta(seconds=self._timing.visible_after))
        settled = self._moment(self._settles_at(row))
        undoing = asyncio.ensure_future(self._undo(cut, row.token, (), visible, settled))
        answer.set_result(await self._soon(undoing) or cut)
        await undoing

    async def _finish(self, row: Onboarding, token: Secret, answer: Answer) -> None:
        for starts_left in reversed(range(STARTS)):
            trace = Trace()
            try:
                done = await self._runner.resume(row, token, trace)
            except StepError as error:
                trace.failed(error.cause)
                if afresh := await self._afresh(row, error, row.created_ids, starts_left):
                    row = afresh
                    continue
                failed = _failed(row, error)
                cause = error.cause
                if needs_credentials(cause) or (is_passing(cause) and row.attempts < TRIES_FORWARD):
                    answer.set_result(await self._postpone(failed, error))
                else:
                    unsure = row.created_ids - trace.made
                    await self._give_up(failed, error, trace, (), unsure, answer)
                return
            self._succeed(done, answer)
            return

    async def _afresh(
        self, row: Onboarding, error: StepError, touched: Collection[str], starts_left: int
    ) -> Onboarding | None:
        """Write down other IDs for a gateway that the platform made half; else return ``None``.

        What is there under the IDs of before, those of ``touched``, is given up.
        """
        cause = error.cause
        if not isinstance(cause, HalfMade) or not starts_left:
            return None
        intent = fresh_intent(row.intent, self._identifiers)
        if intent is None:
            return None
        failed = _failed(row, error)
        given_up = joined(failed.leftovers, of_plan(row.plan, touched))
        afresh = evolve(failed, intent=intent, leftovers=given_up)
        await self._journal.reopen(afresh, "with other IDs")
        return afresh

    async def _rotate(self, rotating: Onboarding, token: Secret, answer: Answer) -> None:
        trace = Trace()
        try:
            done = await self._runner.rotate(rotating, token, trace)
        except StepError as error:
            kept = await self._postpone(_failed(rotating, error), error)
            raise step_failed(kept, error, LATER) from error.cause
        self._succeed(done, answer)

    def _succeed(self, done: Onboarding, answer: Answer) -> None:
        self._observer.note(done, "onboard", done.outcome.value)
        answer.set_result(done)

    async def _give_up(
        self,
        failed: Onboarding,
        error: StepError,
        trace: Trace,
        spared: Collection[str],
        unsure: Collection[str],
        answer: Answer,
    ) -> None:
        """Undo what failed; the caller gets the cause, and what became of the rest."""
        try:
            cut = await self._runner.cut_off(failed, unsure)
        except LeaseLost:
            raise
        except Exception as store_error:
            self._log.exception("undo not begun", onboarding_id=failed.id, error=str(store_error))
            raise step_failed(failed, error, LATER) from error.cause
        self._observer.note(cut, "onboard", "failed")
        undoing = self._undo_attempt(cut, spared, trace)
        after = await self._soon(undoing) or cut
        aftermath = REMOVED if after.state is State.UNDONE else REMOVING
        answer.set_exception(step_failed(after, error, aftermath))
        await undoing

    def _undo_attempt(
        self, row: Onboarding, spared: Collection[str], trace: Trace
    ) -> asyncio.Future[Onboarding]:
        """Begin to undo what an attempt that ended just now has made."""
        now = self._clock.monotonic()
        settled = now + self._timing.settled_after if trace.uncertain else now
        visible = now + self._timing.visible_after
        return asyncio.ensure_future(self._undo(row, row.token, spared, visible, settled))

    async def _soon(self, undoing: asyncio.Future[Onboarding]) -> Onboarding | None:
        """Return what comes of it, or ``None`` when that takes longer than a caller should wait."""
        try:
            done, _ = await asyncio.wait([undoing], timeout=self._timing.answer_after)
        except asyncio.CancelledError:
            undoing.cancel()
            await asyncio.wait({undoing})
            raise
        # The caller is told why the attempt failed, not what its undoing met.
        return undoing.result() if done and not undoing.exception() else None

    async def _undo(
        self,
        row: Onboarding,
        token: Secret,
        spared: Collection[str] = (),
        visible_at: float = 0.0,
        settled_at: float = 0.0,
    ) -> Onboarding:
        """Remove what is on the platform; return the row as it is then."""
        undoing = self._runner.undoing(row, token)
        try:
            undone = await self._runner.undo(row, undoing, spared, visible_at, settled_at)
        except StepError as error:
            failed = evolve(_failed(row, error), leftovers=undoing.left_of(row.leftovers))
            return await self._postpone(failed, error)
        self._observer.note(undone, "undo", "done")
        return undone

    async def _postpone(self, row: Onboarding, error: StepError) -> Onboarding:
        """Keep a row for later: ever longer pauses, ``stuck`` once somebody should look."""
        attempts = row.attempts + 1
        cause = error.cause
        stuck = attempts >= STUCK_AFTER or needs_credentials(cause)
        moving = State.PLANNED if row.heading is Heading.FORWARD else State.UNDOING
        longest = min(FIRST_PAUSE * 2 ** min(attempts, 20), LONGEST_PAUSE)
        pause = timedelta(seconds=self._chance.uniform(0.0, longest))
        kept = evolve(
            row,
            state=State.STUCK if stuck else moving,
            attempts=attempts,
            next_attempt_at=self._clock.now() + pause,
        )
        await self._journal.postpone(kept)
        self._observer.note(kept, "onboard" if moving is State.PLANNED else "undo", "postponed")
        return kept

    async def _settle(self, row: Onboarding) -> None:
        """Wait until no call of an earlier attempt can take effect any more."""
        wait = self._moment(self._settles_at(row)) - self._clock.monotonic()
        if wait > 0:
            await self._clock.sleep(wait)

    def _settles_at(self, row: Onboarding) -> datetime | None:
        """Return until when a call of an earlier attempt may still take effect."""
        known = row.intent.settled_at
        if row.quiet_since is None:
            return known
        quiet = row.quiet_since + timedelta(seconds=self._timing.settled_after)
        return max(known, quiet) if known else quiet

    def _settled_at(self, row: Onboarding, trace: Trace) -> datetime | None:
        if not trace.uncertain:
            return row.intent.settled_at
        return self._clock.now() + timedelta(seconds=self._timing.settled_after)

    def _moment(self, at: datetime | None) -> float:
        """Return a time on the monotonic clock; a time that has passed, or none, is now."""
        wait = (at - self._clock.now()).total_seconds() if at else 0.0
        return self._clock.monotonic() + max(wait, 0.0)


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
