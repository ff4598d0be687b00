"""Whether a certificate is still good: CRL (RFC 5280) and OCSP (RFC 6960, RFC 9654)."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from provision.pki import der
from provision.pki.errors import IssuerUnusable, OcspMalformed
from provision.pki.issuer import Issuer
from provision.pki.keys import PrivateKey, certifiable_key, key_bits

CRL_LIFETIME: Final = timedelta(days=7)
PEM_BEGINS: Final = b"-----BEGIN X509 CRL-----"


@frozen
class Revocation:
    """A certificate that is no longer good, and since when (UTC)."""

    serial: int
    revoked_at: datetime


def make_revocation_list(issuer: Issuer, revocations: Iterable[Revocation], now: datetime) -> bytes:
    """Return the issuer's CRL as of ``now``, DER encoded, good for ``CRL_LIFETIME``.

    Its number is the time in microseconds, so that later lists have higher numbers whichever
    process makes them.
    """
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(now)
        .next_update(now + CRL_LIFETIME)
        .add_extension(x509.CRLNumber(int(now.timestamp() * 1_000_000)), critical=False)
        .add_extension(_issuer_key(issuer), critical=False)
    )
    for revocation in revocations:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(revocation.serial)
            .revocation_date(revocation.revoked_at)
            .build()
        )
    signed = builder.sign(issuer.key.signing_key, issuer.key.digest)
    return signed.public_bytes(Encoding.DER)


def read_revocation_lists(text: bytes, issuer: Issuer) -> Sequence[x509.CertificateRevocationList]:
    """Read the CRLs of the authorities above ``issuer``: PEM, several in a row, or one as DER.

    Raises ``IssuerUnusable``: it is no CRL, or none that an authority above signed.
    """
    try:
        if PEM_BEGINS in text:
            parts = text.split(PEM_BEGINS)[1:]
            lists = [x509.load_pem_x509_crl(PEM_BEGINS + part) for part in parts]
        else:
            lists = [x509.load_der_x509_crl(text)]
    except ValueError as error:
        raise IssuerUnusable("it is no CRL in PEM or DER form") from error
    for found in lists:
        if not any(_is_of(found, authority) for authority in issuer.chain[1:]):
            name = found.issuer.rfc4514_string()
            raise IssuerUnusable(
                f"the CRL of {name!r} was not signed by an authority above the issuer; the file "
                "must hold the CRLs of those alone"
            )
    return lists


def without_list(authorities: Iterable[x509.Certificate], lists: Iterable[bytes]) -> Sequence[str]:
    """Return the names of the authorities that none of the CRLs (DER) is of."""
    found = [x509.load_der_x509_crl(der) for der in lists]
    return [
        authority.subject.rfc4514_string()
        for authority in authorities
        if not any(_is_of(each, authority) for each in found)
    ]


def _is_of(found: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    return found.issuer == authority.subject and found.is_signature_valid(
        certifiable_key(authority)
    )


def _issuer_key(issuer: Issuer) -> x509.AuthorityKeyIdentifier:
    own = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)


SEQUENCE: Final = 0x30
OCTET_STRING: Final = 0x04
BIT_STRING: Final = 0x03


def one_by_one(request: bytes) -> Iterator[bytes]:
    """Yield a request for each certificate that ``request`` asks about, DER encoded.

    Each has the extensions of the whole, and no signature. Raises ``ValueError``: it is none.
    """
    (whole,) = der.read(request)
    body, *_ = whole.parts()
    parts = body.parts()
    (place,) = (place for place, part in enumerate(parts) if part.tag == SEQUENCE)
    before, after = ([part.whole for part in side] for side in (parts[:place], parts[place + 1 :]))
    for one in parts[place].parts():
        only = der.write(SEQUENCE, [one.whole])
        yield der.write(whole.tag, [der.write(body.tag, [*before, only, *after])])


def together(answers: Sequence[bytes], key: PrivateKey) -> bytes:
    """Return one answer with the states of all ``answers`` of one responder, signed by ``key``.

    All else is as in the first, which ``key`` has signed, too.
    """
    (first,) = der.read(answers[0])
    status, response = first.parts()
    (typed,) = response.parts()
    kind, octets = typed.parts()
    (basic,) = octets.parts()
    body, algorithm, _, *certificates = basic.parts()
    states = der.write(SEQUENCE, [_state(each) for each in answers])
    place = _place_of_states(body)
    parts = [part.whole for part in body.parts()]
    data = der.write(body.tag, [*parts[:place], states, *parts[place + 1 :]])
    signature = der.write(BIT_STRING, [b"\0", key.sign(data)])
    rest = [each.whole for each in certificates]
    signed = der.write(basic.tag, [data, algorithm.whole, signature, *rest])
    wrapped = der.write(typed.tag, [kind.whole, der.write(OCTET_STRING, [signed])])
    return der.write(first.tag, [status.whole, der.write(response.tag, [wrapped])])


def _state(answer: bytes) -> bytes:
    """Return the one state that an answer tells."""
    (whole,) = der.read(answer)
    (typed,) = whole.parts()[1].parts()
    (basic,) = typed.parts()[1].parts()
    body, *_ = basic.parts()
    return body.parts()[_place_of_states(body)].content


def _place_of_states(body: der.Element) -> int:
    return next(place for place, part in enumerate(body.parts()) if part.tag == SEQUENCE)


OCSP_LIFETIME: Final = timedelta(days=1)
MOST_REQUEST_BYTES: Final = 4_096
MOST_QUESTIONS: Final = 16
"""Each costs a signature."""
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


def read_questions(request: bytes) -> Sequence[OcspQuestion]:
    """Read an OCSP request, DER encoded: one question a certificate; raises ``OcspMalformed``."""
    if len(request) > MOST_REQUEST_BYTES:
        raise OcspMalformed(f"the OCSP request is over {MOST_REQUEST_BYTES} bytes")
    singles = one_by_one(request)
    try:
        found = [_question(each) for each in itertools.islice(singles, MOST_QUESTIONS + 1)]
    except (ValueError, NotImplementedError, UnsupportedAlgorithm) as error:
        raise OcspMalformed from error
    if not 0 < len(found) <= MOST_QUESTIONS:
        raise OcspMalformed(f"an OCSP request is about 1 to {MOST_QUESTIONS} certificates")
    return found


def _question(single: bytes) -> OcspQuestion:
    request = ocsp.load_der_ocsp_request(single)
    if request.serial_number < 0:
        raise OcspMalformed("the OCSP request asks about a negative serial number")
    return OcspQuestion(
        serial=request.serial_number,
        algorithm=request.hash_algorithm,
        issuer_name_hash=request.issuer_name_hash,
        issuer_key_hash=request.issuer_key_hash,
        nonce=_nonce(request.extensions),
    )


def question_about(issuer: Issuer, serial: int) -> OcspQuestion:
    """Return the question about a certificate of ``issuer``, as most programs ask it."""
    algorithm = hashes.SHA1()  # noqa: S303 - it names the issuer here, and protects nothing
    return OcspQuestion(serial, algorithm, *_issuer_hashes(issuer, algorithm), nonce=None)


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


def answer(
    issuer: Issuer, answered: Sequence[tuple[OcspQuestion, CertificateState]], now: datetime
) -> bytes:
    """Return the signed answer to all questions of a request, DER encoded.

    It is "unauthorized" when all are about another issuer's certificates; else those are unknown.
    """
    if not any(is_about(question, issuer) for question, _ in answered):
        return refusal(ocsp.OCSPResponseStatus.UNAUTHORIZED)
    singles = [_answer(issuer, question, state, now) for question, state in answered]
    return together(singles, issuer.key) if len(singles) > 1 else singles[0]


def _answer(
    issuer: Issuer, question: OcspQuestion, state: CertificateState, now: datetime
) -> bytes:
    known = is_about(question, issuer)
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response_by_hash(
            issuer_name_hash=question.issuer_name_hash,
            issuer_key_hash=question.issuer_key_hash,
            serial_number=question.serial,
            algorithm=question.algorithm,
            cert_status=_status(state) if known else ocsp.OCSPCertStatus.UNKNOWN,
            this_update=now,
            next_update=now + OCSP_LIFETIME,
            revocation_time=state.revoked_at if known else None,
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
