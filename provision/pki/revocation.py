"""The signed list of revoked certificates (CRL, RFC 5280, section 5)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from provision.pki.issuer import Issuer

CRL_LIFETIME: Final = timedelta(days=7)


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


def _issuer_key(issuer: Issuer) -> x509.AuthorityKeyIdentifier:
    own = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own.value)
