"""Certificates on request, for a client that is there already."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from attrs import frozen

from bootstrap_core.model import Caller
from bootstrap_core.secret import Secret
from provision.errors import InvalidFields
from provision.pki.errors import KeyTypeUnknown
from provision.pki.keys import KeyType, make_key
from provision.pki.requests import Holder, make_request
from provision.platform.port import CertificateAuthority, Clients
from provision.platform.types import Certificate, SigningRequest


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


class Certificates:
    """Issues certificates for clients of the caller's domain."""

    def __init__(
        self, clients: Clients, authority: CertificateAuthority, default_ttl: timedelta
    ) -> None:
        """``default_ttl`` is the life of a certificate for which none is asked."""
        self._clients = clients
        self._authority = authority
        self._default_ttl = default_ttl

    async def issue(self, caller: Caller, wish: CertificateWish) -> MadeCertificate:
        """Issue a certificate.

        Raises ``InvalidFields`` (there is no such key type), the platform's ``NotFound`` (no such
        client in the domain) and ``Rejected`` (the authority does not accept the request).
        """
        await self._clients.view_client(caller.token, caller.domain_id, wish.client_id)
        private_key, csr = Secret(""), wish.csr
        if not csr:
            private_key, csr = await self._make_request(caller, wish)
        request = SigningRequest(wish.client_id, csr, wish.ttl or self._default_ttl)
        signed, chain = await asyncio.gather(
            self._authority.sign(caller.token, caller.domain_id, request), self._authority.chain()
        )
        return MadeCertificate(signed, chain, private_key)

    async def _make_request(self, caller: Caller, wish: CertificateWish) -> tuple[Secret, str]:
        try:
            key_type = KeyType.named(wish.key_type, wish.key_bits)
        except KeyTypeUnknown as error:
            raise InvalidFields(f"key_type: {error}") from error
        key = await asyncio.to_thread(make_key, key_type)
        return Secret(key.pem()), make_request(key, Holder(caller.domain_id, wish.client_id))
