"""One attempt at a row whose lease is held: on to the whole gateway, or back to nothing.

How it ends is written down, and told to whoever asked for it: by way of the answer, which is given
as soon as it is known, though the attempt may go on after that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog
from attrs import evolve

from bootstrap_core.secret import Secret
from provision.onboarding.chance import Chance
from provision.onboarding.clock import Clock
from provision.onboarding.credentials import Credentials
from provision.onboarding.errors import LeaseLost
from provision.onboarding.failures import code_of, is_passing, needs_credentials, step_failed
from provision.onboarding.journal import Journal
from provision.onboarding.model import Heading, Onboarding, Outcome, State
from provision.onboarding.retry import Timing
from provision.onboarding.runner import Runner
from provision.onboarding.steps import StepError, StepLog
from provision.onboarding.tasks import Answer
from provision.onboarding.trace import Trace

STUCK_AFTER: Final = 3
TRIES_FORWARD: Final = 6
FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 300.0
REMOVED: Final = "everything that had been created was removed again"
REMOVING: Final = "what had been created is still being removed"
LATER: Final = "it is tried again in the background"
LEFT: Final = "what is there was left as it is"


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
    ) -> None:
        """``chance`` spreads the pauses between attempts."""
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
        trace = Trace()
        try:
            done = await self._runner.finish(row, row.token, trace)
        except StepError as error:
            trace.failed(error.cause)
            spared = row.created_ids - trace.touched
            await self._give_up(_failed(row, error), error, trace, spared, answer)
            return
        self._succeed(done, answer)

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
        cut = await self._runner.cut_off(row)
        self._observer.note(cut, "remove", "begun")
        made_at = row.quiet_since or row.finished_at or row.updated_at
        visible = self._moment(made_at + timedelta(seconds=self._timing.visible_after))
        settled = self._moment(self._settles_at(row))
        undoing = asyncio.ensure_future(self._undo(cut, row.token, (), visible, settled))
        answer.set_result(await self._soon(undoing) or cut)
        await undoing

    async def _finish(self, row: Onboarding, token: Secret, answer: Answer) -> None:
        trace = Trace()
        try:
            done = await self._runner.resume(row, token, trace)
        except StepError as error:
            trace.failed(error.cause)
            failed = _failed(row, error)
            cause = error.cause
            if needs_credentials(cause) or (is_passing(cause) and row.attempts < TRIES_FORWARD):
                answer.set_result(await self._postpone(failed, error))
            else:
                await self._give_up(failed, error, trace, (), answer)
            return
        self._succeed(done, answer)

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
        answer: Answer,
    ) -> None:
        """Undo what failed; the caller gets the cause, and what became of the rest."""
        try:
            cut = await self._runner.cut_off(failed)
        except LeaseLost:
            raise
        except Exception as store_error:
            self._log.exception("undo not begun", onboarding_id=failed.id, error=str(store_error))
            raise step_failed(failed, error, LATER) from error.cause
        self._observer.note(cut, "onboard", "failed")
        now = self._clock.monotonic()
        settled = now + self._timing.settled_after if trace.uncertain else now
        visible = now + self._timing.visible_after
        undoing = asyncio.ensure_future(self._undo(cut, cut.token, spared, visible, settled))
        after = await self._soon(undoing) or cut
        aftermath = REMOVED if after.state is State.UNDONE else REMOVING
        answer.set_exception(step_failed(after, error, aftermath))
        await undoing

    async def _soon(self, undoing: asyncio.Future[Onboarding]) -> Onboarding | None:
        """Return what comes of it, or ``None`` when that takes longer than a caller should wait."""
        try:
            done, _ = await asyncio.wait([undoing], timeout=self._timing.answer_after)
        except asyncio.CancelledError:
            undoing.cancel()
            raise
        return undoing.result() if done else None

    async def _undo(
        self,
        row: Onboarding,
        token: Secret,
        spared: Collection[str] = (),
        visible_at: float = 0.0,
        settled_at: float = 0.0,
    ) -> Onboarding:
        """Remove what is on the platform; return the row as it is then."""
        try:
            undone = await self._runner.undo(row, token, spared, visible_at, settled_at)
        except StepError as error:
            return await self._postpone(_failed(row, error), error)
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
    return evolve(
        onboarding,
        error_code=code_of(error.cause),
        error_message=f"{error.step}: {error.cause}",
        steps=error.steps,
    )
