"""What a certificate authority tells anybody: its chain, its CRL, and OCSP answers."""

from __future__ import annotations

import base64
from typing import Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from provision.embedded.wire import path_text
from provision.pki.errors import OcspMalformed
from provision.pki.ocsp import request_of_path

REVOCATION_LIST = "/certs/crl.der"
OCSP = "/certs/ocsp"


class PublicAuthority(Protocol):
    """What is asked without credentials."""

    async def chain(self) -> str:
        """Return the chain that verifies issued certificates, as PEM, issuer first."""
        ...

    async def revocation_list(self) -> bytes:
        """Return the current CRL, DER encoded."""
        ...

    async def answer_ocsp(self, request: bytes) -> bytes:
        """Answer an OCSP request (RFC 6960), DER to DER."""
        ...


class AuthorityRoutes:
    """Routes that relying parties use."""

    def __init__(self, authority: PublicAuthority) -> None:
        """Serve ``authority``."""
        self._authority = authority

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/certs/view-ca", self.chain, methods=["GET"]),
            Route("/certs/crl", self.revocation_list, methods=["GET"]),
            Route(REVOCATION_LIST, self.revocation_list_file, methods=["GET"]),
            Route(OCSP, self.ocsp, methods=["POST"]),
            Route(f"{OCSP}/{{request:path}}", self.ocsp_by_path, methods=["GET"]),
        ]

    async def chain(self, request: Request) -> Response:
        """Return the authority's chain, to anybody."""
        return JSONResponse({"certificate": await self._authority.chain(), "revoked": False})

    async def revocation_list(self, request: Request) -> Response:
        """Return the CRL, to anybody: DER in base64."""
        der = await self._authority.revocation_list()
        return JSONResponse({"crl": base64.b64encode(der).decode()})

    async def revocation_list_file(self, request: Request) -> Response:
        """Return the CRL itself, as a distribution point gives it (RFC 5280, section 4.2.1.13)."""
        der = await self._authority.revocation_list()
        return Response(der, media_type="application/pkix-crl")

    async def ocsp(self, request: Request) -> Response:
        """Answer an OCSP request, of anybody."""
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
        return Response(answer, media_type="application/ocsp-response")
