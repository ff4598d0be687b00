"""Certificates of clients that are there already: issued, shown, revoked and renewed on request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import evolve, frozen
from cryptography import x509

from bootstrap_core.model import Caller
from bootstrap_core.secrets import Secret
from provision.errors import CertificateRevoked, InvalidFields, LifetimeTooLong, UnknownClient
from provision.onboarding.certificates.ledger import REVOKED, CertificateLedger, InUse
from provision.onboarding.certificates.renewal import Renewal, issued_to
from provision.onboarding.certificates.signing import CertificateRequests, KeyOfClient
from provision.onboarding.errors import CertificateChanged
from provision.onboarding.model import Onboarding
from provision.pki.errors import KeyTypeUnknown
from provision.pki.keys import KeyType, check_strength, fingerprint, make_key
from provision.pki.requests import Holder, check_request, make_request
from provision.platform.errors import NotFound
from provision.platform.port import CertificateAuthority, Clients
from provision.platform.types import Certificate, SigningRequest

NO_KEY: Final = Secret("")


@frozen
class CertificateWish:
    """What is asked for: with a ``csr`` (PEM) its key, else a new one of the type named.

    Without ``ttl`` the configured life is meant.
    """

    client_id: str
    ttl: timedelta | None = None
    key_type: str = ""
    key_bits: int = 0
    csr: str = ""


@frozen
class MadeCertificate:
    """A certificate, its chain (PEM, issuer first) and its key, empty where a CSR brought one."""

    certificate: Certificate
    chain: str
    private_key: Secret


@frozen
class KnownCertificate:
    """A certificate, and what is known of its use where a gateway has it."""

    certificate: Certificate
    in_use: InUse | None


class Certificates:
    """Works with certificates for clients of the caller's domain."""

    def __init__(
        self,
        clients: Clients,
        authority: CertificateAuthority,
        ledger: CertificateLedger,
        requests: CertificateRequests,
        renewal: Renewal,
        default_ttl: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        """``default_ttl`` is the life of a certificate for which none is asked."""
        self._clients = clients
        self._authority = authority
        self._ledger = ledger
        self._requests = requests
        self._renewal = renewal
        self._default_ttl = default_ttl
        self._now = now

    async def issue(self, caller: Caller, wish: CertificateWish) -> MadeCertificate:
        """Issue a certificate.

        Raises ``InvalidFields`` (there is no such key type), ``UnknownClient``,
        ``LifetimeTooLong``, the errors of ``check_request``, and ``Rejected`` (the authority does
        not accept the request). Nothing was issued then.
        """
        await self._check_client(caller, wish.client_id)
        private_key, csr = await self._request(caller, wish)
        chain = await self._authority.chain()
        if wish.ttl:
            self._check_lifetime(wish.ttl, chain)
        request = SigningRequest(wish.client_id, csr, wish.ttl or self._default_ttl)
        signed = await self._authority.sign(caller.token, caller.domain_id, request)
        return MadeCertificate(signed, chain, private_key)

    async def of_client(self, caller: Caller, client_id: str) -> Sequence[KnownCertificate]:
        """Return a client's certificates, newest first, revoked ones too.

        Raises the platform's ``NotFound``: there is no such client in the domain.
        """
        # Magistrala's certs service lists whatever it is asked for, of other domains too.
        await self._clients.view(caller.token, caller.domain_id, client_id)
        return await self._of(caller, client_id)

    async def _of(self, caller: Caller, client_id: str) -> Sequence[KnownCertificate]:
        found = await self._authority.list_certificates(caller.token, caller.domain_id, client_id)
        in_use = await self._ledger.find(caller.domain_id, client_id)
        return [_known(each, in_use) for each in found]

    async def of_gateway(self, caller: Caller, gateway: Onboarding) -> Sequence[KnownCertificate]:
        """Return the certificates of all clients of a gateway, of a removed one too."""
        lists = [await self._of(caller, each.id) for each in gateway.plan.clients]
        return [each for found in lists for each in found]

    async def view(self, caller: Caller, serial: str) -> KnownCertificate:
        """Return one certificate (the platform's ``NotFound`` when the serial is unknown)."""
        found = await self._authority.view_certificate(caller.token, caller.domain_id, serial)
        return _known(found, await self._ledger.find(caller.domain_id, found.client_id))

    async def revoke(self, caller: Caller, serial: str) -> None:
        """Revoke one certificate; one that a gateway has in use is not renewed any more.

        Raises ``NotFound`` and ``CertificateRevoked``.
        """
        found = (await self.view(caller, serial)).certificate
        if found.revoked:
            raise CertificateRevoked
        await self._authority.revoke_certificate(caller.token, caller.domain_id, found.serial)
        await self._ledger.stop_renewing(caller.domain_id, found.serial, REVOKED)

    async def renew(self, caller: Caller, serial: str, wish: CertificateWish) -> MadeCertificate:
        """Issue another certificate for the client of one; that one stays as it is.

        It is for the same key where the device holds that, unless a ``csr`` or a type of key is
        asked for.

        A gateway's certificate is renewed as its layout says, but for a ``csr``, and its device
        gets the new one at its next fetch. Raises ``NotFound``, ``CertificateRevoked``,
        ``CertificateChanged`` (the gateway has another one by now), ``InvalidFields`` and what
        ``issue`` raises.
        """
        known = await self.view(caller, serial)
        certificate, row = known.certificate, known.in_use
        if certificate.revoked:
            raise CertificateRevoked("the certificate is revoked: issue another one instead")
        if row is not None:
            return await self._renew_in_use(caller, row, wish)
        if not (wish.csr or wish.key_type or wish.key_bits):
            wish = evolve(wish, csr=await self._requests.find(_key_of(caller, certificate)))
        if await self._ledger.is_superseded(caller.domain_id, certificate.serial):
            raise CertificateChanged
        return await self.issue(caller, evolve(wish, client_id=certificate.client_id))

    async def _renew_in_use(
        self, caller: Caller, row: InUse, wish: CertificateWish
    ) -> MadeCertificate:
        if wish.ttl or wish.key_type or wish.key_bits:
            raise InvalidFields(
                "ttl, key_type, key_bits: this certificate is a gateway's, and its layout says "
                "them; leave them out"
            )
        await self._check_client(caller, row.client_id)
        if wish.csr:
            check_request(wish.csr, Holder(caller.domain_id, row.client_id))
        renewed = await self._renewal.renew(caller.token, row, wish.csr)
        issued = issued_to(renewed, row.client_id)
        certificate = Certificate(
            issued.serial, issued.client_id, issued.certificate, issued.expires_at
        )
        return MadeCertificate(certificate, renewed.intent.ca_chain, issued.private_key)

    async def _check_client(self, caller: Caller, client_id: str) -> None:
        try:
            await self._clients.view(caller.token, caller.domain_id, client_id)
        except NotFound as error:
            raise UnknownClient(
                f"client_id: there is no client {client_id!r} in this domain that you may see"
            ) from error

    async def _request(self, caller: Caller, wish: CertificateWish) -> tuple[Secret, str]:
        holder = Holder(caller.domain_id, wish.client_id)
        if wish.csr:
            key = fingerprint(check_request(wish.csr, holder))
            # Kept before it is signed: a certificate whose answer is lost is renewed alike.
            ends = self._now() + (wish.ttl or self._default_ttl)
            known = KeyOfClient(caller.domain_id, wish.client_id, key)
            await self._requests.keep(known, wish.csr, ends)
            return NO_KEY, wish.csr
        try:
            key_type = KeyType.named(wish.key_type, wish.key_bits)
        except KeyTypeUnknown as error:
            raise InvalidFields(f"key_type: {error}") from error
        made = await asyncio.to_thread(make_key, key_type)
        return Secret(made.pem()), make_request(made, holder)

    def _check_lifetime(self, ttl: timedelta, chain: str) -> None:
        try:
            authorities = x509.load_pem_x509_certificates(chain.encode())
        except ValueError:
            return  # the authority itself has the last word
        ends = min(each.not_valid_after_utc for each in authorities)
        left = ends - self._now()
        if ttl > left:
            hours = max(0, left // timedelta(hours=1))
            raise LifetimeTooLong(
                f"ttl: the authority that signs ends at {ends:%Y-%m-%d %H:%M} UTC; ask for at "
                f'most "{hours}h"'
            )


def _key_of(caller: Caller, certificate: Certificate) -> KeyOfClient:
    public_key = x509.load_pem_x509_certificate(certificate.certificate.encode()).public_key()
    key = fingerprint(check_strength(public_key))
    return KeyOfClient(caller.domain_id, certificate.client_id, key)


def _known(certificate: Certificate, in_use: InUse | None) -> KnownCertificate:
    is_it = in_use is not None and in_use.serial == certificate.serial
    return KnownCertificate(certificate, in_use if is_it else None)
