"""Another certificate for a gateway's client, before the present one ends."""

from __future__ import annotations

from attrs import evolve

from bootstrap_core.secret import Secret
from provision.layout.plan import PlannedCertificate
from provision.onboarding.certificate_ledger import InUse
from provision.onboarding.certification import Certification, make_private_key
from provision.onboarding.gateway_certificates import GatewayCertificates
from provision.onboarding.model import Intent, IssuedCertificate, Onboarding
from provision.onboarding.private_keys import KeepKeys
from provision.onboarding.tasks import Answer, GatewayTasks
from provision.onboarding.trace import Trace
from provision.pki.keys import KeyType


class Renewal:
    """Renews certificates with one authority.

    It is for a new key, which is journalled before it is signed, so that a renewal that is cut
    short is taken up with the same key and leaves no second certificate. Where the device holds
    the key, or keys are never kept, the request that was signed before is signed again.
    """

    def __init__(
        self, certification: Certification, gateways: GatewayCertificates, tasks: GatewayTasks
    ) -> None:
        """``tasks`` see to it that a gateway is worked on by one task at a time."""
        self._certification = certification
        self._gateways = gateways
        self._tasks = tasks

    async def renew(self, token: Secret, row: InUse, csr: str = "") -> Onboarding:
        """Renew the certificate of ``row``; ``csr`` is a new request of the device, if it has one.

        Returns the gateway with the new certificate and, where one was made, its private key.
        Raises ``StillRunning``, ``CertificateChanged`` and what the authority raises; then nothing
        has changed.
        """

        async def work(answer: Answer) -> None:
            present = await self._gateways.of(row)
            answer.set_result(await self._renew(token, present, row.client_id, csr))

        return await self._tasks.run(await self._gateways.of(row), work)

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
        (issued,), chain = await self._certification.certify_again(token, only, Trace())
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
