"""The journal: what was intended, how far it is, and who works on it.

A gateway has one ``place`` (domain and external ID), which at most one row holds at a time: the
one that is being made, is there, or is being removed. A row that replaces another waits in a place
of its own and takes the old row's over at its commit, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from attrs import evolve, frozen
from sqlalchemy import ColumnElement, and_, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core.sealing import Sealer
from bootstrap_core.secret import Secret
from provision.onboarding.audit import AuditTrail
from provision.onboarding.clock import Clock
from provision.onboarding.errors import OnboardingNotFound, StillRunning
from provision.onboarding.model import (
    Onboarding,
    State,
    step_to_json,
)
from provision.onboarding.rows import RowCodec
from provision.onboarding.tables import onboardings
from provision.platform.types import Page

NO_TOKEN = Secret("")
RESTING = (State.DONE.value, State.UNDONE.value)


@frozen
class OnboardingQuery:
    """Which onboardings to list, newest first; empty fields do not filter."""

    offset: int = 0
    limit: int = 10
    state: State | None = None
    external_id: str = ""
    layout: str = ""


class Journal:
    """Reads and writes the rows; intents and tokens are sealed."""

    def __init__(self, engine: AsyncEngine, sealer: Sealer, clock: Clock, owner: str) -> None:
        """``owner`` is this process's name in leases."""
        self._engine = engine
        self._rows = RowCodec(sealer)
        self._audit = AuditTrail(engine, clock)
        self._clock = clock
        self._owner = owner

    async def open(self, onboarding: Onboarding, lease: timedelta) -> None:
        """Write the intent, leased to this process.

        Raises ``StillRunning``: another row has the gateway's place.
        """
        place = _place(onboarding.domain_id, onboarding.external_id)
        if onboarding.replaces:
            place += "#next"
        row = self._rows.encode(onboarding) | {
            "place": place,
            "lease_owner": self._owner,
            "lease_until": self._clock.now() + lease,
        }
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(onboardings).values(row))
        except IntegrityError as error:
            raise StillRunning from error

    async def reopen(self, onboarding: Onboarding, lease: timedelta) -> None:
        """Write a new intent for a gateway that is there, leased to this process.

        Raises ``StillRunning``: it is not at rest any more.
        """
        values = self._rows.encode(onboarding) | {
            "updated_at": self._clock.now(),
            "lease_owner": self._owner,
            "lease_until": self._clock.now() + lease,
        }
        row = and_(onboardings.c.id == onboarding.id, onboardings.c.state == State.DONE.value)
        async with self._engine.begin() as connection:
            changed = await connection.execute(update(onboardings).where(row).values(values))
        if changed.rowcount != 1:
            raise StillRunning

    async def current(self, domain_id: str, external_id: str) -> Onboarding | None:
        """Return the row that holds the gateway's place."""
        return await self._one(onboardings.c.place == _place(domain_id, external_id))

    async def latest(self, domain_id: str, external_id: str) -> Onboarding | None:
        """Return the gateway's newest row, in whatever state."""
        condition = and_(
            onboardings.c.domain_id == domain_id, onboardings.c.external_id == external_id
        )
        return await self._one(condition)

    async def get(self, domain_id: str, onboarding_id: str) -> Onboarding:
        """Return one row. Raises ``OnboardingNotFound``."""
        condition = and_(onboardings.c.domain_id == domain_id, onboardings.c.id == onboarding_id)
        if found := await self._one(condition):
            return found
        raise OnboardingNotFound

    async def list(self, domain_id: str, query: OnboardingQuery) -> Page[Onboarding]:
        """List the rows of a domain, newest first."""
        conditions = [onboardings.c.domain_id == domain_id]
        if query.state:
            conditions.append(onboardings.c.state == query.state.value)
        if query.external_id:
            conditions.append(onboardings.c.external_id == query.external_id)
        if query.layout:
            conditions.append(onboardings.c.layout == query.layout)
        where = and_(*conditions)
        rows = (
            select(onboardings)
            .where(where)
            .order_by(onboardings.c.created_at.desc(), onboardings.c.id)
            .limit(query.limit)
            .offset(query.offset)
        )
        async with self._engine.connect() as connection:
            total = await connection.scalar(
                select(func.count()).select_from(onboardings).where(where)
            )
            found = (await connection.execute(rows)).mappings().all()
        return Page(
            [self._rows.decode(row) for row in found], total or 0, query.offset, query.limit
        )

    async def count_by_state(self) -> Mapping[str, int]:
        """Return how many rows are in each state, over all domains."""
        counts = select(onboardings.c.state, func.count()).group_by(onboardings.c.state)
        async with self._engine.connect() as connection:
            return {state: count for state, count in await connection.execute(counts)}  # noqa: C416

    async def commit(self, connection: AsyncConnection, done: Onboarding) -> None:
        """Mark a row done, in the transaction of its bootstrap records.

        The external key and the token are wiped; a replaced row gives its place and is to be
        undone.
        """
        now = self._clock.now()
        if done.replaces:
            await connection.execute(
                update(onboardings)
                .where(onboardings.c.id == done.replaces, onboardings.c.state == State.DONE.value)
                .values(
                    place=None,
                    state=State.UNDOING.value,
                    token=self._rows.seal_token(done.replaces, done.token),
                    updated_at=now,
                    next_attempt_at=now,
                )
            )
        final = evolve(
            done,
            state=State.DONE,
            intent=evolve(done.intent, external_key=Secret("")),
            token=NO_TOKEN,
            error_code="",
            error_message="",
            next_attempt_at=None,
            finished_at=now,
        )
        await self._write(connection, final, _place(done.domain_id, done.external_id))
        await self._audit.write(connection, final, "onboard", done.outcome.value)

    async def begin_undo(self, connection: AsyncConnection, onboarding: Onboarding) -> None:
        """Mark a row as being undone, leased to this process if it is to go on at once."""
        await self._write(
            connection,
            evolve(onboarding, state=State.UNDOING),
            _place(onboarding.domain_id, onboarding.external_id),
        )
        await self._audit.write(connection, onboarding, "undo", "begun")

    async def finish_undo(self, onboarding: Onboarding) -> None:
        """Mark a row undone: the place is free, key, token and private keys are wiped."""
        wiped = evolve(onboarding.intent, external_key=Secret(""), private_keys={})
        final = evolve(
            onboarding,
            state=State.UNDONE,
            intent=wiped,
            token=NO_TOKEN,
            next_attempt_at=None,
            finished_at=self._clock.now(),
        )
        async with self._engine.begin() as connection:
            await self._write(connection, final, None)
            await self._audit.write(connection, final, "undo", "done")

    async def postpone(self, onboarding: Onboarding) -> None:
        """Keep a row for a later attempt (``state``, error and ``next_attempt_at`` as given)."""
        async with self._engine.begin() as connection:
            await self._audit.write(connection, onboarding, "retry", onboarding.state.value)
            await connection.execute(
                update(onboardings)
                .where(onboardings.c.id == onboarding.id)
                .values(
                    state=onboarding.state.value,
                    attempts=onboarding.attempts,
                    next_attempt_at=onboarding.next_attempt_at,
                    error_code=onboarding.error_code,
                    error_message=onboarding.error_message,
                    steps=[step_to_json(step) for step in onboarding.steps],
                    updated_at=self._clock.now(),
                    lease_owner=None,
                    lease_until=None,
                )
            )

    async def renew_token(self, onboarding: Onboarding, token: Secret) -> None:
        """Keep a fresh token for a row that needs one, and make it due now."""
        sealed = self._rows.seal_token(onboarding.id, token)
        async with self._engine.begin() as connection:
            await connection.execute(
                update(onboardings)
                .where(onboardings.c.id == onboarding.id)
                .values(token=sealed, next_attempt_at=self._clock.now())
            )

    async def take_due(self, lease: timedelta, limit: int) -> Sequence[Onboarding]:
        """Lease and return rows that nobody works on and whose time has come."""
        now = self._clock.now()
        due = and_(
            onboardings.c.state.not_in(RESTING),
            or_(onboardings.c.lease_until.is_(None), onboardings.c.lease_until < now),
            or_(onboardings.c.next_attempt_at.is_(None), onboardings.c.next_attempt_at <= now),
        )
        return await self._lease(due, lease, limit)

    async def take(self, onboarding_id: str, lease: timedelta) -> Onboarding | None:
        """Lease one row, unless somebody else works on it."""
        now = self._clock.now()
        free = and_(
            onboardings.c.id == onboarding_id,
            or_(onboardings.c.lease_until.is_(None), onboardings.c.lease_until < now),
        )
        return next(iter(await self._lease(free, lease, 1)), None)

    async def release_all(self) -> None:
        """Let go of every lease: for the start of the only process on this store."""
        async with self._engine.begin() as connection:
            await connection.execute(
                update(onboardings)
                .where(onboardings.c.lease_until.is_not(None))
                .values(lease_owner=None, lease_until=None, next_attempt_at=None)
            )

    async def _lease(
        self, condition: ColumnElement[bool], lease: timedelta, limit: int
    ) -> Sequence[Onboarding]:
        rows = select(onboardings).where(condition).order_by(onboardings.c.updated_at).limit(limit)
        async with self._engine.begin() as connection:
            locked = rows.with_for_update(skip_locked=True)
            found = (await connection.execute(locked)).mappings().all()
            if found:
                await connection.execute(
                    update(onboardings)
                    .where(onboardings.c.id.in_([row["id"] for row in found]))
                    .values(lease_owner=self._owner, lease_until=self._clock.now() + lease)
                )
        return [self._rows.decode(row) for row in found]

    async def _one(self, condition: ColumnElement[bool]) -> Onboarding | None:
        query = select(onboardings).where(condition).order_by(onboardings.c.created_at.desc())
        async with self._engine.connect() as connection:
            row = (await connection.execute(query.limit(1))).mappings().first()
        return self._rows.decode(row) if row else None

    async def _write(
        self, connection: AsyncConnection, onboarding: Onboarding, place: str | None
    ) -> None:
        values = self._rows.encode(onboarding) | {"place": place, "updated_at": self._clock.now()}
        if onboarding.state.is_at_rest:
            values |= {"lease_owner": None, "lease_until": None}
        await connection.execute(
            update(onboardings).where(onboardings.c.id == onboarding.id).values(values)
        )


def _place(domain_id: str, external_id: str) -> str:
    return f"{domain_id}/{external_id}"
