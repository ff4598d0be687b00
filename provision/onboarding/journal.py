"""The journal: what was intended, how far it is, and who works on it.

A gateway has one ``place`` (domain and external ID), which at most one row has at a time: the one
that is being made, is there, or is being removed. A row that replaces another takes its place from
the start and gives it back when it is undone; until its commit the old gateway stays as it is.
Every write by whoever works on a row is bound to the lease that it holds.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from attrs import evolve, frozen
from sqlalchemy import ColumnElement, and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core.secrets import Secret
from bootstrap_core.store.tables import BRIEF
from provision.layout.plan import Plan
from provision.onboarding.audit import ACTIONS, AuditTrail
from provision.onboarding.clock import Clock
from provision.onboarding.errors import (
    LeaseLost,
    OnboardingNotFound,
    StillRunning,
    leftovers_to_json,
)
from provision.onboarding.leases import LEASE, UNFINISHED
from provision.onboarding.model import Heading, Onboarding, State, step_to_json
from provision.onboarding.near import near_spellings
from provision.onboarding.rows import RowCodec
from provision.onboarding.tables import onboardings

Check: TypeAlias = Callable[[AsyncConnection, Plan], Awaitable[None]]

NO_TOKEN = Secret("")
# What every onboarding runs is built once: building a statement costs more than running it.
_OPEN: Final = insert(onboardings)
_IN_PLACE: Final = (
    select(onboardings)
    .where(onboardings.c.place == bindparam("gateway"))
    .execution_options(**BRIEF)
)
_IS_TAKEN: Final = _IN_PLACE.with_only_columns(onboardings.c.id)
_NEAR: Final = (
    select(onboardings.c.external_id)
    .where(onboardings.c.place.in_(bindparam("places", expanding=True)))
    .order_by(onboardings.c.external_id)
    .execution_options(**BRIEF)
)
_IS_HELD: Final = and_(
    onboardings.c.id == bindparam("held_id"), onboardings.c.lease_owner == bindparam("held_lease")
)
_HELD: Final = update(onboardings).where(_IS_HELD)
_FORGET: Final = delete(onboardings).where(_IS_HELD)


@frozen
class Journal:
    """Reads and writes the rows; intents and tokens are sealed. ``new_id`` gives leases' IDs."""

    _engine: AsyncEngine
    _rows: RowCodec
    _audit: AuditTrail
    _clock: Clock
    _new_id: Callable[[], str]

    async def open(self, onboarding: Onboarding, check: Check) -> Onboarding:
        """Write the intent once ``check`` has nothing against it; return the row, leased.

        Raises what ``check`` raises, and ``StillRunning``: another row has the gateway's place, or
        the one to be replaced is not there any more or is being worked on.
        """
        opened = evolve(onboarding, lease=self._new_id())
        row = self._rows.encode(opened) | {
            "place": _key(opened.domain_id, opened.external_id),
            "lease_owner": opened.lease,
        }
        try:
            # The first durable write, before any call: with every ID in it, a crash loses nothing.
            async with self._engine.begin() as connection:
                if opened.replaces:
                    await self._step_aside(connection, opened.replaces)
                # The lease begins now: the wait for other writers is over.
                leased = {"lease_until": self._clock.now() + LEASE}
                await connection.execute(_OPEN, row | leased)
                # Once the place is taken: what another request is about to make is no objection.
                await check(connection, opened.plan)
                await self._audit.write(connection, opened, ACTIONS[opened.outcome], "begun")
        except IntegrityError as error:
            raise StillRunning from error
        return opened

    async def open_to_undo(self, onboarding: Onboarding) -> Onboarding:
        """Write down what is about to be made, to be undone unless it is forgotten in time.

        Return the row, leased. It is no gateway, and has no gateway's place.
        """
        opened = evolve(
            onboarding, lease=self._new_id(), state=State.UNDOING, heading=Heading.ROLL_BACK
        )
        row = self._rows.encode(opened) | {
            "place": None,
            "lease_owner": opened.lease,
        }
        async with self._engine.begin() as connection:
            leased = {"lease_until": self._clock.now() + LEASE}
            await connection.execute(_OPEN, row | leased)
        return opened

    async def forget(self, connection: AsyncConnection, onboarding: Onboarding) -> None:
        """Take a row out of the journal: what it names is there to stay. Raises ``LeaseLost``."""
        held = {"held_id": onboarding.id, "held_lease": onboarding.lease}
        if (await connection.execute(_FORGET, held)).rowcount != 1:
            raise LeaseLost

    async def reopen(self, onboarding: Onboarding, outcome: str = "begun") -> None:
        """Write a new intent in place of the row's own. Raises ``LeaseLost``."""
        async with self._engine.begin() as connection:
            await self._write(connection, onboarding)
            await self._audit.write(connection, onboarding, ACTIONS[onboarding.outcome], outcome)

    async def current(self, domain_id: str, external_id: str) -> Onboarding | None:
        """Return the row that has the gateway's place."""
        async with self._engine.connect() as connection:
            found = await connection.execute(_IN_PLACE, {"gateway": _key(domain_id, external_id)})
            row = found.mappings().first()
        return self._rows.decode(row) if row else None

    async def is_taken(self, domain_id: str, external_id: str) -> bool:
        """Tell whether a row has the gateway's place."""
        async with self._engine.connect() as connection:
            found = await connection.execute(_IS_TAKEN, {"gateway": _key(domain_id, external_id)})
            return found.first() is not None

    async def near(self, domain_id: str, external_id: str) -> Sequence[str]:
        """Return the external IDs of gateways that are the same in another spelling."""
        places = [_key(domain_id, other) for other in near_spellings(external_id)]
        if not places:
            return ()
        async with self._engine.connect() as connection:
            found = await connection.execute(_NEAR, {"places": places})
            return found.scalars().all()

    async def unremoved(self, domain_id: str, external_id: str) -> Onboarding | None:
        """Return a row of which something may be left, the one in charge of the gateway first."""
        if found := await self.current(domain_id, external_id):
            return found
        condition = and_(
            onboardings.c.domain_id == domain_id,
            onboardings.c.external_id == external_id,
            onboardings.c.state.in_(UNFINISHED),
        )
        return await self._one(condition)

    async def latest(self, domain_id: str, external_id: str) -> Onboarding | None:
        """Return the row that has the gateway's place, else its newest one."""
        if found := await self.current(domain_id, external_id):
            return found
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

    async def commit(self, connection: AsyncConnection, done: Onboarding) -> None:
        """Mark a row done, in the transaction of its bootstrap records; its lease ends.

        The external key and the token are wiped; a replaced row is to be undone. Raises
        ``LeaseLost``.
        """
        now = self._clock.now()
        final = evolve(
            done,
            state=State.DONE,
            heading=Heading.APPLY,
            intent=evolve(done.intent, external_key=Secret("")),
            token=NO_TOKEN,
            attempts=0,
            error_code="",
            error_message="",
            next_attempt_at=None,
            finished_at=now,
        )
        await self._write(connection, final, lease_owner=None, lease_until=None)
        if done.replaces:
            old = and_(onboardings.c.id == done.replaces, onboardings.c.state == State.DONE.value)
            changed = await connection.execute(
                update(onboardings)
                .where(old)
                .values(
                    state=State.UNDOING.value,
                    heading=Heading.ROLL_BACK.value,
                    token=self._rows.seal_token(done.replaces, done.token),
                    next_attempt_at=now,
                    updated_at=now,
                )
            )
            if changed.rowcount:
                await self._audit.write(connection, evolve(done, id=done.replaces), "undo", "begun")
        await self._audit.write(connection, final, ACTIONS[done.outcome], done.outcome.value)

    async def begin_undo(self, connection: AsyncConnection, onboarding: Onboarding) -> None:
        """Mark a row as being undone. Raises ``LeaseLost``."""
        await self._write(
            connection, evolve(onboarding, state=State.UNDOING, heading=Heading.ROLL_BACK)
        )
        await self._audit.write(connection, onboarding, "undo", "begun")

    async def finish_undo(self, onboarding: Onboarding) -> None:
        """Mark a row undone: key, token and private keys are wiped, the place is given back.

        Raises ``LeaseLost``.
        """
        intent = onboarding.intent
        wiped = evolve(
            intent,
            external_key=Secret(""),
            private_keys={},
            certificates=tuple(evolve(c, private_key=Secret("")) for c in intent.certificates),
        )
        final = evolve(
            onboarding,
            state=State.UNDONE,
            intent=wiped,
            token=NO_TOKEN,
            next_attempt_at=None,
            finished_at=self._clock.now(),
        )
        had_place = and_(onboardings.c.id == final.id, onboardings.c.place.is_not(None))
        async with self._engine.begin() as connection:
            place = await connection.scalar(select(onboardings.c.place).where(had_place))
            await self._write(connection, final, place=None, lease_owner=None, lease_until=None)
            if final.replaces and place:
                old = and_(
                    onboardings.c.id == final.replaces,
                    onboardings.c.state != State.UNDONE.value,
                )
                await connection.execute(update(onboardings).where(old).values(place=place))
            await self._audit.write(connection, final, "undo", "done")

    async def postpone(self, onboarding: Onboarding) -> None:
        """Keep a row for a later attempt (``state``, error and ``next_attempt_at`` as given).

        Its lease ends. The audit trail tells of it when it comes to another state or error. Raises
        ``LeaseLost``.
        """
        before = select(onboardings.c.state, onboardings.c.error_code).where(
            onboardings.c.id == onboarding.id
        )
        values = {
            "state": onboarding.state.value,
            "attempts": onboarding.attempts,
            "next_attempt_at": onboarding.next_attempt_at,
            "error_code": onboarding.error_code,
            "error_message": onboarding.error_message,
            "steps": [step_to_json(step) for step in onboarding.steps],
            "leftovers": leftovers_to_json(onboarding.leftovers),
            "updated_at": self._clock.now(),
            "lease_owner": None,
            "lease_until": None,
        }
        async with self._engine.begin() as connection:
            was = (await connection.execute(before)).first()
            await self._change(connection, onboarding, values)
            if was != (onboarding.state.value, onboarding.error_code):
                await self._audit.write(connection, onboarding, "retry", onboarding.state.value)

    async def keep(self, onboarding: Onboarding) -> None:
        """Write a gateway that stays as it is, and end the lease. Raises ``LeaseLost``."""
        async with self._engine.begin() as connection:
            await self._write(connection, onboarding, lease_owner=None, lease_until=None)
            await self._audit.write(connection, onboarding, "repair", "failed")

    async def forget_leftovers(self, onboarding: Onboarding) -> bool:
        """Take out of a row at rest what was left; ``False`` where it is worked on."""
        rest = [state.value for state in State if state.is_at_rest]
        until = onboardings.c.lease_until
        idle = and_(
            onboardings.c.id == onboarding.id,
            onboardings.c.state.in_(rest),
            or_(until.is_(None), until < self._clock.now()),
        )
        async with self._engine.begin() as connection:
            gone = await connection.execute(update(onboardings).where(idle).values(leftovers=None))
            if gone.rowcount:
                await self._audit.write(connection, onboarding, "forget leftovers", "done")
        return bool(gone.rowcount)

    async def note(self, onboarding: Onboarding, action: str, outcome: str) -> None:
        """Write down in the audit trail what somebody asked for."""
        async with self._engine.begin() as connection:
            await self._audit.write(connection, onboarding, action, outcome)

    async def _step_aside(self, connection: AsyncConnection, onboarding_id: str) -> None:
        """Take the place from a gateway that is there and that nobody works on."""
        until = onboardings.c.lease_until
        idle = and_(
            onboardings.c.id == onboarding_id,
            onboardings.c.state == State.DONE.value,
            onboardings.c.place.is_not(None),
            or_(until.is_(None), until < self._clock.now()),
        )
        stepped = await connection.execute(update(onboardings).where(idle).values(place=None))
        if not stepped.rowcount:
            raise StillRunning

    async def _one(self, condition: ColumnElement[bool]) -> Onboarding | None:
        query = select(onboardings).where(condition).order_by(onboardings.c.created_at.desc())
        async with self._engine.connect() as connection:
            row = (await connection.execute(query.limit(1))).mappings().first()
        return self._rows.decode(row) if row else None

    async def _write(
        self,
        connection: AsyncConnection,
        onboarding: Onboarding,
        **more: Any,  # noqa: ANN401 - values of further columns
    ) -> None:
        values = self._rows.encode(onboarding) | {"updated_at": self._clock.now()} | more
        await self._change(connection, onboarding, values)

    async def _change(
        self, connection: AsyncConnection, onboarding: Onboarding, values: Mapping[str, Any]
    ) -> None:
        held = {"held_id": onboarding.id, "held_lease": onboarding.lease}
        changed = await connection.execute(_HELD, {**values, **held})
        if changed.rowcount != 1:
            raise LeaseLost


def _key(domain_id: str, external_id: str) -> str:
    return f"{domain_id}/{external_id}"


async def unchecked(_: AsyncConnection, __: Plan) -> None:
    """Have nothing against a plan."""
