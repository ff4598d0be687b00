"""The certificates of gateways that are there: changed in journal, ledger and config at once."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import evolve
from sqlalchemy import or_, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core.certificate_change import HeldCertificate, replace_certificate
from bootstrap_core.sealing import Sealer
from bootstrap_core.secret import Secret
from provision.onboarding.audit import AuditTrail
from provision.onboarding.certificate_ledger import CertificateLedger, InUse
from provision.onboarding.certification import NO_KEY
from provision.onboarding.clock import Clock
from provision.onboarding.errors import CertificateChanged, StillRunning
from provision.onboarding.journal import Journal
from provision.onboarding.model import Intent, IssuedCertificate, Onboarding, State
from provision.onboarding.private_keys import KeepKeys, without_keys
from provision.onboarding.rows import RowCodec
from provision.onboarding.tables import onboardings


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

    async def drop_key(self, row: InUse) -> None:
        """Forget a private key that the device has fetched. Raises as ``of`` does."""
        present = await self.of(row)
        old = next(e for e in present.intent.certificates if e.client_id == row.client_id)
        bare = without_keys(present.intent, [row.client_id])
        async with self._engine.begin() as connection:
            await self._amend(connection, present, bare)
            held = _held(evolve(old, private_key=NO_KEY), present.intent.ca_chain)
            await self._exchange(connection, present, old, held)
            await self._ledger.key_dropped(connection, row.client_id)

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
