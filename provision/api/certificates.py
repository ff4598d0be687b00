"""``/cert``: certificates of clients; issuing as both documents have it, and what belongs to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, ClassVar

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.bodies import NOT_NULL, Body, Read, Wrong, described
from bootstrap_core.decoding import structured
from bootstrap_core.http.answers import JsonAnswer
from bootstrap_core.http.openapi import Operation, Parameter, Reply
from bootstrap_core.model import Caller, rfc3339
from provision.api.app import enter, permit
from provision.api.requests import BODIES, filled
from provision.authentication import Authentication
from provision.certificates import (
    Certificates,
    CertificateWish,
    KnownCertificate,
    MadeCertificate,
)
from provision.errors import InvalidFields
from provision.layout.model import parse_lifetime
from provision.onboarding.service import Onboardings

OK, CREATED, NO_CONTENT = 200, 201, 204
CSR_MOST = 16_384
ID_MOST = 255
FOREIGN = (401, 403, 404, 502, 503, 504)
TAG = "certificates"
ONE = "/{domain_id}/cert/{serial}"
ISSUED = {CREATED: Reply("Issued; the key is shown once", "IssuedCertificate")}
CLIENT = Parameter("client_id", {"type": "string"}, "The client whose certificates are meant")
GATEWAY = Parameter("external_id", {"type": "string"}, "Or the gateway, with all of its clients")


def _lifetime(value: object) -> timedelta:
    text: str = structured(Annotated[str, filled(64)], value)
    try:
        return timedelta(seconds=parse_lifetime(text))
    except (ValueError, OverflowError) as error:
        raise Wrong(str(error)) from error


@frozen
class RenewalBody:
    """How a certificate is to be made."""

    body: ClassVar[Body] = Body("CertificateRenewal")

    ttl: Annotated[
        timedelta | None,
        Read(_lifetime),
        described(type="string", description="A duration in Go's syntax, such as 2400h"),
    ] = None
    key_bits: Annotated[int, NOT_NULL] = 0
    key_type: Annotated[str, filled(32)] = ""
    csr: Annotated[
        str, filled(CSR_MOST), described(description="A PKCS #10 request in PEM form")
    ] = ""

    def faults(self) -> Iterator[Wrong]:
        """Yield that a request comes with a key that it does not need."""
        if self.csr and (self.key_type or self.key_bits):
            yield Wrong("brings its own key: leave key_type and key_bits out", at="csr")

    def wish(self, client_id: str) -> CertificateWish:
        """Return what is wanted for a client."""
        return CertificateWish(
            client_id=client_id,
            ttl=self.ttl,
            key_type=self.key_type,
            key_bits=self.key_bits,
            csr=self.csr,
        )


@frozen
class CertificateBody(RenewalBody):
    """What is sent to have a certificate issued; ``thing_id`` is Mainflux's name of the client."""

    body: ClassVar[Body] = Body("CertificateRequest")

    client_id: Annotated[str, filled(ID_MOST)] = ""
    thing_id: Annotated[str, filled(ID_MOST)] = ""

    def faults(self) -> Iterator[Wrong]:
        """Yield that no client is named, and what is wrong with the rest."""
        if not (self.client_id or self.thing_id):
            yield Wrong("is missing: the ID of the client (or thing_id)", at="client_id")
        yield from super().faults()


