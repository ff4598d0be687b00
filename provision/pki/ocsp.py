"""Answers to "is this certificate still good?" (OCSP, RFC 6960, nonces RFC 9654).

The issuer signs its answers itself. An answer is good for a day, so a relying party may keep it;
with a nonce it is fresh.
"""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Final

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from provision.pki.errors import OcspMalformed
from provision.pki.issuer import Issuer
from provision.pki.keys import key_bits

OCSP_LIFETIME: Final = timedelta(days=1)
MOST_REQUEST_BYTES: Final = 4_096
MOST_NONCE_BYTES: Final = 128


@frozen
class OcspQuestion:
    """Whether the certificate ``serial`` of the issuer with these hashes is good."""

    serial: int
    algorithm: hashes.HashAlgorithm
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    nonce: bytes | None


@frozen
class CertificateState:
    """What is known of a certificate: issued here or not, revoked since when or not."""

    issued: bool
    revoked_at: datetime | None = None


def read_question(der: bytes) -> OcspQuestion:
    """Read an OCSP request about one certificate, DER encoded; raises ``OcspMalformed``."""
    if len(der) > MOST_REQUEST_BYTES:
        raise OcspMalformed(f"the OCSP request is over {MOST_REQUEST_BYTES} bytes")
    try:
        request = ocsp.load_der_ocsp_request(der)
        if request.serial_number < 0:
            raise OcspMalformed("the OCSP request asks about a negative serial number")
        return OcspQuestion(
            serial=request.serial_number,
            algorithm=request.hash_algorithm,
            issuer_name_hash=request.issuer_name_hash,
            issuer_key_hash=request.issuer_key_hash,
            nonce=_nonce(request.extensions),
        )
    except (ValueError, NotImplementedError, UnsupportedAlgorithm) as error:
        raise OcspMalformed from error


def request_of_path(path: str) -> bytes:
    """Return the request of a GET, DER encoded: base64 in the path (RFC 6960, appendix A.1).

    The path is the decoded one. Raises ``OcspMalformed``.
    """
    try:
        return base64.b64decode(path, validate=True)
    except ValueError as error:
        raise OcspMalformed from error


def is_about(question: OcspQuestion, issuer: Issuer) -> bool:
    """Say whether the question is about a certificate of this issuer."""
    name, key = _issuer_hashes(issuer, question.algorithm)
    return (name, key) == (question.issuer_name_hash, question.issuer_key_hash)


def answer(issuer: Issuer, question: OcspQuestion, state: CertificateState, now: datetime) -> bytes:
    """Return the signed answer, DER encoded; "unauthorized" when the issuer is another one."""
    if not is_about(question, issuer):
        return refusal(ocsp.OCSPResponseStatus.UNAUTHORIZED)
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response_by_hash(
            issuer_name_hash=question.issuer_name_hash,
            issuer_key_hash=question.issuer_key_hash,
            serial_number=question.serial,
            algorithm=question.algorithm,
            cert_status=_status(state),
            this_update=now,
            next_update=now + OCSP_LIFETIME,
            revocation_time=state.revoked_at,
            revocation_reason=None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, issuer.certificate)
    )
    if question.nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(question.nonce), critical=False)
    return builder.sign(issuer.key.signing_key, issuer.key.digest).public_bytes(Encoding.DER)


def refusal(status: ocsp.OCSPResponseStatus) -> bytes:
    """Return the unsigned answer for a request that is not answered, DER encoded."""
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)


def malformed() -> bytes:
    """Return the answer to a request that can't be read."""
    return refusal(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)


def _status(state: CertificateState) -> ocsp.OCSPCertStatus:
    if not state.issued:
        return ocsp.OCSPCertStatus.UNKNOWN
    return ocsp.OCSPCertStatus.REVOKED if state.revoked_at else ocsp.OCSPCertStatus.GOOD


def _nonce(extensions: x509.Extensions) -> bytes | None:
    try:
        nonce = extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
    except x509.ExtensionNotFound:
        return None
    if not 0 < len(nonce) <= MOST_NONCE_BYTES:
        raise ValueError(len(nonce))
    return nonce


def _issuer_hashes(issuer: Issuer, algorithm: hashes.HashAlgorithm) -> tuple[bytes, bytes]:
    # RFC 6960, section 4.1.1: of the encoded name, and of the key's bits without their wrapping.
    parts = issuer.certificate.subject.public_bytes(), key_bits(issuer.key.public_key)
    return _digest(algorithm, parts[0]), _digest(algorithm, parts[1])


def _digest(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()
