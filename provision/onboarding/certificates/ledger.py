"""The ledger of certificates: which are in use, when they are due, and which came before them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from attrs import frozen
from sqlalchemy import Select, and_, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core.store.tables import fetches
from provision.layout.plan import Plan
from provision.onboarding.certificates.signing import KeepKeys
from provision.onboarding.clock import Clock
from provision.onboarding.model import Intent, IssuedCertificate
from provision.onboarding.tables import certificates_in_use as in_use
from provision.onboarding.tables import superseded_certificates as superseded
from provision.pki.profiles import DUE_AFTER

FETCH_SETTLES: Final = timedelta(seconds=5)
"""A fetch that is noted this much later than a change was surely answered after it."""
_OF_GATEWAY: Final = select(in_use).where(
    in_use.c.domain_id == bindparam("domain"), in_use.c.external_id == bindparam("gateway")
)
_FORGET: Final = delete(in_use).where(in_use.c.client_id.in_(bindparam("gone", expanding=True)))
_PUT: Final = insert(in_use)
HAS_IT: Final = ("delivered", "unchanged")
REVOKED: Final = "it was revoked, and is not renewed"


@frozen
class InUse:
    """A gateway's certificate that is in use; ``config_id`` is the config that delivers it."""

    client_id: str
    domain_id: str
    external_id: str
    config_id: str
    serial: str
    renews: bool
    expires_at: datetime
    due_at: datetime
    key_waits: bool
    delivered_from: datetime
    attempts: int
    next_attempt_at: datetime
    error: str


@frozen
class Superseded:
    """A certificate that another one took the place of, and which is to be revoked now."""

    domain_id: str
    serial: str


