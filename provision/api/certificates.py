"""``/cert``: a certificate for a client, as both documents have it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from attrs import frozen
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.model import rfc3339
from bootstrap_core.openapi import JSON, Operation, Reply
from provision.api.answers import JsonAnswer
from provision.api.decoding import Fields, read_object
from provision.authentication import Authentication, token_of
from provision.certificates import Certificates, CertificateWish
from provision.errors import InvalidFields
from provision.layout.durations import parse_lifetime

FIELDS = ("client_id", "thing_id", "ttl", "key_bits", "key_type", "csr")
CREATED = 201
CSR_MOST = 16_384


@frozen
class CertificateRoutes:
    """Handlers that decode, call and encode."""

    certificates: Certificates
    authentication: Authentication

    def operations(self) -> list[Operation]:
        """Return what is served."""
        return [
            Operation(
                method="POST",
                path=f"{prefix}/cert",
                handler=self.create,
                id=f"issueCertificate{name}",
                summary="Issue a certificate for a client",
                tag="certificates",
                replies={CREATED: Reply("Issued; the key is shown once", "IssuedCertificate")},
                errors=(400, 401, 403, 404, 413, 415, 422, 502, 503, 504),
                body={JSON: "CertificateRequest"},
            )
            for prefix, name in (("", ""), ("/{domain_id}", "InDomain"))
        ]

    async def create(self, request: Request) -> Response:
        """Issue a certificate."""
        token = token_of(request.headers.get("authorization"))
        caller = await self.authentication.identify(token, request.path_params.get("domain_id"))
        wish = _decode(await read_object(request))
        made = await self.certificates.issue(caller, wish)
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


def _decode(document: Mapping[str, Any]) -> CertificateWish:
    fields = Fields(document, FIELDS)
    client_id = fields.text("client_id", most_bytes=255, required=False)
    client_id = client_id or fields.text("thing_id", most_bytes=255, required=False)
    if not client_id:
        fields.refuse("client_id", "is missing: the ID of the client (or thing_id)")
    key_type = fields.text("key_type", most_bytes=32, required=False)
    csr = fields.text("csr", most_bytes=CSR_MOST, required=False)
    ttl = fields.text("ttl", most_bytes=64, required=False)
    bits = document.get("key_bits", 0)
    if isinstance(bits, bool) or not isinstance(bits, int):
        fields.refuse("key_bits", "must be a whole number")
    if csr and (key_type or bits):
        fields.refuse("csr", "brings its own key: leave key_type and key_bits out")
    fields.finish()
    return CertificateWish(
        client_id=client_id or "",
        ttl=_duration(ttl) if ttl else None,
        key_type=key_type or "",
        key_bits=bits,
        csr=csr or "",
    )


def _duration(text: str) -> timedelta:
    try:
        return timedelta(seconds=parse_lifetime(text))
    except (ValueError, OverflowError) as error:
        raise InvalidFields(f"ttl: {error}") from error
