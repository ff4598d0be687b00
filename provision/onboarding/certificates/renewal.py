"""Renewal of gateways' certificates: on request and in the background, with the keys that go."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Coroutine, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Protocol

import structlog
from attrs import evolve, frozen
from sqlalchemy import or_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core.configs import HeldCertificate, replace_certificate
from bootstrap_core.secrets import Sealer, Secret
from provision.layout.plan import PlannedCertificate
from provision.onboarding.audit import AuditTrail
from provision.onboarding.certificates.ledger import REVOKED, CertificateLedger, InUse, Superseded
from provision.onboarding.certificates.signing import (
    NO_KEY,
    Certification,
    KeepKeys,
    make_private_key,
    without_keys,
)
from provision.onboarding.clock import Clock, Deadline, Timing
from provision.onboarding.engine import WAIT_FOR_OTHERS
from provision.onboarding.errors import CertificateChanged, OnboardingError, StillRunning
from provision.onboarding.jobs import Job, Jobs
from provision.onboarding.journal import Journal
from provision.onboarding.model import Intent, IssuedCertificate, Onboarding, State
from provision.onboarding.rows import RowCodec
from provision.onboarding.steps import SideEffects
from provision.onboarding.tables import onboardings
from provision.pki.keys import KeyType
from provision.platform.errors import NotFound
from provision.platform.port import CertificateAuthority


class GatewayCertificates:
    """Reads and changes what gateways have; each change is one transaction."""

    def __init__(
        self,
        engine: AsyncEngine,
        sealer: Sealer,
        clock: Clock,
        journal: Journal,
        ledger: CertificateLedger,
        keep: KeepKeys,
    ) -> None:
        """``keep`` says how long private keys are held here."""
        self._engine = engine
        self._sealer = sealer
        self._clock = clock
        self._rows = RowCodec(sealer)
        self._audit = AuditTrail(engine, clock)
        self._journal = journal
        self._ledger = ledger
        self.keep = keep

    async def of(self, row: InUse) -> Onboarding:
        """Return the gateway whose certificate ``row`` tells of.

        Raises ``StillRunning`` (it is being worked on) and ``CertificateChanged`` (it is gone, or
        has another certificate by now).
        """
        present = await self._journal.current(row.domain_id, row.external_id)
        if present is None or all(e.serial != row.serial for e in present.intent.certificates):
            raise CertificateChanged
        if present.state is not State.DONE:
            raise StillRunning
        return present

    async def remember_key(self, present: Onboarding, client_id: str, key: Secret) -> Onboarding:
        """Journal the key of a renewal before anything is signed for it.

        Raises ``StillRunning``: somebody else has begun to work on the gateway.
        """
        keys = {**present.intent.private_keys, client_id: key}
        async with self._engine.begin() as connection:
            return await self._amend(connection, present, evolve(present.intent, private_keys=keys))

    async def put_in_force(
        self, present: Onboarding, issued: IssuedCertificate, chain: str, csrs: Mapping[str, str]
    ) -> Onboarding:
        """Let a gateway's client have another certificate, and its device fetch it.

        The old one stays valid until the new one was fetched, and for the overlap after that.
        ``csrs`` are the requests of devices that hold their own key. The onboarding returned has
        the private key, whether it is kept or not. Raises ``StillRunning``.
        """
        intent = present.intent
        old = next(e for e in intent.certificates if e.client_id == issued.client_id)
        certificates = tuple(issued if e is old else e for e in intent.certificates)
        keys = {k: v for k, v in intent.private_keys.items() if k != issued.client_id}
        if issued.private_key:
            keys[issued.client_id] = issued.private_key
        new = evolve(
            intent,
            csrs=dict(csrs),
            private_keys=keys,
            certificates=certificates,
            ca_chain=chain,
        )
        kept = without_keys(new, [issued.client_id]) if self.keep is KeepKeys.NEVER else new
        async with self._engine.begin() as connection:
            renewed = await self._amend(connection, present, kept)
            held = next(e for e in kept.certificates if e.client_id == issued.client_id)
            await self._exchange(connection, present, old, _held(held, chain))
            await self._ledger.put(connection, kept)
            await self._ledger.supersede(connection, renewed.plan, old)
            await self._audit.write(connection, renewed, "renew certificate", "done")
        return evolve(renewed, intent=new)

    async def drop_key(self, present: Onboarding, client_id: str) -> Onboarding:
        """Forget the private key of a client's certificate. Raises ``StillRunning``."""
        old = issued_to(present, client_id)
        bare = without_keys(present.intent, [client_id])
        async with self._engine.begin() as connection:
            dropped = await self._amend(connection, present, bare)
            held = _held(evolve(old, private_key=NO_KEY), present.intent.ca_chain)
            await self._exchange(connection, present, old, held)
            await self._ledger.key_dropped(connection, client_id)
        return dropped

    async def _exchange(
        self,
        connection: AsyncConnection,
        present: Onboarding,
        old: IssuedCertificate,
        new: HeldCertificate,
    ) -> None:
        if present.plan.config is not None:
            place = (present.domain_id, present.plan.config.id)
            held = _held(old, present.intent.ca_chain)
            await replace_certificate(connection, self._sealer, place, held, new, self._clock.now())

    async def _amend(
        self, connection: AsyncConnection, present: Onboarding, intent: Intent
    ) -> Onboarding:
        """Write another intent to a row that is done, unless somebody has touched it since."""
        now = self._clock.now()
        amended = evolve(present, intent=intent, updated_at=now)
        done = await connection.execute(
            update(onboardings)
            .where(
                onboardings.c.id == present.id,
                onboardings.c.state == State.DONE.value,
                onboardings.c.updated_at == present.updated_at,
                or_(onboardings.c.lease_until.is_(None), onboardings.c.lease_until < now),
            )
            .values(intent=self._rows.encode(amended)["intent"], updated_at=now)
        )
        if done.rowcount != 1:
            raise StillRunning
        return amended


