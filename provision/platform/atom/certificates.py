"""Atom's certificates: signed from requests that were made here.

Atom takes subject and names of a request over as they are, so only requests that this service made,
or checked, may come here. A renewal is a new request: Atom's own makes a key that only its answer
has. A lifetime over Atom's maximum is refused, not cut.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from bootstrap_core.model import is_uuid
from bootstrap_core.secrets import Secret
from provision.platform.atom.calls import MAX_PAGE, SERVICE, Graph, RestCall
from provision.platform.atom.decoding import to_certificate
from provision.platform.atom.entities import CLIENT, AtomEntities
from provision.platform.atom.operations import (
    CERTIFICATE,
    CERTIFICATES,
    ISSUE,
    REVOKE,
    REVOKE_ALL,
    TENANT,
    ask,
)
from provision.platform.errors import BadAnswer, NotFound, NotPermitted, Rejected
from provision.platform.types import Certificate, SigningRequest

CHAIN_KEPT: Final = timedelta(minutes=5)
SECOND: Final = timedelta(seconds=1)


class AtomCertificates:
    """The port ``CertificateAuthority``."""

    def __init__(self, graph: Graph, maximum: timedelta) -> None:
        """Sign through ``graph``; no certificate may live longer than ``maximum``."""
        self._graph = graph
        self._maximum = maximum
        self._chain: tuple[str, float] = ("", 0.0)

    async def sign(self, token: Secret, domain_id: str, request: SigningRequest) -> Certificate:
        """Issue a certificate; raises ``Rejected`` for a lifetime that Atom does not allow."""
        operation = "sign a certificate request"
        self._check(request.ttl)
        await AtomEntities(self._graph, CLIENT).view(
            token, domain_id, request.client_id, "issue a certificate for"
        )
        wanted = {
            "entityId": request.client_id,
            "ttlSecs": int(request.ttl.total_seconds()),
            "csrPem": request.csr,
        }
        reply = await self._graph.ask(token, operation, [ask("issued", ISSUE, input=wanted)])
        issued = reply["issued"].inner("certificate")
        issued.text("certificatePem")
        return to_certificate(issued)

    def _check(self, ttl: timedelta) -> None:
        if ttl < SECOND:
            raise Rejected(
                "the lifetime of a certificate must be longer than 0",
                service=SERVICE,
                operation="sign a certificate request",
                answered=400,
            )
        if ttl > self._maximum:
            raise Rejected(
                too_long(ttl, self._maximum),
                service=SERVICE,
                operation="sign a certificate request",
                answered=422,
            )

    async def view_certificate(self, token: Secret, domain_id: str, serial: str) -> Certificate:
        operation = "view a certificate"
        parts = [ask("found", CERTIFICATE, serialNumber=serial)]
        try:
            shape = (await self._graph.ask(token, operation, parts))["found"]
        except NotPermitted as error:
            raise NotFound(str(error), service=SERVICE, operation=operation) from error
        if shape.optional_text("tenantId") != domain_id.lower():
            raise NotFound(
                f"there is no certificate with the serial number {serial!r} in this domain",
                service=SERVICE,
                operation=operation,
            )
        return to_certificate(shape)

    async def list_certificates(
        self, token: Secret, domain_id: str, client_id: str
    ) -> Sequence[Certificate]:
        """List a client's certificates, without their PEM; a page's total is its own size."""
        found: list[Certificate] = []
        offset = 0
        while is_uuid(client_id.lower()):
            parts = [ask("page", CERTIFICATES, entityId=client_id, limit=MAX_PAGE, offset=offset)]
            reply = await self._graph.ask(token, "list certificates", parts)
            try:
                items = reply["page"].items("items")
            except NotFound:
                break
            except NotPermitted:
                # To a member, the client is in another domain.
                member = await self._graph.ask(
                    token, "view the domain", [ask("tenant", TENANT, id=domain_id)]
                )
                member.raise_first()
                break
            found += [
                to_certificate(item)
                for item in items
                if item.optional_text("tenantId") == domain_id.lower()
            ]
            offset += MAX_PAGE
            if len(items) < MAX_PAGE:
                break
        return found

    async def revoke_certificate(self, token: Secret, domain_id: str, serial: str) -> None:
        await self.view_certificate(token, domain_id, serial)
        parts = [ask("revoked", REVOKE, input={"serialNumber": serial})]
        reply = await self._graph.ask(token, "revoke a certificate", parts, repeatable=True)
        reply.raise_first()

    async def revoke_client_certificates(
        self, token: Secret, domain_id: str, client_id: str
    ) -> None:
        """Revoke all of a client's; those of a deleted one are revoked already."""
        clients = AtomEntities(self._graph, CLIENT)
        try:
            await clients.view(token, domain_id, client_id, "revoke the certificates of")
        except NotFound:
            # Whoever may not ask is told so: nothing would be revoked.
            await clients.found(token, domain_id, "revoke a client's certificates", [client_id])
            return
        parts = [ask("revoked", REVOKE_ALL, entityId=client_id)]
        reply = await self._graph.ask(
            token, "revoke a client's certificates", parts, repeatable=True
        )
        try:
            reply.raise_first()
        except NotFound:
            return

    async def chain(self) -> str:
        """Return the chain of Atom's issuer, kept for a few minutes."""
        chain, asked_at = self._chain
        if chain and time.monotonic() - asked_at < CHAIN_KEPT.total_seconds():
            return chain
        call = RestCall(SERVICE, "view the CA", "GET", "/certs/ca-chain", repeatable=True)
        body = (await self._graph.transport.send(call)).body
        try:
            x509.load_pem_x509_certificates(body)
        except ValueError as error:
            raise BadAnswer(
                "Atom's answer to view the CA can't be used: it is no chain of certificates",
                service=SERVICE,
                operation=call.operation,
            ) from error
        self._chain = (body.decode(), time.monotonic())
        return self._chain[0]

    async def revocation_list(self) -> bytes:
        call = RestCall(SERVICE, "get the CRL", "GET", "/certs/crl", repeatable=True)
        body = (await self._graph.transport.send(call)).body
        try:
            return x509.load_der_x509_crl(body).public_bytes(Encoding.DER)
        except ValueError as error:
            raise BadAnswer(
                "Atom's answer to get the CRL can't be used: it is no CRL",
                service=SERVICE,
                operation=call.operation,
            ) from error


def too_long(ttl: timedelta, maximum: timedelta) -> str:
    """Return what whoever asks for too long a lifetime is told."""

    def hours(span: timedelta) -> str:
        return f"{span.total_seconds() / 3600:g}h"

    return (
        f"a certificate's lifetime of {hours(ttl)} is longer than Atom signs: at most "
        f"{hours(maximum)}; set certificates.ttl in the layout, or MG_PROVISION_CERTS_HOURS_VALID "
        "for all layouts"
    )
