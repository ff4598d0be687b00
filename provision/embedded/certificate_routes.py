"""Magistrala's routes for certificates, over the certificate authority.

Whatever a request asks to be in the subject, a certificate names its client: the ID as common
name, and domain and client in the alternative name.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, Protocol

from attrs import evolve, field, frozen
from cryptography import x509
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bootstrap_core.http.openapi import ExactRoute
from bootstrap_core.secrets import Secret
from provision.embedded.access import Membership
from provision.embedded.bodies import OFFSET_MOST, PAGE_DEFAULT, PAGE_MOST, Sent, page_json
from provision.embedded.entity_routes import enter
from provision.embedded.errors import (
    CertificateUnknown,
    DomainMissing,
    Hidden,
    Malformed,
    NoCertificates,
    StrangerToDomain,
    Unprocessable,
)
from provision.embedded.issuer_store import as_pem
from provision.embedded.platform import EmbeddedPlatform
from provision.embedded.records import ListQuery
from provision.embedded.wire import Query, empty, path_text, read, written
from provision.pki.errors import OcspMalformed, PkiError
from provision.pki.issuer import write_serial
from provision.pki.keys import KeyType, make_key
from provision.pki.requests import Holder, make_request
from provision.pki.status import request_of_path
from provision.platform.errors import NotFound, Rejected
from provision.platform.port import CertificateAuthority
from provision.platform.types import Certificate, Page, SigningRequest

REVOCATION_LIST = "/certs/crl.der"
REVOCATION_LISTS = "/certs/crl.pem"
OCSP = "/certs/ocsp"
OCSP_ANSWER = "application/ocsp-response"
JSON = "application/json"


class PublicAuthority(Protocol):
    """What is asked without credentials."""

    async def chain(self) -> str:
        """Return the chain that verifies issued certificates, as PEM, issuer first."""
        ...

    async def revocation_list(self) -> bytes:
        """Return the current CRL, DER encoded."""
        ...

    async def revocation_lists(self) -> Sequence[bytes]:
        """Return the current CRLs of the issuer and of the authorities above it, DER encoded."""
        ...

    async def answer_ocsp(self, request: bytes) -> bytes:
        """Answer an OCSP request (RFC 6960), DER to DER."""
        ...

    async def answer_about(self, serial: str) -> bytes:
        """Return the OCSP answer about a serial number, DER encoded. Raises ``Rejected``."""
        ...


class AuthorityRoutes:
    """Routes that relying parties use."""

    def __init__(self, authority: PublicAuthority) -> None:
        """Serve ``authority``."""
        self._authority = authority

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            ExactRoute("/certs/view-ca", self.chain, methods=["GET"]),
            ExactRoute("/certs/download-ca", self.chain_file, methods=["GET"]),
            ExactRoute("/certs/crl", self.revocation_list, methods=["GET"]),
            ExactRoute(REVOCATION_LIST, self.revocation_list_file, methods=["GET"]),
            ExactRoute(REVOCATION_LISTS, self.revocation_list_files, methods=["GET"]),
            ExactRoute(OCSP, self.ocsp, methods=["POST"]),
            ExactRoute(f"{OCSP}/{{request:path}}", self.ocsp_by_path, methods=["GET"]),
        ]

    async def chain(self, request: Request) -> Response:
        """Return the authority's chain, to anybody."""
        return JSONResponse({"certificate": await self._authority.chain(), "revoked": False})

    async def chain_file(self, request: Request) -> Response:
        """Return the authority's chain as Magistrala does: ca.crt in an archive, to anybody."""
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr("ca.crt", await self._authority.chain())
        named = {"Content-Disposition": "attachment; filename=ca.zip"}
        return Response(archive.getvalue(), media_type="application/zip", headers=named)

    async def revocation_list(self, request: Request) -> Response:
        """Return the CRL, to anybody: DER in base64."""
        der = await self._authority.revocation_list()
        return JSONResponse({"crl": base64.b64encode(der).decode()})

    async def revocation_list_file(self, request: Request) -> Response:
        """Return the CRL itself, as a distribution point gives it (RFC 5280, section 4.2.1.13)."""
        der = await self._authority.revocation_list()
        return Response(der, media_type="application/pkix-crl")

    async def revocation_list_files(self, request: Request) -> Response:
        """Return the CRLs of all authorities of the chain, issuer first, as PEM."""
        lists = await self._authority.revocation_lists()
        return Response(as_pem(lists), media_type="application/x-pem-file")

    async def ocsp(self, request: Request) -> Response:
        """Answer an OCSP request, of anybody; Magistrala's SDK asks in JSON."""
        if request.headers.get("content-type", "").startswith(JSON):
            serial = _serial_asked_about(await read(request, OcspBody, announced=False))
            try:
                answer = await self._authority.answer_about(serial)
            except Rejected as error:
                raise Malformed(error.message) from error
            return Response(answer, media_type=OCSP_ANSWER)
        return await self._answer_ocsp(await request.body())

    async def ocsp_by_path(self, request: Request) -> Response:
        """Answer an OCSP request that is in the path, as caches like it (RFC 6960, appendix A)."""
        try:
            question = request_of_path(path_text(request, "request"))
        except OcspMalformed:
            question = b""
        return await self._answer_ocsp(question)

    async def _answer_ocsp(self, question: bytes) -> Response:
        answer = await self._authority.answer_ocsp(question)
        return Response(answer, media_type=OCSP_ANSWER)


