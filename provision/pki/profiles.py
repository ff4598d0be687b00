"""What a client certificate says (RFC 5280, section 4.2), and how it is signed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from provision.pki.errors import IssuerUnusable, LifetimeInvalid
from provision.pki.issuer import Issuer
from provision.pki.keys import PublicKey
from provision.pki.requests import Holder
from provision.pki.serial import new_serial, write_serial

BACKDATED: Final = timedelta(minutes=5)
"""Validity starts this much before now, so that it holds on a device whose clock is slow."""


@frozen
class ClientProfile:
    """Where relying parties ask whether a certificate is revoked; an empty address is left out."""

    crl_url: str = ""
    ocsp_url: str = ""


@frozen
class IssuedCertificate:
    """A signed certificate (PEM), its serial number as text, and its end (UTC)."""

    serial: str
    pem: str
    starts_at: datetime
    expires_at: datetime


def issue(
    issuer: Issuer,
    profile: ClientProfile,
    holder: Holder,
    key: PublicKey,
    ttl: timedelta,
    now: datetime,
) -> IssuedCertificate:
    """Sign a client certificate that ends ``ttl`` from ``now``, at the latest with its issuer.

    Raises ``LifetimeInvalid`` (a ``ttl`` of a second or more is needed), ``NameNotAllowed`` and
    ``IssuerUnusable`` (the issuer has expired).
    """
    if ttl < timedelta(seconds=1):
        raise LifetimeInvalid
    if issuer.expires_at <= now:
        raise IssuerUnusable(f"the certificate authority expired at {issuer.expires_at}")
    left = issuer.expires_at - now
    certificate = (
        _builder(issuer, holder, key, profile)
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + min(ttl, left))
        .sign(issuer.key.signing_key, issuer.key.digest)
    )
    return IssuedCertificate(
        serial=write_serial(certificate.serial_number),
        pem=certificate.public_bytes(Encoding.PEM).decode(),
        starts_at=certificate.not_valid_before_utc,
        expires_at=certificate.not_valid_after_utc,
    )


def _builder(
    issuer: Issuer, holder: Holder, key: PublicKey, profile: ClientProfile
) -> x509.CertificateBuilder:
    issuer_key = issuer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    builder = (
        x509.CertificateBuilder()
        .serial_number(new_serial())
        .issuer_name(issuer.certificate.subject)
        .subject_name(holder.subject)
        .public_key(key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_SIGNS_ONLY, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key.value),
            critical=False,
        )
        .add_extension(x509.SubjectAlternativeName([_uri(holder.uri)]), critical=False)
    )
    if profile.crl_url:
        point = x509.DistributionPoint([_uri(profile.crl_url)], None, None, None)
        builder = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False)
    if profile.ocsp_url:
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, _uri(profile.ocsp_url))
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    return builder


_SIGNS_ONLY: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def _uri(text: str) -> x509.UniformResourceIdentifier:
    return x509.UniformResourceIdentifier(text)