def _held(certificate: IssuedCertificate, chain: str) -> HeldCertificate:
    return HeldCertificate(
        serial=certificate.serial,
        client_id=certificate.client_id,
        certificate=certificate.certificate,
        expires_at=certificate.expires_at,
        chain=chain,
        private_key=certificate.private_key,
    )


class Renewal:
    """Renews certificates with one authority.

    It is for a new key, which is journalled before it is signed, so that a renewal that is cut
    short is taken up with the same key and leaves no second certificate. Where the device holds
    the key, or keys are never kept, the request that was signed before is signed again.
    """

    def __init__(
        self,
        certification: Certification,
        gateways: GatewayCertificates,
        jobs: Jobs,
        clock: Clock,
    ) -> None:
        """``jobs`` see to it that a gateway is worked on by one task at a time."""
        self._certification = certification
        self._gateways = gateways
        self._jobs = jobs
        self._clock = clock

    async def renew(self, token: Secret, row: InUse, csr: str = "") -> Onboarding:
        """Renew the certificate of ``row``; ``csr`` is a new request of the device, if it has one.

        Returns the gateway with the new certificate and, where one was made, its private key.
        Raises ``StillRunning``, ``CertificateChanged`` and what the authority raises; then nothing
        has changed.
        """

        async def work(_: Job) -> Onboarding:
            present = await self._gateways.of(row)
            return await self._renew(token, present, row.client_id, csr)

        deadline = Deadline.after(self._clock, WAIT_FOR_OTHERS)
        return await self._jobs.run(await self._gateways.of(row), work, deadline)

    async def drop_key(self, row: InUse) -> None:
        """Forget a private key that the device has fetched; the key of its renewal stays.

        Raises ``StillRunning`` (somebody works on the gateway) and ``CertificateChanged``.
        """

        async def work(_: Job) -> Onboarding:
            present = await self._gateways.of(row)
            return await self._gateways.drop_key(present, row.client_id)

        at_once = Deadline.after(self._clock, 0.0)
        await self._jobs.run(await self._gateways.of(row), work, at_once)

    async def _renew(
        self, token: Secret, present: Onboarding, client_id: str, csr: str
    ) -> Onboarding:
        planned = next(e for e in present.plan.certificates if e.client_id == client_id)
        old = issued_to(present, client_id)
        asked = self._again(present.intent, old, csr)
        if client_id not in asked.csrs:
            present = await self._with_key(present, planned, old)
            asked = present.intent
        only = evolve(asked, plan=evolve(asked.plan, certificates=(planned,)))
        (issued,), chain = await self._certification.certify_again(token, only, SideEffects())
        if issued.serial == old.serial:
            return present
        csrs = {**present.intent.csrs, client_id: csr} if csr else present.intent.csrs
        return await self._gateways.put_in_force(present, issued, chain, csrs)

    def _again(self, intent: Intent, old: IssuedCertificate, csr: str) -> Intent:
        """Return the intent with the request to sign, where no new key is to be made."""
        if not csr and old.client_id not in intent.csrs and self._gateways.keep is KeepKeys.NEVER:
            csr = old.csr
        return evolve(intent, csrs={**intent.csrs, old.client_id: csr}) if csr else intent

    async def _with_key(
        self, present: Onboarding, planned: PlannedCertificate, old: IssuedCertificate
    ) -> Onboarding:
        """Return the gateway with a key for its next certificate in the journal."""
        waiting = present.intent.private_keys.get(old.client_id)
        if waiting and waiting != old.private_key:
            return present
        key = await make_private_key(KeyType(planned.key_type))
        return await self._gateways.remember_key(present, old.client_id, key)


