"""What the certificates and the key in a form are, and whether they belong together."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

CERTIFICATE: Final = "client_cert"
KEY: Final = "client_key"
AUTHORITY: Final = "ca_cert"
FIELDS: Final = (CERTIFICATE, KEY, AUTHORITY)
PEM: Final = "-----BEGIN"


@frozen
class Finding:
    """One sentence about the field ``field``; ``kind`` is ``good``, ``doubt`` or ``wrong``."""

    field: str
    kind: str
    text: str


class NotReadable(Exception):
    """The text is not what the field wants; the message says why."""


def check(client_cert: str, client_key: str, ca_cert: str, now: datetime) -> Sequence[Finding]:
    """Return what there is to say about the three texts; an empty one says nothing."""
    findings: list[Finding] = []
    certificates = _certificates(CERTIFICATE, client_cert, now, findings)
    authorities = _certificates(AUTHORITY, ca_cert, now, findings)
    key = _key(client_key, findings)
    if key is not None and certificates:
        findings.append(_fit(key, certificates[0]))
    elif key is not None and not client_cert.strip():
        findings.append(Finding(KEY, "doubt", "There is no client certificate to this key."))
    if certificates and authorities:
        findings.append(_issued(certificates[0], authorities))
    return findings


def describe(text: str) -> str:
    """Return what a certificate is, in a line; how it looks where it can't be read."""
    try:
        first, *rest = read_certificates(text)
    except NotReadable:
        return f"not readable here ({len(text)} characters)"
    more = f", with {len(rest)} more" if rest else ""
    return f"{_name(first)}, valid until {first.not_valid_after_utc:%Y-%m-%d}{more}"


def read_certificates(text: str) -> Sequence[x509.Certificate]:
    """Read PEM, or DER in base64. Raises ``NotReadable``."""
    try:
        if PEM in text:
            return x509.load_pem_x509_certificates(text.encode())
        return [x509.load_der_x509_certificate(_decoded(text))]
    except ValueError as error:
        raise NotReadable("is no certificate: PEM or DER in base64 is wanted") from error


def _certificates(
    field: str, text: str, now: datetime, findings: list[Finding]
) -> Sequence[x509.Certificate]:
    if not text.strip():
        return []
    try:
        found = read_certificates(text)
    except NotReadable as error:
        findings.append(Finding(field, "wrong", f"The text {error}."))
        return []
    first = found[0]
    if first.not_valid_after_utc <= now:
        ended = f"{_name(first)} expired on {first.not_valid_after_utc:%Y-%m-%d}."
        findings.append(Finding(field, "doubt", ended))
    elif first.not_valid_before_utc > now:
        begins = f"{_name(first)} is not valid before {first.not_valid_before_utc:%Y-%m-%d}."
        findings.append(Finding(field, "doubt", begins))
    else:
        findings.append(Finding(field, "good", f"{describe(text)}."))
    return found


def _key(text: str, findings: list[Finding]) -> PrivateKeyTypes | None:
    if not text.strip():
        return None
    try:
        return _read_key(text)
    except NotReadable as error:
        findings.append(Finding(KEY, "wrong", f"The key {error}."))
        return None


def _read_key(text: str) -> PrivateKeyTypes:
    try:
        if PEM in text:
            return load_pem_private_key(text.encode(), None)
        return load_der_private_key(_decoded(text), None)
    except TypeError as error:
        raise NotReadable("is encrypted: give it without a passphrase") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NotReadable("is no private key: PEM or DER in base64 is wanted") from error


def _fit(key: PrivateKeyTypes, certificate: x509.Certificate) -> Finding:
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form):
        return Finding(KEY, "good", f"{_kind(key)} key that belongs to the certificate.")
    return Finding(KEY, "wrong", "The key does not belong to the client certificate.")


def _issued(certificate: x509.Certificate, authorities: Sequence[x509.Certificate]) -> Finding:
    for authority in authorities:
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return Finding(AUTHORITY, "good", "It issued the client certificate.")
    return Finding(
        AUTHORITY,
        "doubt",
        "None of these issued the client certificate. That is right if the device verifies its "
        "server with another authority.",
    )


def _kind(key: PrivateKeyTypes) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return f"EC {key.curve.name}"
    return type(key).__name__.removesuffix("PrivateKey")


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "A certificate without a name"


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64") from error
