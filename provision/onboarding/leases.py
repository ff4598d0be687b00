"""Leases: at most one process works on a row, and no write or call of it is made without its lease.

A lease is a fresh ID each time a row is taken, so that whoever lost it, even to its own process,
can no longer write. While it is held it is renewed; the calls to the platform stop before it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

import structlog
from attrs import define, evolve, frozen
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

from bootstrap_core.errors import SealingError
from bootstrap_core.model import Status
from bootstrap_core.secrets import Secret
from bootstrap_core.store.tables import BRIEF
from provision.onboarding.clock import Clock
from provision.onboarding.errors import IntentUnreadable, LeaseLost
from provision.onboarding.model import Onboarding, State
from provision.onboarding.rows import RowCodec
from provision.onboarding.steps import CREDENTIAL_CODES
from provision.onboarding.tables import onboardings
from provision.platform.port import CertificateAuthority, Clients, Entities, Platform
from provision.platform.types import (
    Certificate,
    Channel,
    Client,
    Connections,
    Domain,
    EntityChange,
    EntityQuery,
    Membership,
    NewClient,
    NewEntity,
    Page,
    SigningRequest,
    TokenPair,
    User,
)

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


@frozen
class Leases:
    """Takes, renews and releases rows of the journal. ``new_id`` gives the IDs of leases."""

    _engine: AsyncEngine
    _rows: RowCodec
    _clock: Clock
    _new_id: Callable[[], str]

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

    async def assign_token(self, domain_id: str, token: Secret) -> int:
        """Assign a token to the rows of a domain that wait for credentials; return how many."""
        now = self._clock.now()
        async with self._engine.begin() as connection:
            found = await connection.execute(
                select(onboardings.c.id).where(_IN_NEED, onboardings.c.domain_id == domain_id)
            )
            ids = list(found.scalars())
            for onboarding_id in ids:
                sealed = self._rows.seal_token(onboarding_id, token)
                await connection.execute(
                    update(onboardings)
                    .where(onboardings.c.id == onboarding_id)
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
        # Whoever held it may have called until its lease ended, or let go of it at the last write.
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


RENEW_EVERY: Final = LEASE.total_seconds() / 3
SAFETY_MARGIN: Final = LEASE.total_seconds() / 6
LAST_MOMENT: Final = 1.0


@define
class Lease:
    """A lease that this process holds, certain ``until`` then (monotonic)."""

    clock: Clock
    until: float
    is_cut_short: bool = False

    def check(self) -> None:
        """Raise ``LeaseLost`` where the lease may end before a call that begins now does."""
        # A call takes a while; what it changes must not come after another process took the row.
        if self.clock.monotonic() >= self.until - SAFETY_MARGIN:
            raise LeaseLost


@frozen
class LeaseKeeper:
    """Keeps leases of this process while it works on their rows."""

    _leases: Leases
    _clock: Clock

    @contextlib.asynccontextmanager
    async def keep(self, row: Onboarding) -> AsyncIterator[Lease]:
        """Renew the row's lease during the block, whose last write ends it.

        The block checks the lease before each call to the platform. A block that fails gives the
        lease back. Raises ``LeaseLost``: the lease was lost and the block cancelled; somebody else
        may go on with the row.
        """
        lease = Lease(self._clock, self._clock.monotonic() + LEASE.total_seconds())
        block = asyncio.current_task()
        if block is None:
            raise RuntimeError("a lease is kept within a task")
        renewing = asyncio.create_task(self._renew(row, lease, block))
        try:
            yield lease
        except BaseException as error:
            renewing.cancel()
            await self.give_back(row)
            # Where a shutdown cancelled the block as well, it stays cancelled.
            is_lost = lease.is_cut_short and not block.uncancel()
            if is_lost and isinstance(error, asyncio.CancelledError):
                raise LeaseLost from None
            raise
        finally:
            renewing.cancel()
            await asyncio.wait({renewing})

    async def give_back(self, row: Onboarding) -> None:
        """Leave a row to others before its lease ends; a failure is logged."""
        try:
            await self._leases.release(row)
        except Exception as error:
            structlog.get_logger().warning(
                "lease not released", onboarding_id=row.id, error=str(error)
            )

    async def _renew(self, row: Onboarding, lease: Lease, block: asyncio.Task[Any]) -> None:
        """Renew the lease until it is lost, and then cancel the block."""
        await self._clock.sleep(RENEW_EVERY)
        while await self._is_renewed(row, lease):
            await self._clock.sleep(RENEW_EVERY)
        lease.until = -math.inf
        # The last write ends the lease, a moment before the block ends.
        await asyncio.sleep(LAST_MOMENT)
        lease.is_cut_short = True
        block.cancel()

    async def _is_renewed(self, row: Onboarding, lease: Lease) -> bool:
        """Renew a lease; a store that can't be asked is no loss before the lease is uncertain."""
        asked_at = self._clock.monotonic()
        try:
            if not await self._leases.renew(row):
                return False
            lease.until = asked_at + LEASE.total_seconds()
        except Exception as error:
            structlog.get_logger().warning(
                "lease not renewed", onboarding_id=row.id, error=str(error)
            )
            return self._clock.monotonic() < lease.until - SAFETY_MARGIN
        return True


N = TypeVar("N", bound=NewEntity)
E = TypeVar("E", Client, Channel)


