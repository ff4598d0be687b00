"""Magistrala's certs service, which signs with OpenBao (absmach/magistrala, ``certs/api/http``).

Keys and requests are made by the caller, so a lost answer loses nothing: the certificate is found
again by listing the client's. Renewal is signing a new request; the service's own renewal makes a
key that only its answer has, and forgets whose the new certificate is.

The service neither checks that an entity is of the domain named nor that a serial number is, and
answers alike when a serial is unknown and when OpenBao can't be asked. Here a certificate is shown
and revoked only where its client is one of the domain, and unknown is only believed while the
authority answers.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bootstrap_core.secrets import Secret
from provision.platform.errors import Failed, NotAMember, NotFound, Rejected
from provision.platform.magistrala.calls import Call, Meaning, domain_path
from provision.platform.magistrala.decoding import to_certificate
from provision.platform.port import Clients, find
from provision.platform.shapes import parse
from provision.platform.transport import Transport
from provision.platform.types import Certificate, SigningRequest

SERVICE: Final = "certs"
PAGE_SIZE: Final = 100
CHAIN_KEPT: Final = timedelta(minutes=5)
MEMBERS_ONLY: Final[Meaning] = {
    403: NotAMember,
    (500, "failed to perform authorization over the entity"): NotAMember,
}
OF_SERIAL: Final[Meaning] = {
    **MEMBERS_ONLY,
    404: NotFound,
    (422, "view entity failed"): NotFound,
    (422, "update entity failed"): NotFound,
}


class MagistralaCertificates:
    """The port ``CertificateAuthority`` over HTTP."""

    def __init__(self, transport: Transport, clients: Clients) -> None:
        """Speak through ``transport``; ``clients`` tells whose a certificate is."""
        self._transport = transport
        self._clients = clients
        self._chain: tuple[str, float] = ("", 0.0)

    async def sign(self, token: Secret, domain_id: str, request: SigningRequest) -> Certificate:
        """Issue a certificate for the request's key; its ``ttl`` is cut to what OpenBao allows.

        Raises ``Rejected`` when OpenBao refuses: its stock role signs RSA keys only, of 2048 bits
        and more.
        """
        if request.ttl < timedelta(seconds=1):
            raise Rejected(
                "the lifetime of a certificate must be longer than 0",
                service=SERVICE,
                operation="sign a certificate request",
                answered=400,
            )
        call = Call(
            SERVICE,
            "sign a certificate request",
            "POST",
            domain_path(domain_id, SERVICE, "csrs", request.client_id),
            token,
            query={"ttl": _go_duration(request.ttl)},
            body={"csr": base64.b64encode(request.csr.encode()).decode()},
            meaning=MEMBERS_ONLY,
        )
        shape = parse(await self._transport.send(call))
        shape.text("certificate")
        return to_certificate(shape, request.client_id)

    async def view_certificate(self, token: Secret, domain_id: str, serial: str) -> Certificate:
        """Return one certificate (``NotFound`` when the serial is unknown in this domain)."""
        call = Call(
            SERVICE,
            "view a certificate",
            "GET",
            domain_path(domain_id, SERVICE, serial),
            token,
            meaning=OF_SERIAL,
            repeatable=True,
        )
        try:
            certificate = to_certificate(parse(await self._transport.send(call)), "")
        except NotFound:
            await self._ask_chain()
            raise
        owner = certificate.client_id
        if not owner or await find(self._clients, token, domain_id, owner) is None:
            raise NotFound(
                f"there is no certificate with the serial number {serial!r} in this domain",
                service=SERVICE,
                operation=call.operation,
            )
        return certificate

    async def list_certificates(
        self, token: Secret, domain_id: str, client_id: str
    ) -> Sequence[Certificate]:
        """List all certificates of a client, revoked ones too; the list leaves their PEM out."""
        found: list[Certificate] = []
        offset, total = 0, 1
        while offset < total:  # a page may lack certificates that the service failed to view
            call = Call(
                SERVICE,
                "list certificates",
                "GET",
                domain_path(domain_id, SERVICE),
                token,
                query={"entity_id": client_id, "offset": str(offset), "limit": str(PAGE_SIZE)},
                meaning=MEMBERS_ONLY,
                repeatable=True,
            )
            shape = parse(await self._transport.send(call))
            page = [to_certificate(item, client_id) for item in shape.items("certificates")]
            found += page
            offset, total = offset + PAGE_SIZE, shape.number("total") if page else 0
        return found

    async def revoke_certificate(self, token: Secret, domain_id: str, serial: str) -> None:
        """Revoke one certificate (``NotFound`` when unknown); revoking twice is no error."""
        await self.view_certificate(token, domain_id, serial)
        call = Call(
            SERVICE,
            "revoke a certificate",
            "PATCH",
            domain_path(domain_id, SERVICE, serial, "revoke"),
            token,
            meaning=MEMBERS_ONLY,
            repeatable=True,
        )
        await self._transport.send(call)

    async def revoke_client_certificates(
        self, token: Secret, domain_id: str, client_id: str
    ) -> None:
        """Revoke every certificate of a client, which also takes them off its list."""
        call = Call(
            SERVICE,
            "revoke a client's certificates",
            "DELETE",
            domain_path(domain_id, SERVICE, client_id, "delete"),
            token,
            meaning=MEMBERS_ONLY,
            already=((404, "entity not found"),),
            repeatable=True,
        )
        await self._transport.send(call)

    async def chain(self) -> str:
        """Return the chain that verifies issued certificates, as PEM, issuer first.

        It is kept for a few minutes.
        """
        chain, asked_at = self._chain
        if chain and time.monotonic() - asked_at < CHAIN_KEPT.total_seconds():
            return chain
        return await self._ask_chain()

    async def revocation_list(self) -> bytes:
        """Return the current CRL, DER encoded."""
        call = Call(SERVICE, "get the CRL", "GET", "/certs/crl", repeatable=True)
        shape = parse(await self._transport.send(call))
        octets = shape.octets("crl")
        try:
            if octets.startswith(b"-----BEGIN"):
                return x509.load_pem_x509_crl(octets).public_bytes(Encoding.DER)
            return x509.load_der_x509_crl(octets).public_bytes(Encoding.DER)
        except ValueError as error:
            raise shape.wrong("a CRL in the field crl") from error

    async def _ask_chain(self) -> str:
        call = Call(
            SERVICE,
            "view the CA",
            "GET",
            "/certs/view-ca",
            meaning={422: Failed},
            repeatable=True,
        )
        shape = parse(await self._transport.send(call))
        chain = shape.text("certificate")
        self._chain = (chain, time.monotonic())
        return chain


def _go_duration(ttl: timedelta) -> str:
    minutes, seconds = divmod(int(ttl.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{seconds}s"
