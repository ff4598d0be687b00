"""Works on onboardings: carries them out, undoes what failed, takes over what was left behind."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Collection
from datetime import timedelta
from typing import Protocol

import structlog
from attrs import evolve

from bootstrap_core.secret import Secret
from provision.onboarding.clock import Clock
from provision.onboarding.failures import code_of, is_passing, needs_credentials, step_failed
from provision.onboarding.journal import Journal
from provision.onboarding.model import Onboarding, Outcome, State
from provision.onboarding.retry import Timing
from provision.onboarding.runner import Runner
from provision.onboarding.steps import StepError
from provision.onboarding.tasks import Answer, GatewayTasks
from provision.platform.errors import PlatformError, TimedOut

LEASE = timedelta(seconds=120)
STUCK_AFTER = 3
TRIES_FORWARD = 6
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0
REMOVED = "everything that had been created was removed again"
REMOVING = "what had been created is still being removed"
LATER = "it is tried again in the background"
LEFT = "what is there was left as it is"


class TokenSource(Protocol):
    """The service's own credentials."""

    async def token(self) -> Secret:
        """Return an access token that is valid now."""
        ...


class Observer(Protocol):
    """Is told what becomes of onboardings: the metrics and the log."""

    def note(self, onboarding: Onboarding, action: str, outcome: str) -> None:
        """Take note; never raises."""
        ...