def issued_to(onboarding: Onboarding, client_id: str) -> IssuedCertificate:
    """Return what a client of the gateway has."""
    return next(e for e in onboarding.intent.certificates if e.client_id == client_id)


AT_ONCE: Final = 16
TAKEN_FOR: Final = timedelta(minutes=2)
FIRST_PAUSE: Final = 15.0
LONGEST_PAUSE: Final = 3600.0
MOST_DOUBLED: Final = 20


class TokenSource(Protocol):
    """The service's own credentials, as far as the authority needs any."""

    async def token(self) -> Secret:
        """Return an access token that is valid now."""
        ...


class Observer(Protocol):
    """Is told how renewals end."""

    def renewed(self, outcome: str) -> None:
        """Take note; never raises."""
        ...


@frozen
class OwnAuthority:
    """The authority as the service itself asks it, without any caller."""

    authority: CertificateAuthority
    tokens: TokenSource


class Upkeep:
    """A background task over the ledger."""

    def __init__(
        self,
        own: OwnAuthority,
        renewal: Renewal,
        ledger: CertificateLedger,
        observer: Observer,
        clock: Clock,
        pause: float,
    ) -> None:
        """Look every ``pause`` seconds; ``renewal`` must be with the authority of ``own``."""
        self._own = own
        self._renewal = renewal
        self._ledger = ledger
        self._observer = observer
        self._clock = clock
        self._pause = pause
        self._dropped_up_to = ""
        self._task: asyncio.Task[None] | None = None
        self._log = structlog.get_logger()

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.create_task(self._run(), name="certificate upkeep")

    async def stop(self) -> None:
        """Stop looking; what was cut short is taken up at the next start."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def round(self) -> int:
        """Do what is to be done now, a part of it if it is much; return how many were done.

        What fails of it keeps nothing else from being done. Raises what the store raises where it
        does not tell what is to be done, once the rest has ended.
        """
        dropping = await asyncio.gather(self._drop_fetched(), return_exceptions=True)
        renewing = await asyncio.gather(
            self._renew_due(), self._revoke_superseded(), return_exceptions=True
        )
        done = 0
        for counted in (*dropping, *renewing):
            if isinstance(counted, BaseException):
                raise counted
            done = max(done, counted)
        return done

    async def _drop_fetched(self) -> int:
        rows = await self._ledger.fetched_keys(self._dropped_up_to, AT_ONCE)
        # Each page once: keys that can't be dropped keep no others waiting.
        self._dropped_up_to = rows[-1].client_id if len(rows) == AT_ONCE else ""
        return sum(await self._apart([(self._drop(row), row.serial) for row in rows]))

    async def _renew_due(self) -> int:
        rows = await self._ledger.take_due(TAKEN_FOR, AT_ONCE)
        await self._apart([(self._renew(row), row.serial) for row in rows])
        return len(rows)

    async def _revoke_superseded(self) -> int:
        rows = await self._ledger.take_superseded(TAKEN_FOR, AT_ONCE)
        await self._apart([(self._revoke(old), old.serial) for old in rows])
        return len(rows)

    async def _apart(self, work: Sequence[tuple[Coroutine[Any, Any, bool], str]]) -> list[bool]:
        """Do all of it side by side, each to its end; tell which was done.

        What fails is told with the serial number of its certificate. It is taken up again once it
        is not ``TAKEN_FOR`` this round any more.
        """
        results = await asyncio.gather(*(doing for doing, _ in work), return_exceptions=True)
        for (_, serial), result in zip(work, results, strict=True):
            if isinstance(result, BaseException):
                self._log.warning(
                    "certificate not looked after", serial=serial, error=str(result) or repr(result)
                )
        return [result is True for result in results]

    async def _run(self) -> None:
        while True:
            done = 0
            try:
                done = await self.round()
            except Exception as error:
                self._log.warning("certificates can't be looked after", error=str(error))
            if done < AT_ONCE:
                await self._clock.sleep(self._pause)

    async def _renew(self, row: InUse) -> bool:
        told = {"domain_id": row.domain_id, "external_id": row.external_id, "serial": row.serial}
        try:
            token = await self._own.tokens.token()
            if await self._is_revoked(token, row):
                await self._ledger.stop_renewing(row.domain_id, row.serial, REVOKED)
                return True
            await self._renewal.renew(token, row)
        except Exception as error:
            longest = min(FIRST_PAUSE * 2 ** min(row.attempts, MOST_DOUBLED), LONGEST_PAUSE)
            pause = timedelta(seconds=random.uniform(longest / 2, longest))  # noqa: S311 - jitter
            self._observer.renewed("failed")
            self._log.warning("certificate not renewed", error=str(error), **told)
            await self._ledger.postpone(row, self._clock.now() + pause, str(error))
            return False
        self._observer.renewed("renewed")
        self._log.info("certificate renewed", **told)
        return True

    async def _is_revoked(self, token: Secret, row: InUse) -> bool:
        try:
            found = await self._own.authority.view_certificate(token, row.domain_id, row.serial)
        except NotFound:
            return False
        return found.revoked

    async def _drop(self, row: InUse) -> bool:
        try:
            await self._renewal.drop_key(row)
        except OnboardingError:
            # Somebody works on the gateway: a later round comes to it again.
            return False
        return True

    async def _revoke(self, old: Superseded) -> bool:
        try:
            token = await self._own.tokens.token()
            with contextlib.suppress(NotFound):
                await self._own.authority.revoke_certificate(token, old.domain_id, old.serial)
        except Exception as error:
            self._log.warning("old certificate not revoked", serial=old.serial, error=str(error))
            return False
        await self._ledger.revoked(old)
        return True


@frozen
class CareSettings:
    """How long keys are kept, and old certificates valid beside new ones."""

    keep: KeepKeys
    overlap: timedelta


@frozen
class CertificateCare:
    """The parts that others use; start the upkeep, and stop it before the jobs are closed."""

    ledger: CertificateLedger
    renewal: Renewal
    upkeep: Upkeep


def take_care(
    engine: AsyncEngine,
    sealer: Sealer,
    journal: Journal,
    jobs: Jobs,
    authority: CertificateAuthority,
    own: OwnAuthority,
    observer: Observer,
    settings: CareSettings,
    clock: Clock,
    timing: Timing,
) -> CertificateCare:
    """Put it together: requests are for ``authority``, the upkeep is for ``own``."""
    ledger = CertificateLedger(engine, clock, settings.keep, settings.overlap)
    gateways = GatewayCertificates(engine, sealer, clock, journal, ledger, settings.keep)

    def renewal(asked: CertificateAuthority) -> Renewal:
        return Renewal(Certification(asked, clock, timing), gateways, jobs, clock)

    upkeep = Upkeep(own, renewal(own.authority), ledger, observer, clock, timing.look_after)
    return CertificateCare(ledger, renewal(authority), upkeep)