class CertificateLedger:
    """Keeps the ledger, mostly in the transactions of what it tells of."""

    def __init__(
        self, engine: AsyncEngine, clock: Clock, keep: KeepKeys, overlap: timedelta
    ) -> None:
        """Have an old certificate revoked ``overlap`` after its successor was fetched."""
        self._engine = engine
        self._clock = clock
        self._keep = keep
        self._overlap = overlap

    async def put(self, connection: AsyncConnection, intent: Intent) -> None:
        """Write what the gateway has now; what is in use already stays as it is."""
        plan = intent.plan
        known = {row.client_id: row for row in await self._of_gateway(connection, plan)}
        changed = [
            each
            for each in intent.certificates
            if each.client_id not in known or known[each.client_id].serial != each.serial
        ]
        kept = {each.client_id for each in intent.certificates if each not in changed}
        gone = set(known) - kept
        if gone:
            await connection.execute(_FORGET, {"gone": sorted(gone)})
        if changed:
            now = self._clock.now()
            # A config that delivered another certificate before may be on its way to the device.
            settled = now + FETCH_SETTLES
            rows = [
                self._row(plan, each, settled if each.client_id in known else now)
                for each in changed
            ]
            await connection.execute(_PUT, rows)

    async def remove(self, connection: AsyncConnection, plan: Plan) -> None:
        """Forget the certificates of a gateway that is being removed."""
        await connection.execute(delete(in_use).where(*_of(plan)))
        await connection.execute(
            delete(superseded).where(
                superseded.c.domain_id == plan.domain_id,
                superseded.c.client_id.in_([each.id for each in plan.clients]),
            )
        )

    async def supersede(
        self, connection: AsyncConnection, plan: Plan, old: IssuedCertificate
    ) -> None:
        """Note that a certificate has a successor; it is revoked once that was delivered."""
        await connection.execute(
            insert(superseded).values(
                domain_id=plan.domain_id,
                serial=old.serial,
                client_id=old.client_id,
                config_id=delivering_config(plan, old.client_id),
                expires_at=old.expires_at,
                delivered_from=self._clock.now() + FETCH_SETTLES,
                revoke_at=None,
            )
        )

    async def find(self, domain_id: str, client_id: str) -> InUse | None:
        """Return what a client has in use."""
        query = select(in_use).where(in_use.c.domain_id == domain_id)
        async with self._engine.connect() as connection:
            row = (await connection.execute(query.where(in_use.c.client_id == client_id))).first()
        return InUse(**row._mapping) if row else None  # noqa: SLF001 - SQLAlchemy's public name

    async def is_superseded(self, domain_id: str, serial: str) -> bool:
        """Say whether another certificate has taken this one's place."""
        query = select(superseded.c.serial).where(
            superseded.c.domain_id == domain_id, superseded.c.serial == serial
        )
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).first() is not None

    async def stop_renewing(self, domain_id: str, serial: str, reason: str) -> None:
        """Leave a certificate to its end: it was revoked."""
        chosen = update(in_use).where(in_use.c.domain_id == domain_id, in_use.c.serial == serial)
        async with self._engine.begin() as connection:
            await connection.execute(chosen.values(renews=False, error=reason))

    async def take_due(self, pause: timedelta, limit: int) -> Sequence[InUse]:
        """Return certificates that are due, each to one taker until ``pause`` has passed."""
        now = self._clock.now()
        due = select(in_use).where(in_use.c.renews, in_use.c.next_attempt_at <= now)
        if not await self._is_any(due):
            return ()
        query = due.order_by(in_use.c.expires_at).limit(limit).with_for_update(skip_locked=True)
        async with self._engine.begin() as connection:
            rows = (await connection.execute(query)).mappings().all()
            taken = [row["client_id"] for row in rows]
            if taken:
                await connection.execute(
                    update(in_use)
                    .where(in_use.c.client_id.in_(taken))
                    .values(next_attempt_at=now + pause)
                )
        return [InUse(**row) for row in rows]

    async def postpone(self, row: InUse, until: datetime, error: str) -> None:
        """Note that a renewal failed, and when it is tried again."""
        chosen = update(in_use).where(
            in_use.c.client_id == row.client_id, in_use.c.serial == row.serial
        )
        values = {"attempts": row.attempts + 1, "next_attempt_at": until, "error": error}
        async with self._engine.begin() as connection:
            await connection.execute(chosen.values(values))

    async def fetched_keys(self, after: str, limit: int) -> Sequence[InUse]:
        """Return certificates whose key waits no longer: the device has fetched it.

        They are those of the next clients ``after`` that ID, in the order of IDs.
        """
        query = select(in_use).join(fetches, fetches.c.config_id == in_use.c.config_id)
        query = query.where(
            in_use.c.key_waits,
            in_use.c.client_id > after,
            fetches.c.at > in_use.c.delivered_from,
            fetches.c.outcome.in_(HAS_IT),
        )
        async with self._engine.connect() as connection:
            page = query.order_by(in_use.c.client_id).limit(limit)
            rows = (await connection.execute(page)).mappings().all()
        return [InUse(**row) for row in rows]

    async def key_dropped(self, connection: AsyncConnection, client_id: str) -> None:
        """Note that a client's key is no longer held."""
        await connection.execute(
            update(in_use).where(in_use.c.client_id == client_id).values(key_waits=False)
        )

    async def take_superseded(self, pause: timedelta, limit: int) -> Sequence[Superseded]:
        """Return certificates that are to be revoked, each to one taker until ``pause`` is over."""
        now = self._clock.now()
        fetched = and_(
            fetches.c.config_id == superseded.c.config_id,
            fetches.c.at > superseded.c.delivered_from,
            fetches.c.outcome.in_(HAS_IT),
        )
        over = superseded.c.expires_at < now
        due = superseded.c.revoke_at <= now
        news = and_(superseded.c.revoke_at.is_(None), fetches.c.at.is_not(None))
        known = select(superseded, fetches.c.at).outerjoin(fetches, fetched)
        if not await self._is_any(known.where(or_(over, due, news))):
            return ()
        waiting = (
            select(superseded.c.domain_id, superseded.c.serial, fetches.c.at)
            .join(fetches, fetched)
            .where(superseded.c.revoke_at.is_(None))
            .limit(limit)
        )
        ready = select(superseded).where(due).limit(limit).with_for_update(skip_locked=True)
        async with self._engine.begin() as connection:
            await connection.execute(delete(superseded).where(over))
            for domain_id, serial, at in (await connection.execute(waiting)).all():
                await self._revoke_at(connection, (domain_id, serial), at + self._overlap)
            rows = (await connection.execute(ready)).all()
            for row in rows:
                await self._revoke_at(connection, (row.domain_id, row.serial), now + pause)
        return [Superseded(row.domain_id, row.serial) for row in rows]

    async def revoked(self, old: Superseded) -> None:
        """Forget a certificate that was revoked."""
        async with self._engine.begin() as connection:
            await connection.execute(
                delete(superseded).where(
                    superseded.c.domain_id == old.domain_id, superseded.c.serial == old.serial
                )
            )

    async def first_ends(self) -> Mapping[str, datetime]:
        """Return for each domain when the first of its certificates in use expires."""
        query = select(in_use.c.domain_id, func.min(in_use.c.expires_at))
        async with self._engine.connect() as connection:
            rows = (await connection.execute(query.group_by(in_use.c.domain_id))).all()
        return {domain_id: ends for domain_id, ends in rows}  # noqa: C416 - rows are not pairs

    async def _is_any(self, query: Select[Any]) -> bool:
        """Look before a transaction that writes is opened: mostly there is nothing to do."""
        async with self._engine.connect() as connection:
            return (await connection.execute(query.limit(1))).first() is not None

    async def _revoke_at(
        self, connection: AsyncConnection, place: tuple[str, str], at: datetime
    ) -> None:
        chosen = update(superseded).where(
            superseded.c.domain_id == place[0], superseded.c.serial == place[1]
        )
        await connection.execute(chosen.values(revoke_at=at))

    async def _of_gateway(self, connection: AsyncConnection, plan: Plan) -> Sequence[InUse]:
        named = {"domain": plan.domain_id, "gateway": plan.external_id}
        rows = (await connection.execute(_OF_GATEWAY, named)).mappings()
        return [InUse(**row) for row in rows]

    def _row(
        self, plan: Plan, issued: IssuedCertificate, delivered_from: datetime
    ) -> dict[str, Any]:
        now = self._clock.now()
        planned = next(e for e in plan.certificates if e.client_id == issued.client_id)
        due_at = now + (issued.expires_at - now) * DUE_AFTER
        config_id = delivering_config(plan, issued.client_id)
        waits = self._keep is KeepKeys.UNTIL_FETCHED and bool(issued.private_key and config_id)
        return {
            "client_id": issued.client_id,
            "domain_id": plan.domain_id,
            "external_id": plan.external_id,
            "config_id": config_id,
            "serial": issued.serial,
            "renews": planned.renew == "auto",
            "expires_at": issued.expires_at,
            "due_at": due_at,
            "key_waits": waits,
            "delivered_from": delivered_from,
            "attempts": 0,
            "next_attempt_at": due_at,
            "error": "",
        }


def delivering_config(plan: Plan, client_id: str) -> str:
    """Return the ID of the config that delivers a client's certificate; empty if none does."""
    if plan.config is None:
        return ""
    bound = {each.resource_id for each in plan.bindings if each.type == "certificate"}
    return plan.config.id if client_id in bound | {plan.config.id} else ""


def _of(plan: Plan) -> tuple[Any, ...]:
    return (in_use.c.domain_id == plan.domain_id, in_use.c.external_id == plan.external_id)
