"""Certificate authorities: a root and an intermediate made here, or the operator's own.

Profiles follow RFC 5280, section 4.2: basic constraints and key usage are critical, the root may
have one level of authorities below it, the intermediate none.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from provision.pki.errors import IssuerUnusable, KeyWeak
from provision.pki.keys import PrivateKey, certifiable_key, fingerprint, make_key, read_key

SERIAL_BITS: Final = 128
_SPELLING: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){0,19}")


def new_serial() -> int:
    """Return a random serial number greater than nought."""
    return secrets.randbits(SERIAL_BITS) or new_serial()


def write_serial(serial: int) -> str:
    """Return the serial number in hex, two digits an octet, with colons: ``0a:1b:...``."""
    digits = f"{serial:x}"
    return bytes.fromhex(digits.zfill(len(digits) + len(digits) % 2)).hex(":")


def normal_serial(text: str) -> str:
    """Return a serial number in its one spelling (leading noughts, case and blanks vary elsewhere).

    Text that is no serial number comes back empty.
    """
    text = text.strip().lower()
    if ":" not in text:
        text = text.zfill(len(text) + len(text) % 2)
        text = ":".join(text[place : place + 2] for place in range(0, len(text), 2))
    if not _SPELLING.fullmatch(text):
        return ""
    return write_serial(read_serial(text))


def read_serial(text: str) -> int:
    """Return the number that ``write_serial`` wrote."""
    return int(text.replace(":", ""), 16)


ROOT_LIFETIME: Final = timedelta(days=20 * 365)
INTERMEDIATE_LIFETIME: Final = timedelta(days=10 * 365)
BACKDATED: Final = timedelta(hours=1)
"""Validity starts this much before now, so that it holds on a device whose clock is slow."""


@frozen
class Issuer:
    """An authority that signs: its key, its certificate, and what verifies that, root last."""

    key: PrivateKey
    chain: Sequence[x509.Certificate] = field(repr=False)

    @property
    def certificate(self) -> x509.Certificate:
        """The issuer's own certificate, the first of the chain."""
        return self.chain[0]

    @property
    def expires_at(self) -> datetime:
        """When the first certificate of the chain to expire does so (UTC)."""
        return min(certificate.not_valid_after_utc for certificate in self.chain)

    def chain_pem(self) -> str:
        """Return the chain as PEM, issuer first, root last."""
        return b"".join(each.public_bytes(Encoding.PEM) for each in self.chain).decode()


@frozen
class Hierarchy:
    """A root, whose key is only needed to make another intermediate, and the issuer below it."""

    root: Issuer
    intermediate: Issuer


def make_hierarchy(organization: str, now: datetime) -> Hierarchy:
    """Return a new root and an intermediate signed by it, both EC P-256.

    ``organization`` (1 to 64 characters) tells the authorities of one installation from others.
    """
    root_key, key = make_key(), make_key()
    root_name = _name(organization, "Root CA")
    root_certificate = (
        _authority(root_name, root_key, path_length=1)
        .issuer_name(root_name)
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + ROOT_LIFETIME)
        .add_extension(_authority_key(root_key), critical=False)
        .sign(root_key.signing_key, root_key.digest)
    )
    certificate = (
        _authority(_name(organization, "Intermediate CA"), key, path_length=0)
        .issuer_name(root_name)
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + INTERMEDIATE_LIFETIME)
        .add_extension(_authority_key(root_key), critical=False)
        .sign(root_key.signing_key, root_key.digest)
    )
    return Hierarchy(
        root=Issuer(root_key, [root_certificate]),
        intermediate=Issuer(key, [certificate, root_certificate]),
    )


def read_issuer(
    chain_pem: bytes, key_pem: bytes, now: datetime, passphrase: bytes | None = None
) -> Issuer:
    """Return an operator's authority from PEM files: the chain (issuer first, root last), the key.

    Raises ``IssuerUnusable``: unreadable, the key is not the first certificate's, a certificate is
    no CA or out of its time, or the chain does not hold up to a root; ``KeyWeak``: the key is.
    """
    try:
        chain = x509.load_pem_x509_certificates(chain_pem)
    except (ValueError, x509.InvalidVersion) as error:
        raise IssuerUnusable("the CA certificate file holds no certificates in PEM form") from error
    return assemble(chain, read_key(key_pem, passphrase), now)


def assemble(chain: Sequence[x509.Certificate], key: PrivateKey, now: datetime) -> Issuer:
    """Return the issuer of a chain and its key, after the checks that ``read_issuer`` names."""
    for certificate in chain:
        _check_authority(certificate, now)
    for below, above in zip(chain, [*chain[1:], chain[-1]], strict=True):
        _check_link(below, above)
    if fingerprint(certifiable_key(chain[0])) != fingerprint(key.public_key):
        raise IssuerUnusable("the CA's private key does not belong to its first certificate")
    return Issuer(key, chain)


def _name(organization: str, role: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{organization} {role}"[:64]),
        ]
    )


def _authority(name: x509.Name, key: PrivateKey, path_length: int) -> x509.CertificateBuilder:
    # digitalSignature: the issuer answers OCSP requests itself (RFC 6960, section 4.2.2.2).
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key)
        .serial_number(new_serial())
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key), critical=False)
    )


def _authority_key(key: PrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key)


def _check_authority(certificate: x509.Certificate, now: datetime) -> None:
    name = certificate.subject.rfc4514_string()
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        certifiable_key(certificate)
    except x509.ExtensionNotFound as error:
        raise IssuerUnusable(f"the certificate {name!r} lacks {error.oid.dotted_string}") from error
    except (ValueError, KeyWeak, UnsupportedAlgorithm) as error:
        raise IssuerUnusable(f"the certificate {name!r} can't be used: {error}") from error
    if not (basic.ca and usage.key_cert_sign and usage.crl_sign):
        raise IssuerUnusable(
            f"the certificate {name!r} may not sign certificates and CRLs: it must be a CA "
            "with the key usages keyCertSign and cRLSign"
        )
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise IssuerUnusable(
            f"the certificate {name!r} is valid from {certificate.not_valid_before_utc} "
            f"to {certificate.not_valid_after_utc}, not now"
        )


def _check_link(below: x509.Certificate, above: x509.Certificate) -> None:
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm) as error:
        raise IssuerUnusable(
            f"the certificate {below.subject.rfc4514_string()!r} was not issued by "
            f"{above.subject.rfc4514_string()!r}: the file must hold the whole chain, the issuer "
            "first and its root last"
        ) from error