class Worker:
    """Runs, undoes and takes over onboardings, one task per gateway."""

    def __init__(
        self,
        runner: Runner,
        journal: Journal,
        own: TokenSource | None,
        observer: Observer,
        clock: Clock,
        timing: Timing,
    ) -> None:
        """``own`` credentials, where configured, go before a journalled caller's token."""
        self.tasks = GatewayTasks()
        self._runner = runner
        self._journal = journal
        self._own = own
        self._observer = observer
        self._clock = clock
        self._timing = timing
        self._log = structlog.get_logger()

    async def begin(self, onboarding: Onboarding) -> Onboarding:
        """Write the intent and carry it out; return the onboarding once it is done.

        Raises ``StillRunning`` (the gateway's place is taken) and ``StepFailed``.
        """
        await self._journal.open(onboarding, LEASE)
        return await self.tasks.run(onboarding, lambda answer: self._finish(onboarding, answer))

    async def rotate(self, rotating: Onboarding) -> Onboarding:
        """Journal new secrets for a gateway that is there, and put them in force.

        Raises ``StepFailed``; then it is tried again in the background until it is done.
        """
        await self._journal.reopen(rotating, LEASE)
        return await self.tasks.run(rotating, lambda answer: self._rotate(rotating, answer))

    async def repair(self, onboarding: Onboarding, token: Secret) -> Onboarding:
        """Re-create what is missing of a gateway. Raises ``StepFailed``."""

        async def work(answer: Answer) -> None:
            try:
                repaired = await self._runner.repair(onboarding, token)
            except StepError as error:
                raise step_failed(onboarding, error, LEFT) from error.cause
            self._observer.note(repaired, "repair", "done")
            answer.set_result(repaired)

        return await self.tasks.run(onboarding, work)

    async def remove(self, onboarding: Onboarding, token: Secret) -> Onboarding:
        """Cut the device off, then remove the gateway; return it ``undone``, or ``undoing``."""

        async def work(answer: Answer) -> None:
            cut = await self._runner.cut_off(evolve(onboarding, token=token, attempts=0))
            self._observer.note(cut, "remove", "begun")
            await self._undo(cut, token, answer)

        return await self.tasks.run(onboarding, work)

    async def go_on(self, onboarding: Onboarding, token: Secret) -> Onboarding:
        """Go on with a row that nobody works on, with ``token``; else return it as it is."""
        taken = await self._journal.take(onboarding.id, LEASE)
        return onboarding if taken is None else await self._resume(taken, token)

    async def take_over(self, limit: int) -> int:
        """Work on rows whose lease ran out or whose next attempt is due; return how many."""
        rows = await self._journal.take_due(LEASE, limit)
        results = await asyncio.gather(*map(self._take_over, rows), return_exceptions=True)
        for row, result in zip(rows, results, strict=True):
            if isinstance(result, Exception):
                self._log.warning("not finished", onboarding_id=row.id, error=str(result))
        return len(rows)

    async def _take_over(self, row: Onboarding) -> Onboarding:
        token = row.token
        if self._own:
            with contextlib.suppress(PlatformError):
                token = await self._own.token()
        return await self._resume(row, token)

    async def _resume(self, row: Onboarding, token: Secret) -> Onboarding:
        async def work(answer: Answer) -> None:
            if row.state is not State.PLANNED:
                age = (self._clock.now() - row.updated_at).total_seconds()
                await self._undo(
                    row, token, answer, wait=max(self._timing.settled_after - age, 0.0)
                )
            elif row.outcome is Outcome.ROTATED:
                await self._rotate(evolve(row, token=token), answer)
            else:
                await self._finish(evolve(row, token=token), answer, resumed=row)

        return await self.tasks.run(row, work)

    async def _finish(
        self, onboarding: Onboarding, answer: Answer, resumed: Onboarding | None = None
    ) -> None:
        touched: set[str] = set()
        try:
            done = await self._runner.finish(onboarding, onboarding.token, touched)
        except StepError as error:
            failed = _failed(onboarding, error)
            if resumed and is_passing(error.cause) and onboarding.attempts < TRIES_FORWARD:
                await self._postpone(failed, error, answer)
                return
            spared = set() if resumed else onboarding.created_ids - touched
            await self._give_up(failed, error, spared, answer)
            return
        self._observer.note(done, "onboard", done.outcome.value)
        answer.set_result(done)
        if done.replaces:
            await self._remove_replaced(done.replaces, onboarding.token)

    async def _remove_replaced(self, onboarding_id: str, token: Secret) -> None:
        old = await self._journal.take(onboarding_id, LEASE)
        if old is not None and not old.state.is_at_rest:
            await self._undo(old, token, asyncio.get_running_loop().create_future())

    async def _give_up(
        self, failed: Onboarding, error: StepError, spared: Collection[str], answer: Answer
    ) -> None:
        """Undo what failed; the caller gets the cause, and what became of the rest."""
        try:
            cut = await self._runner.cut_off(failed)
        except Exception as store_error:
            self._log.exception("undo not begun", onboarding_id=failed.id, error=str(store_error))
            raise step_failed(failed, error, LATER) from error.cause
        self._observer.note(cut, "onboard", "failed")
        undone: Answer = asyncio.get_running_loop().create_future()
        cut_short = isinstance(error.cause, TimedOut)
        wait = self._timing.settled_after if cut_short else self._timing.visible_after
        undoing = asyncio.ensure_future(self._undo(cut, failed.token, undone, spared, wait))
        await asyncio.wait([undone], timeout=self._timing.answer_after)
        state = undone.result().state if undone.done() else State.UNDOING
        aftermath = REMOVED if state is State.UNDONE else REMOVING
        answer.set_exception(step_failed(evolve(cut, state=state), error, aftermath))
        await undoing

    async def _undo(
        self,
        row: Onboarding,
        token: Secret,
        answer: Answer,
        spared: Collection[str] = (),
        wait: float = 0.0,
    ) -> None:
        visible_at = self._clock.monotonic() + wait
        try:
            undone = await self._runner.undo(row, token, spared, visible_at)
        except StepError as error:
            await self._postpone(_failed(row, error), error, answer)
            return
        self._observer.note(undone, "undo", "done")
        answer.set_result(undone)

    async def _rotate(self, rotating: Onboarding, answer: Answer) -> None:
        try:
            done = await self._runner.rotate(rotating, rotating.token)
        except StepError as error:
            kept: Answer = asyncio.get_running_loop().create_future()
            await self._postpone(_failed(rotating, error), error, kept)
            raise step_failed(kept.result(), error, LATER) from error.cause
        self._observer.note(done, "rotate", "done")
        answer.set_result(done)

    async def _postpone(self, row: Onboarding, error: StepError, answer: Answer) -> None:
        """Keep a row for later: ever longer pauses, ``stuck`` once somebody should look."""
        attempts = row.attempts + 1
        undoing = row.state is not State.PLANNED
        stuck = attempts >= STUCK_AFTER or needs_credentials(error.cause)
        longest = min(FIRST_PAUSE * 2**attempts, LONGEST_PAUSE)
        pause = timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311 - jitter
        kept = evolve(
            row,
            state=State.STUCK if undoing and stuck else row.state,
            attempts=attempts,
            next_attempt_at=self._clock.now() + pause,
        )
        await self._journal.postpone(kept)
        self._observer.note(kept, "undo" if undoing else "onboard", "postponed")
        answer.set_result(kept)


def _failed(onboarding: Onboarding, error: StepError) -> Onboarding:
    return evolve(
        onboarding,
        error_code=code_of(error.cause),
        error_message=f"{error.step}: {error.cause}",
        steps=error.steps,
    )