@frozen
class LeasedEntities(Generic[N, E]):
    """The port ``Entities`` while a lease is held."""

    inner: Entities[N, E]
    lease: Lease

    async def create(self, token: Secret, domain_id: str, drafts: Sequence[N]) -> Sequence[E]:
        self.lease.check()
        return await self.inner.create(token, domain_id, drafts)

    async def view(self, token: Secret, domain_id: str, entity_id: str) -> E:
        self.lease.check()
        return await self.inner.view(token, domain_id, entity_id)

    async def list(self, token: Secret, domain_id: str, query: EntityQuery) -> Page[E]:
        self.lease.check()
        return await self.inner.list(token, domain_id, query)

    async def update(
        self, token: Secret, domain_id: str, entity_id: str, change: EntityChange
    ) -> E:
        self.lease.check()
        return await self.inner.update(token, domain_id, entity_id, change)

    async def set_status(
        self, token: Secret, domain_id: str, entity_id: str, status: Status
    ) -> None:
        self.lease.check()
        await self.inner.set_status(token, domain_id, entity_id, status)

    async def delete(self, token: Secret, domain_id: str, entity_id: str) -> None:
        self.lease.check()
        await self.inner.delete(token, domain_id, entity_id)


@frozen
class LeasedClients(LeasedEntities[NewClient, Client]):
    """The port ``Clients`` while a lease is held."""

    inner: Clients

    async def update_secret(
        self, token: Secret, domain_id: str, client_id: str, secret: Secret
    ) -> Client:
        self.lease.check()
        return await self.inner.update_secret(token, domain_id, client_id, secret)


class LeasedPlatform:
    """The port ``Platform`` while a lease is held."""

    def __init__(self, inner: Platform, lease: Lease) -> None:
        """Pass calls on to ``inner``."""
        self._inner = inner
        self._lease = lease
        self.clients = LeasedClients(inner=inner.clients, lease=lease)
        self.channels = LeasedEntities(inner=inner.channels, lease=lease)

    async def issue_token(self, username: str, password: Secret) -> TokenPair:
        """Sign in with a user name or e-mail address and a password."""
        self._lease.check()
        return await self._inner.issue_token(username, password)

    async def refresh_token(self, refresh: Secret) -> TokenPair:
        """Exchange a refresh token for a new pair."""
        self._lease.check()
        return await self._inner.refresh_token(refresh)

    async def view_user(self, token: Secret) -> User:
        """Return the user whom the token belongs to."""
        self._lease.check()
        return await self._inner.view_user(token)

    async def view_domain(self, token: Secret, domain_id: str) -> Domain:
        """Return a domain; this is also the check that the caller is a member of it."""
        self._lease.check()
        return await self._inner.view_domain(token, domain_id)

    async def list_domains(self, token: Secret, offset: int, limit: int) -> Page[Domain]:
        """List the domains that the caller is a member of."""
        self._lease.check()
        return await self._inner.list_domains(token, offset, limit)

    async def view_membership(self, token: Secret, domain_id: str) -> Membership:
        """Return a domain and what the caller, a member, may do in it; one call tells both."""
        self._lease.check()
        return await self._inner.view_membership(token, domain_id)

    async def connect(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Connect the whole product or nothing (``AlreadyExists`` when any part exists)."""
        self._lease.check()
        await self._inner.connect(token, domain_id, connections)

    async def disconnect(self, token: Secret, domain_id: str, connections: Connections) -> None:
        """Disconnect the whole product; what is not connected is no error."""
        self._lease.check()
        await self._inner.disconnect(token, domain_id, connections)


class LeasedAuthority:
    """The port ``CertificateAuthority`` while a lease is held."""

    def __init__(self, inner: CertificateAuthority, lease: Lease) -> None:
        """Pass calls on to ``inner``."""
        self._inner = inner
        self._lease = lease

    async def sign(self, token: Secret, domain_id: str, request: SigningRequest) -> Certificate:
        """Issue a certificate for the public key of the request."""
        self._lease.check()
        return await self._inner.sign(token, domain_id, request)

    async def view_certificate(self, token: Secret, domain_id: str, serial: str) -> Certificate:
        """Return one certificate (``NotFound`` when the serial is unknown)."""
        self._lease.check()
        return await self._inner.view_certificate(token, domain_id, serial)

    async def list_certificates(
        self, token: Secret, domain_id: str, client_id: str
    ) -> Sequence[Certificate]:
        """List all certificates of a client, revoked ones too."""
        self._lease.check()
        return await self._inner.list_certificates(token, domain_id, client_id)

    async def revoke_certificate(self, token: Secret, domain_id: str, serial: str) -> None:
        """Revoke one certificate; revoking twice is no error."""
        self._lease.check()
        await self._inner.revoke_certificate(token, domain_id, serial)

    async def revoke_client_certificates(
        self, token: Secret, domain_id: str, client_id: str
    ) -> None:
        """Revoke every certificate of a client; none at all is no error."""
        self._lease.check()
        await self._inner.revoke_client_certificates(token, domain_id, client_id)

    async def chain(self) -> str:
        """Return the chain that verifies issued certificates, as PEM, issuer first."""
        self._lease.check()
        return await self._inner.chain()

    async def revocation_list(self) -> bytes:
        """Return the current CRL (RFC 5280), DER encoded."""
        self._lease.check()
        return await self._inner.revocation_list()
