"""Leases: at most one process works on a row, and every write of it is bound to its lease.

A lease is a fresh ID each time a row is taken, so that whoever lost it, even to its own process,
can no longer write. While it is held it is renewed; the calls to the platform stop before it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from attrs import evolve
from sqlalchemy import (
    BindParameter,
    ColumnElement,
    RowMapping,
    and_,
    bindparam,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.columns import BRIEF
from bootstrap_core.errors import SealingError
from bootstrap_core.sealing import Sealer
from bootstrap_core.secret import Secret
from provision.onboarding.clock import Clock
from provision.onboarding.errors import IntentUnreadable
from provision.onboarding.failures import CREDENTIAL_CODES
from provision.onboarding.model import Onboarding, State
from provision.onboarding.rows import RowCodec
from provision.onboarding.tables import onboardings

LEASE: Final = timedelta(seconds=30)
UNREADABLE_PAUSE: Final = timedelta(minutes=5)
# Named one by one: an index finds what a state is, not what it is not.
UNFINISHED: Final = tuple(state.value for state in State if not state.is_at_rest)

_NOW: Final[BindParameter[datetime]] = bindparam("now")
_FREE: Final = or_(onboardings.c.lease_until.is_(None), onboardings.c.lease_until < _NOW)
_ONE: Final = and_(onboardings.c.id == bindparam("wanted"), _FREE)
_DUE: Final = and_(
    onboardings.c.state.in_(UNFINISHED),
    _FREE,
    or_(onboardings.c.next_attempt_at.is_(None), onboardings.c.next_attempt_at <= _NOW),
)
_IN_NEED: Final = and_(
    onboardings.c.state == State.STUCK.value, onboardings.c.error_code.in_(CREDENTIAL_CODES)
)
# Asked again and again while nothing is to be done: built once.
_IS_FREE: Final = select(onboardings.c.id).where(_ONE).execution_options(**BRIEF)
_IS_ANY_DUE: Final = select(onboardings.c.id).where(_DUE).limit(1)
_DOMAINS_IN_NEED: Final = select(onboardings.c.domain_id).where(_IN_NEED).distinct()


class Leases:
    """Takes, renews and releases rows of the journal."""

    def __init__(
        self, engine: AsyncEngine, sealer: Sealer, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        """``new_id`` gives the IDs of leases."""
        self._engine = engine
        self._rows = RowCodec(sealer)
        self._clock = clock
        self._new_id = new_id

    async def take(self, onboarding_id: str) -> Onboarding | None:
        """Lease one row, whatever its state; ``None`` if somebody else works on it."""
        named = {"wanted": onboarding_id, "now": self._clock.now()}
        async with self._engine.connect() as connection:
            seen = (await connection.execute(_IS_FREE, named)).first()
        if seen is None:
            return None
        return next(iter(await self._lease(_ONE, named, 1)), None)

    async def take_due(self, limit: int) -> Sequence[Onboarding]:
        """Lease and return rows that nobody works on and whose time has come, oldest first."""
        now = {"now": self._clock.now()}
        async with self._engine.connect() as connection:
            seen = (await connection.execute(_IS_ANY_DUE, now)).first()
        return await self._lease(_DUE, now, limit) if seen else ()

    async def renew(self, row: Onboarding) -> bool:
        """Prolong a lease; ``False`` if it is lost."""
        held = and_(onboardings.c.id == row.id, onboardings.c.lease_owner == row.lease)
        until = self._clock.now() + LEASE
        async with self._engine.begin() as connection:
            renewed = await connection.execute(
                update(onboardings).where(held).values(lease_until=until)
            )
        return bool(renewed.rowcount)

    async def release(self, row: Onboarding) -> None:
        """Let go of a row; one that is not at rest may be taken at once."""
        held = and_(onboardings.c.id == row.id, onboardings.c.lease_owner == row.lease)
        async with self._engine.begin() as connection:
            await connection.execute(
                update(onboardings)
                .where(held)
                .values(lease_owner=None, lease_until=None, updated_at=self._clock.now())
            )

    async def release_all(self) -> None:
        """Let go of every lease: for the start of the only process on this store."""
        leased = onboardings.c.lease_until.is_not(None)
        async with self._engine.begin() as connection:
            await connection.execute(
                update(onboardings)
                .where(leased)
                .values(
                    lease_owner=None,
                    lease_until=None,
                    next_attempt_at=None,
                    updated_at=self._clock.now(),
                )
            )

    async def domains_in_need(self) -> Collection[str]:
        """Return the domains with rows that wait for credentials."""
        async with self._engine.connect() as connection:
            return set((await connection.execute(_DOMAINS_IN_NEED)).scalars())

    async def lend(self, domain_id: str, token: Secret) -> int:
        """Give a domain's rows that wait for credentials a token; return how many there are."""
        now = self._clock.now()
        async with self._engine.begin() as connection:
            found = await connection.execute(
                select(onboardings.c.id).where(_IN_NEED, onboardings.c.domain_id == domain_id)
            )
            ids = list(found.scalars())
            for each in ids:
                sealed = self._rows.seal_token(each, token)
                await connection.execute(
                    update(onboardings)
                    .where(onboardings.c.id == each)
                    .values(token=sealed, next_attempt_at=now, attempts=0)
                )
        return len(ids)

    async def _lease(
        self, condition: ColumnElement[bool], named: Mapping[str, Any], limit: int
    ) -> Sequence[Onboarding]:
        rows = select(onboardings).where(condition).order_by(onboardings.c.updated_at).limit(limit)
        leases: dict[str, str] = {}
        async with self._engine.begin() as connection:
            locked = rows.with_for_update(skip_locked=True)
            found = (await connection.execute(locked, named)).mappings().all()
            for row in found:
                leases[row["id"]] = self._new_id()
                await connection.execute(
                    update(onboardings)
                    .where(onboardings.c.id == row["id"])
                    .values(lease_owner=leases[row["id"]], lease_until=self._clock.now() + LEASE)
                )
        taken = []
        for row in found:
            try:
                taken.append(self._taken(row, leases[row["id"]]))
            except (SealingError, IntentUnreadable) as error:
                await self._set_aside(row["id"], error)
        return taken

    def _taken(self, row: RowMapping, lease: str) -> Onboarding:
        decoded = self._rows.decode(row)
        quiet_since = row["lease_until"]
        if not decoded.state.is_at_rest:
            quiet_since = max(filter(None, (decoded.updated_at, quiet_since)))
        return evolve(decoded, lease=lease, quiet_since=quiet_since)

    async def _set_aside(self, onboarding_id: str, error: SealingError | IntentUnreadable) -> None:
        """Keep a row that can't be read from holding up the others."""
        structlog.get_logger().error(
            "onboarding can't be read", onboarding_id=onboarding_id, error=error.message
        )
        async with self._engine.begin() as connection:
            await connection.execute(
                update(onboardings)
                .where(onboardings.c.id == onboarding_id, onboardings.c.state.in_(UNFINISHED))
                .values(
                    state=State.STUCK.value,
                    error_code=error.code,
                    error_message=error.message,
                    next_attempt_at=self._clock.now() + UNREADABLE_PAUSE,
                    updated_at=self._clock.now(),
                    lease_owner=None,
                    lease_until=None,
                )
            )