@frozen
class CertificateRoutes:
    """Handlers that decode, call and encode."""

    certificates: Certificates
    onboardings: Onboardings
    authentication: Authentication

    def operations(self) -> list[Operation]:
        """Return what is served; these paths are none of Magistrala's ``/certs``."""
        return [
            *self._issuing(),
            Operation(
                method="GET",
                path="/{domain_id}/cert",
                handler=self.list,
                id="listClientCertificates",
                summary="List the certificates of a client or of a gateway",
                tag=TAG,
                replies={OK: Reply("All of them, newest first", "CertificateList")},
                errors=(400, *FOREIGN),
                parameters=(CLIENT, GATEWAY),
            ),
            Operation(
                method="GET",
                path=ONE,
                handler=self.view,
                id="viewClientCertificate",
                summary="Show a certificate",
                tag=TAG,
                replies={OK: Reply("The certificate", "Certificate")},
                errors=FOREIGN,
            ),
            Operation(
                method="POST",
                path=f"{ONE}/revoke",
                handler=self.revoke,
                id="revokeClientCertificate",
                summary="Revoke a certificate",
                tag=TAG,
                replies={NO_CONTENT: Reply("It is revoked")},
                errors=(409, *FOREIGN),
            ),
        ]

    def _issuing(self) -> Iterator[Operation]:
        for prefix, name in (("", ""), ("/{domain_id}", "InDomain")):
            yield Operation(
                method="POST",
                path=f"{prefix}/cert",
                handler=self.create,
                id=f"issueCertificate{name}",
                summary="Issue a certificate for a client",
                tag=TAG,
                replies=ISSUED,
                errors=(400, 413, 415, 422, *FOREIGN),
                body=CertificateBody,
            )
        yield Operation(
            method="POST",
            path=f"{ONE}/renew",
            handler=self.renew,
            id="renewClientCertificate",
            summary="Issue another certificate for a certificate's client",
            tag=TAG,
            replies=ISSUED,
            errors=(400, 409, 413, 415, 422, *FOREIGN),
            body=RenewalBody,
        )

    async def create(self, request: Request) -> Response:
        """Issue a certificate."""
        caller = await self._caller(request)
        document = dict(await BODIES.document(request))
        if document.get("client_id"):
            document.pop("thing_id", None)
        sent = BODIES.made(document, CertificateBody)
        wish = sent.wish(sent.client_id or sent.thing_id)
        await permit(self.authentication, caller, request, "client", client_id=wish.client_id)
        return _made(await self.certificates.issue(caller, wish))

    async def list(self, request: Request) -> Response:
        """List the certificates of a client or of a gateway."""
        caller = await self._caller(request)
        client_id = request.query_params.get("client_id", "")
        external_id = request.query_params.get("external_id", "")
        if bool(client_id) == bool(external_id):
            raise InvalidFields("client_id or external_id is needed, as a query parameter")
        if client_id:
            await permit(self.authentication, caller, request, "client", client_id=client_id)
            found = await self.certificates.of_client(caller, client_id)
        else:
            await permit(self.authentication, caller, request, "gateway", external_id=external_id)
            gateway = await self.onboardings.view(caller, external_id)
            found = await self.certificates.of_gateway(caller, gateway)
        return JsonAnswer({"certificates": [_shown(each) for each in found], "total": len(found)})

    async def view(self, request: Request) -> Response:
        """Show a certificate."""
        caller = await self._caller(request)
        found = await self.certificates.view(caller, request.path_params["serial"])
        return JsonAnswer({**_shown(found), "certificate": found.certificate.certificate})

    async def revoke(self, request: Request) -> Response:
        """Revoke a certificate."""
        caller = await self._caller(request)
        await self.certificates.revoke(caller, request.path_params["serial"])
        return Response(status_code=NO_CONTENT)

    async def renew(self, request: Request) -> Response:
        """Issue another certificate for a certificate's client; the body may be ``{}``."""
        caller = await self._caller(request)
        wish = (await BODIES.read(request, RenewalBody)).wish("")
        serial = request.path_params["serial"]
        return _made(await self.certificates.renew(caller, serial, wish))

    async def _caller(self, request: Request) -> Caller:
        return await enter(self.authentication, request)


def _made(made: MadeCertificate) -> Response:
    return JsonAnswer(
        {
            "certificate": made.certificate.certificate,
            "key": made.private_key,
            "ca_cert": made.chain,
            "serial_number": made.certificate.serial,
            "expiry_time": rfc3339(made.certificate.expires_at),
            "client_id": made.certificate.client_id,
        },
        CREATED,
    )


def _shown(known: KnownCertificate) -> dict[str, Any]:
    certificate, row = known.certificate, known.in_use
    answer: dict[str, Any] = {
        "serial_number": certificate.serial,
        "client_id": certificate.client_id,
        "expiry_time": rfc3339(certificate.expires_at),
        "revoked": certificate.revoked,
        "in_use": row is not None,
    }
    if row is not None:
        answer |= {"external_id": row.external_id, "due_time": rfc3339(row.due_at)}
        answer["renewal"] = {"automatic": row.renews, "attempts": row.attempts}
        if row.error:
            answer["renewal"]["error"] = row.error
    return answer
