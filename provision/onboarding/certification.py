"""Certificates for a plan's clients: keys made here, signed by the authority.

The keys are made before the first remote call and journalled with the plan, so that a signing
request that has to be repeated is for the same key, and a lost answer loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import timedelta
from typing import Final

from attrs import frozen
from cryptography import x509

from bootstrap_core.secret import Secret
from provision.layout.plan import Plan, PlannedCertificate
from provision.onboarding.clock import Clock
from provision.onboarding.creation import TRIES, all_of
from provision.onboarding.model import Intent, IssuedCertificate
from provision.onboarding.retry import Patience, Timing
from provision.onboarding.trace import Trace
from provision.pki.keys import KeyType, check_strength, fingerprint, make_key, read_key
from provision.pki.requests import Holder, check_request, make_request
from provision.platform.errors import NotFound, PlatformError
from provision.platform.port import CertificateAuthority
from provision.platform.types import Certificate, SigningRequest

NO_KEY = Secret("")
RSA: Final = frozenset({KeyType.RSA_2048, KeyType.RSA_4096})
DUE_AFTER: Final = 2 / 3
"""The part of its life after which a certificate is due to be renewed."""


@frozen
class Wanted:
    """A certificate that is to be signed; ``private_key`` is empty where the device holds it."""

    holder: Holder
    request: SigningRequest
    private_key: Secret
    fingerprint: str


async def make_private_keys(plan: Plan, but: Collection[str] = ()) -> Mapping[str, Secret]:
    """Return a new private key (PEM) for each planned certificate, by client ID.

    Clients in ``but`` get none: their devices hold the key.
    """
    wanted = [each for each in plan.certificates if each.client_id not in but]
    keys = await all_of(make_private_key(KeyType(each.key_type)) for each in wanted)
    return {each.client_id: key for each, key in zip(wanted, keys, strict=True)}


async def make_private_key(key_type: KeyType) -> Secret:
    """Return a new private key (PEM)."""

    def make() -> Secret:
        return Secret(make_key(key_type).pem())

    # An RSA key takes a second; handing any other to a thread takes longer than making it.
    return await asyncio.to_thread(make) if key_type in RSA else make()


class Certification:
    """Has certificates signed, for one authority."""

    def __init__(self, authority: CertificateAuthority, clock: Clock, timing: Timing) -> None:
        """Take the authority and the time."""
        self._authority = authority
        self._timing = timing
        self._clock = clock

    async def certify(
        self, token: Secret, intent: Intent, trace: Trace
    ) -> tuple[tuple[IssuedCertificate, ...], str]:
        """Have the plan's certificates signed; return them and the chain (PEM, issuer first)."""
        return await self._all(intent, lambda each: self._sign(token, each, trace))

    async def certify_again(
        self, token: Secret, intent: Intent, trace: Trace
    ) -> tuple[tuple[IssuedCertificate, ...], str]:
        """Do the same where it may have been done before: what is signed already is taken."""

        async def sign(wanted: Wanted) -> Certificate:
            found = await self._signed_before(token, wanted)
            return found or await self._sign(token, wanted, trace)

        return await self._all(intent, sign)

    async def _all(
        self, intent: Intent, sign: Callable[[Wanted], Awaitable[Certificate]]
    ) -> tuple[tuple[IssuedCertificate, ...], str]:
        wanted = [_wanted(intent, each) for each in intent.plan.certificates]
        if not wanted:
            return (), ""
        chain = asyncio.ensure_future(self._authority.chain())
        signed = [asyncio.ensure_future(sign(each)) for each in wanted]
        await all_of([chain, *signed])
        issued = [_issued(each, done.result()) for each, done in zip(wanted, signed, strict=True)]
        return tuple(issued), chain.result()

    async def _sign(self, token: Secret, wanted: Wanted, trace: Trace) -> Certificate:
        patience = Patience(self._clock, self._timing.visible_after)
        tries = 0
        while True:
            tries += 1
            try:
                return await self._authority.sign(token, wanted.holder.domain_id, wanted.request)
            except NotFound:
                # The client was created a moment ago and may not be visible yet.
                if not await patience.pause():
                    raise
            except PlatformError as error:
                trace.failed(error)
                if not error.outcome_unknown:
                    raise
                if found := await self._signed_before(token, wanted):
                    return found
                if tries >= TRIES:
                    raise

    async def _signed_before(self, token: Secret, wanted: Wanted) -> Certificate | None:
        """Return the certificate that was signed for the same key, unless its end is near.

        What has used up two thirds of its life is not taken for new.
        """
        domain_id, client_id = wanted.holder.domain_id, wanted.holder.client_id
        now = self._clock.now()
        for listed in await self._authority.list_certificates(token, domain_id, client_id):
            if listed.revoked or listed.expires_at <= now:
                continue
            whole = await self._authority.view_certificate(token, domain_id, listed.serial)
            certificate = x509.load_pem_x509_certificate(whole.certificate.encode())
            starts, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
            if now >= starts + (ends - starts) * DUE_AFTER:
                continue
            if fingerprint(check_strength(certificate.public_key())) == wanted.fingerprint:
                return whole
        return None


def _wanted(intent: Intent, planned: PlannedCertificate) -> Wanted:
    holder = Holder(intent.plan.domain_id, planned.client_id)
    csr = intent.csrs.get(planned.client_id, "")
    pem = NO_KEY if csr else intent.private_keys[planned.client_id]
    csr = csr or make_request(read_key(pem.encode()), holder)
    ttl = timedelta(seconds=planned.ttl_seconds)
    key = check_request(csr, holder)
    return Wanted(holder, SigningRequest(planned.client_id, csr, ttl), pem, fingerprint(key))


def _issued(wanted: Wanted, signed: Certificate) -> IssuedCertificate:
    return IssuedCertificate(
        client_id=wanted.holder.client_id,
        serial=signed.serial,
        certificate=signed.certificate,
        expires_at=signed.expires_at,
        private_key=wanted.private_key,
        csr=wanted.request.csr,
    )