@frozen
class OcspBody(Sent):
    """Which certificate is asked about, as Magistrala's SDK asks."""

    serial_number: str = ""
    certificate: str = ""


def _serial_asked_about(sent: OcspBody) -> str:
    if sent.serial_number:
        return sent.serial_number
    if not sent.certificate:
        raise Malformed("serial_number or certificate (PEM) is needed")
    try:
        certificate = x509.load_pem_x509_certificate(sent.certificate.encode())
        return write_serial(certificate.serial_number)
    except ValueError as error:
        raise Malformed("certificate must be one in PEM form") from error


OTHER_NAMES: Final = ("dns_names", "ip_addresses")


@frozen
class Names(Sent):
    """What else a certificate could name; none of it is issued."""

    dns_names: Sequence[str] = ()
    ip_addresses: Sequence[str] = ()


@frozen
class Options(Names):
    """What is to stand in a certificate's subject."""

    common_name: str = ""


@frozen
class IssueBody(Names):
    """A certificate to be made with its key."""

    options: Options = field(factory=Options)
    ttl: str = ""


@frozen
class SigningBody(Sent):
    """A certificate request: its PEM, in base64."""

    csr: str = ""


TTL_DEFAULT: Final = timedelta(hours=720)
TTL_MOST: Final = timedelta(days=36_500)
TTL_FORM: Final = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?[dhms])+")
TTL_PART: Final = re.compile(r"([\d.]+)([dhms])")
TTL_UNITS: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}


class ListingAuthority(PublicAuthority, CertificateAuthority, Protocol):
    """A certificate authority that can also list a whole domain."""

    async def list_all_certificates(
        self, token: Secret, domain_id: str, offset: int, limit: int
    ) -> Page[Certificate]:
        """List the certificates of all clients of a domain, newest first."""
        ...


