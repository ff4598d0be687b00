"""Certificates for a plan's clients: keys made here, signed by the authority.

The keys are made before the first remote call and journalled with the plan, so that a signing
request that has to be repeated is for the same key, and a lost answer loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from cryptography import x509

from bootstrap_core.secret import Secret
from provision.layout.plan import Plan, PlannedCertificate
from provision.onboarding.clock import Clock
from provision.onboarding.creation import TRIES, all_of
from provision.onboarding.model import Intent, IssuedCertificate
from provision.onboarding.retry import Patience, Timing
from provision.pki.keys import KeyType, PrivateKey, check_strength, fingerprint, make_key, read_key
from provision.pki.requests import Holder, make_request
from provision.platform.errors import NotFound, PlatformError
from provision.platform.port import CertificateAuthority
from provision.platform.types import Certificate, SigningRequest


async def make_private_keys(plan: Plan) -> Mapping[str, Secret]:
    """Return a new private key (PEM) for each planned certificate, by client ID."""

    def make(key_type: str) -> Secret:
        return Secret(make_key(KeyType(key_type)).pem())

    keys = await all_of(asyncio.to_thread(make, each.key_type) for each in plan.certificates)
    return {each.client_id: key for each, key in zip(plan.certificates, keys, strict=True)}


class Certification:
    """Has certificates signed, for one authority."""

    def __init__(self, authority: CertificateAuthority, clock: Clock, timing: Timing) -> None:
        """Take the authority and the time."""
        self._authority = authority
        self._timing = timing
        self._clock = clock

    async def certify(
        self, token: Secret, intent: Intent
    ) -> tuple[tuple[IssuedCertificate, ...], str]:
        """Have the plan's certificates signed; return them and the chain (PEM, issuer first)."""
        if not intent.plan.certificates:
            return (), ""
        planned = intent.plan.certificates
        chain = asyncio.ensure_future(self._authority.chain())
        issued = [asyncio.ensure_future(self._one(token, intent, each)) for each in planned]
        await all_of([chain, *issued])
        return tuple(each.result() for each in issued), chain.result()

    async def _one(
        self, token: Secret, intent: Intent, planned: PlannedCertificate
    ) -> IssuedCertificate:
        pem = intent.private_keys[planned.client_id]
        key = read_key(pem.encode())
        holder = Holder(intent.plan.domain_id, planned.client_id)
        request = SigningRequest(
            client_id=planned.client_id,
            csr=make_request(key, holder),
            ttl=timedelta(seconds=planned.ttl_seconds),
        )
        signed = await self._sign(token, holder, request, key)
        return IssuedCertificate(
            client_id=planned.client_id,
            serial=signed.serial,
            certificate=signed.certificate,
            expires_at=signed.expires_at,
            private_key=pem,
        )

    async def _sign(
        self, token: Secret, holder: Holder, request: SigningRequest, key: PrivateKey
    ) -> Certificate:
        patience = Patience(self._clock, self._timing.visible_after)
        tries = 0
        while True:
            tries += 1
            try:
                return await self._authority.sign(token, holder.domain_id, request)
            except NotFound:
                # The client was created a moment ago and may not be visible yet.
                if not await patience.pause():
                    raise
            except PlatformError as error:
                if not error.outcome_unknown:
                    raise
                if found := await self._signed_before(token, holder, key):
                    return found
                if tries >= TRIES:
                    raise

    async def _signed_before(
        self, token: Secret, holder: Holder, key: PrivateKey
    ) -> Certificate | None:
        """Return the certificate that a lost answer was about, found by its public key."""
        wanted = fingerprint(key.public_key)
        for listed in await self._authority.list_certificates(
            token, holder.domain_id, holder.client_id
        ):
            if listed.revoked:
                continue
            whole = await self._authority.view_certificate(token, holder.domain_id, listed.serial)
            certified = x509.load_pem_x509_certificate(whole.certificate.encode()).public_key()
            if fingerprint(check_strength(certified)) == wanted:
                return whole
        return None
