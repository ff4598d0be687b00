"""Work under a lease: renewed while the work goes on, and no call to the platform without it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar, cast

import structlog
from attrs import define

from provision.onboarding.clock import Clock
from provision.onboarding.errors import LeaseLost
from provision.onboarding.leases import LEASE, Leases
from provision.onboarding.model import Onboarding

T = TypeVar("T")

RENEW_EVERY = LEASE.total_seconds() / 3
MARGIN = LEASE.total_seconds() / 6
LAST_MOMENT = 1.0


@define
class _Held:
    """``until`` (monotonic) the lease is certain."""

    until: float


_held: ContextVar[_Held | None] = ContextVar("held_lease", default=None)


class Holding:
    """Runs work on rows that this process has leased."""

    def __init__(self, leases: Leases, clock: Clock) -> None:
        """Renew with ``leases``."""
        self._leases = leases
        self._clock = clock
        self._log = structlog.get_logger()

    async def run(self, row: Onboarding, work: Coroutine[Any, Any, None]) -> None:
        """Do the work while the row's lease lasts; what is still held afterwards is let go.

        Raises ``LeaseLost``: the work was cut short, somebody else may go on with the row.
        """
        held = _Held(self._clock.monotonic() + LEASE.total_seconds())
        _held.set(held)
        working = asyncio.ensure_future(work)
        renewing = asyncio.ensure_future(self._renew(row, held))
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                held.until = -math.inf
                # The last write lets the lease go, a moment before the work ends.
                await asyncio.wait({working}, timeout=LAST_MOMENT)
        finally:
            renewing.cancel()
            if cut_short := not working.done():
                working.cancel()
            await asyncio.wait({working, renewing})
            if cut_short:
                await self._let_go(row)
        if working.cancelled():
            raise LeaseLost
        working.result()

    async def _let_go(self, row: Onboarding) -> None:
        try:
            await self._leases.release(row)
        except Exception as error:
            self._log.warning("lease not released", onboarding_id=row.id, error=str(error))

    async def _renew(self, row: Onboarding, held: _Held) -> None:
        """Keep the lease; return when it is lost."""
        while True:
            await self._clock.sleep(RENEW_EVERY)
            asked_at = self._clock.monotonic()
            try:
                if not await self._leases.renew(row):
                    return
                held.until = asked_at + LEASE.total_seconds()
            except Exception as error:
                self._log.warning("lease not renewed", onboarding_id=row.id, error=str(error))
                if self._clock.monotonic() >= held.until - MARGIN:
                    return


class _Guarded:
    """Passes calls on while the lease of the work that makes them lasts."""

    def __init__(self, inner: object, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._inner, name)

        @wraps(method)
        async def call(*values: object) -> Any:  # noqa: ANN401 - whatever the method returns
            held = _held.get()
            if held is not None and self._clock.monotonic() >= held.until - MARGIN:
                raise LeaseLost
            return await method(*values)

        # Kept under its name: it is not made again at the next call.
        setattr(self, name, call)
        return call


def guarded(platform: T, clock: Clock) -> T:
    """Return ``platform`` for work under leases: no call is begun once the lease may be lost.

    A process that was stopped for a while and goes on later may have lost it without noticing.
    """
    return cast("T", _Guarded(platform, clock))