class CertificateRoutes:
    """Decodes requests about certificates, calls the authority, encodes what it answers."""

    def __init__(self, platform: EmbeddedPlatform, authority: ListingAuthority) -> None:
        """Serve ``authority`` to the members of ``platform``'s domains."""
        self._access = platform.access
        self._authority = authority

    def routes(self) -> list[Route]:
        """Return the routes."""
        every = "/{domain_id}/certs"
        return [
            *AuthorityRoutes(self._authority).routes(),
            ExactRoute(f"{every}/issue/{{client_id}}", self.issue, methods=["POST"]),
            ExactRoute(f"{every}/csrs/{{client_id}}", self.sign, methods=["POST"]),
            ExactRoute(every, self.page, methods=["GET"]),
            ExactRoute(f"{every}/{{serial}}", self.view, methods=["GET"]),
            ExactRoute(f"{every}/{{serial}}/revoke", self.revoke, methods=["PATCH"]),
            ExactRoute(f"{every}/{{serial}}/renew", self.renew, methods=["PATCH"]),
            ExactRoute(f"{every}/{{client_id}}/delete", self.delete, methods=["DELETE"]),
        ]

    async def issue(self, request: Request) -> Response:
        """Make a key and a certificate for a client; the key is only in this answer."""
        token, domain_id = await enter(self._access, request)
        sent = await read(request, IssueBody, announced=False)
        (await self._require(token, domain_id, "client_update")).require_enabled()
        if not sent.options.common_name:
            raise Malformed("options.common_name is needed")
        _refuse_names(sent)
        holder = Holder(domain_id, path_text(request, "client_id"))
        return JSONResponse(await self._make(token, holder, _lifetime(sent.ttl)), 201)

    async def sign(self, request: Request) -> Response:
        """Issue a certificate for a request that the caller made; its PEM comes in base64."""
        token, domain_id = await enter(self._access, request)
        sent = await read(request, SigningBody, announced=False)
        (await self._require(token, domain_id, "client_update")).require_enabled()
        ttl = _lifetime(Query(request).text("ttl"))
        try:
            csr = base64.b64decode(sent.csr, validate=True).decode("ascii")
        except (binascii.Error, ValueError) as error:
            raise Malformed("csr must be a certificate request: its PEM, in base64") from error
        if not csr:
            raise Malformed("csr is needed: a certificate request, its PEM in base64")
        wanted = SigningRequest(path_text(request, "client_id"), csr, ttl)
        with _on_issue():
            signed = await self._authority.sign(token, domain_id, wanted)
        return JSONResponse(_certificate_json(signed))

    async def page(self, request: Request) -> Response:
        """List the certificates of a client, or of all."""
        token, domain_id = await enter(self._access, request)
        parameters = Query(request)
        query = ListQuery(
            offset=parameters.number("offset", 0, 0, OFFSET_MOST),
            limit=parameters.number("limit", PAGE_DEFAULT, 1, PAGE_MOST),
        )
        await self._require(token, domain_id, "client_read")
        client_id = parameters.text("entity_id")
        if client_id:
            found = await self._authority.list_certificates(token, domain_id, client_id)
            shown = found[query.offset : query.offset + query.limit]
            page = Page(shown, len(found), query.offset, query.limit)
        else:
            page = await self._authority.list_all_certificates(
                token, domain_id, query.offset, query.limit
            )
        if not page.items:
            # Magistrala counts along the page: behind the end there is nothing to count.
            page = evolve(page, total=0)
        return JSONResponse(page_json("certificates", page, query, _listed_json))

    async def view(self, request: Request) -> Response:
        """Return a certificate."""
        token, domain_id = await enter(self._access, request)
        await self._require(token, domain_id, "client_read")
        return JSONResponse(_certificate_json(await self._find(request, token, domain_id)))

    async def revoke(self, request: Request) -> Response:
        """Revoke a certificate."""
        token, domain_id = await enter(self._access, request)
        await self._require(token, domain_id, "client_update")
        with _on_serial():
            serial = path_text(request, "serial")
            await self._authority.revoke_certificate(token, domain_id, serial)
        return empty(204)

    async def renew(self, request: Request) -> Response:
        """Make another key and certificate for the client of one; that one stays as it is."""
        token, domain_id = await enter(self._access, request)
        (await self._require(token, domain_id, "client_update")).require_enabled()
        current = await self._find(request, token, domain_id)
        if current.revoked:
            raise Malformed("a revoked certificate is not renewed: issue another one")
        made = await self._make(token, Holder(domain_id, current.client_id), TTL_DEFAULT)
        return JSONResponse({"certificate": made})

    async def delete(self, request: Request) -> Response:
        """Revoke all certificates of a client."""
        token, domain_id = await enter(self._access, request)
        await self._require(token, domain_id, "client_update")
        client_id = path_text(request, "client_id")
        found = await self._authority.list_certificates(token, domain_id, client_id)
        if all(certificate.revoked for certificate in found):
            raise NoCertificates
        await self._authority.revoke_client_certificates(token, domain_id, client_id)
        return empty(204)

    async def _require(self, token: Secret, domain_id: str, action: str) -> Membership:
        try:
            membership = await self._access.membership(token, domain_id)
        except DomainMissing as error:
            raise StrangerToDomain from error
        if not membership.allows(action):
            raise StrangerToDomain
        return membership

    async def _find(self, request: Request, token: Secret, domain_id: str) -> Certificate:
        with _on_serial():
            serial = path_text(request, "serial")
            return await self._authority.view_certificate(token, domain_id, serial)

    async def _make(self, token: Secret, holder: Holder, ttl: timedelta) -> dict[str, Any]:
        key = await asyncio.to_thread(make_key, KeyType.RSA_2048)
        with _on_issue():
            wanted = SigningRequest(holder.client_id, make_request(key, holder), ttl)
            signed = await self._authority.sign(token, holder.domain_id, wanted)
        return {**_certificate_json(signed), "key": key.pem()}


def _refuse_names(sent: IssueBody) -> None:
    """Refuse further names.

    With a host's name in it a client's certificate passes for that host with devices that do not
    look at a certificate's purpose, and those of all domains trust the same authority.
    """
    for place, names in (("", sent), ("options.", sent.options)):
        for name in OTHER_NAMES:
            if getattr(names, name):
                raise Malformed(
                    f"{place}{name}: a client's certificate names its client alone; leave it out. "
                    "For a server, such as the broker: provision cert server NAME, on the "
                    "service's host"
                )


@contextmanager
def _on_issue() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise Hidden from error
    except (Rejected, PkiError) as error:
        raise Malformed(error.message) from error


@contextmanager
def _on_serial() -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        raise CertificateUnknown from error


def _certificate_json(certificate: Certificate) -> dict[str, Any]:
    return {**_listed_json(certificate), "certificate": certificate.certificate}


def _listed_json(certificate: Certificate) -> dict[str, Any]:
    return {
        "serial_number": certificate.serial,
        "revoked": certificate.revoked,
        "expiry_time": written(certificate.expires_at),
        "entity_id": certificate.client_id,
    }


def _lifetime(text: str) -> timedelta:
    if not text:
        return TTL_DEFAULT
    if not TTL_FORM.fullmatch(text):
        raise Unprocessable("ttl must be a duration such as 24h, 30d or 1h30m")
    seconds = sum(float(number) * TTL_UNITS[unit] for number, unit in TTL_PART.findall(text))
    return timedelta(seconds=min(seconds, TTL_MOST.total_seconds()))
