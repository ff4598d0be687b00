"""The audit trail: who did what to which gateway, when, and how it ended. Only ever appended to."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from attrs import frozen
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from provision.onboarding.clock import Clock
from provision.onboarding.model import Onboarding, Outcome
from provision.onboarding.tables import audit_trail
from provision.platform.types import Page

_APPEND: Final = insert(audit_trail)
ACTIONS: Final = {
    Outcome.CREATED: "onboard",
    Outcome.REUSED: "reuse",
    Outcome.REPAIRED: "repair",
    Outcome.ROTATED: "rotate",
    Outcome.REPLACED: "replace",
}
"""What the trail calls the work that ends so."""


@frozen
class AuditEntry:
    """One thing that was done: ``actor`` is a user's ID, ``message`` the error where it failed."""

    at: datetime
    external_id: str
    onboarding_id: str
    actor: str
    action: str
    outcome: str
    message: str


@frozen
class AuditTrail:
    """Writes entries in the transactions of what they tell of, and lists them."""

    _engine: AsyncEngine
    _clock: Clock

    async def write(
        self, connection: AsyncConnection, onboarding: Onboarding, action: str, outcome: str
    ) -> None:
        """Append an entry about an onboarding."""
        entry = {
            "at": self._clock.now(),
            "domain_id": onboarding.domain_id,
            "external_id": onboarding.external_id,
            "onboarding_id": onboarding.id,
            "actor": onboarding.actor,
            "action": action,
            "outcome": outcome,
            "message": onboarding.error_message,
        }
        await connection.execute(_APPEND, entry)

    async def list(
        self, domain_id: str, external_id: str, offset: int, limit: int
    ) -> Page[AuditEntry]:
        """List a gateway's entries, newest first."""
        where = (audit_trail.c.domain_id == domain_id) & (audit_trail.c.external_id == external_id)
        query = (
            select(
                audit_trail.c.at,
                audit_trail.c.external_id,
                audit_trail.c.onboarding_id,
                audit_trail.c.actor,
                audit_trail.c.action,
                audit_trail.c.outcome,
                audit_trail.c.message,
            )
            .where(where)
            .order_by(audit_trail.c.id.desc())
            .limit(limit)
            .offset(offset)
        )
        count = select(func.count()).select_from(audit_trail).where(where)
        async with self._engine.connect() as connection:
            total = await connection.scalar(count)
            rows = (await connection.execute(query)).mappings().all()
        return Page([AuditEntry(**row) for row in rows], total or 0, offset, limit)
