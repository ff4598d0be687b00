"""Private keys of clients and authorities: made, read, written, and never shown.

Sources: RFC 5958 (PKCS #8), RFC 8410 (Ed25519), NIST SP 800-57 part 1 (strengths).
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Final, TypeAlias, cast

from attrs import field, frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import PublicKeyAlgorithmOID

from provision.pki.errors import IssuerUnusable, KeyTypeUnknown, KeyWeak

SigningKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

RSA_EXPONENT: Final = 65537
RSA_LEAST_BITS: Final = 2048
RSA_MOST_BITS: Final = 8192


class KeyType(StrEnum):
    """The kinds of key that are made here."""

    RSA_2048 = "rsa-2048"
    RSA_4096 = "rsa-4096"
    EC_P256 = "ec-p256"
    EC_P384 = "ec-p384"
    ED25519 = "ed25519"

    @classmethod
    def named(cls, name: str = "", bits: int = 0) -> KeyType:
        """Return the type for a name (``ec-p256``, ``rsa``, ``ec``) and a size in bits.

        Nothing given is ``ec-p256``; a size alone is RSA from 2048 bits on, else a curve, as in
        requests that know only ``key_bits``. Raises ``KeyTypeUnknown``.
        """
        if not bits and name.lower() in set(cls):
            return cls(name.lower())
        family = name.lower() or ("rsa" if bits >= RSA_LEAST_BITS else "ec")
        try:
            return _BY_FAMILY[family, bits]
        except KeyError:
            raise KeyTypeUnknown(
                f"there is no key type {name!r} of {bits} bits; {KeyTypeUnknown.__doc__}"
                if bits
                else f"there is no key type {name!r}; {KeyTypeUnknown.__doc__}"
            ) from None


_BY_FAMILY: Final = {
    ("rsa", 0): KeyType.RSA_2048,
    ("rsa", 2048): KeyType.RSA_2048,
    ("rsa", 4096): KeyType.RSA_4096,
    ("ec", 0): KeyType.EC_P256,
    ("ec", 256): KeyType.EC_P256,
    ("ec", 384): KeyType.EC_P384,
    ("ecdsa", 0): KeyType.EC_P256,
    ("ecdsa", 256): KeyType.EC_P256,
    ("ecdsa", 384): KeyType.EC_P384,
    ("ed25519", 256): KeyType.ED25519,
}


@frozen
class PrivateKey:
    """A private key in memory; its ``repr`` does not show it, ``pem`` gives it away."""

    signing_key: SigningKey = field(repr=False)

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return self.signing_key.public_key()

    @property
    def digest(self) -> hashes.SHA256 | hashes.SHA384 | None:
        """The hash to sign with: as strong as the key, none for Ed25519."""
        match self.signing_key:
            case ed25519.Ed25519PrivateKey():
                return None
            case ec.EllipticCurvePrivateKey(key_size=384):
                return hashes.SHA384()
            case _:
                return hashes.SHA256()

    def sign(self, data: bytes) -> bytes:
        """Return the signature over ``data``, as certificates have it (RSA: PKCS #1 v1.5)."""
        match self.signing_key, self.digest:
            case ec.EllipticCurvePrivateKey() as key, hashes.HashAlgorithm() as digest:
                return key.sign(data, ec.ECDSA(digest))
            case rsa.RSAPrivateKey() as key, hashes.HashAlgorithm() as digest:
                return key.sign(data, padding.PKCS1v15(), digest)
            case ed25519.Ed25519PrivateKey() as key, _:
                return key.sign(data)
        raise TypeError(type(self.signing_key))

    def pem(self) -> str:
        """Return the key in the clear: PKCS #8, PEM."""
        return self.signing_key.private_bytes(
            Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()


def make_key(key_type: KeyType = KeyType.EC_P256) -> PrivateKey:
    """Return a new random key.

    RSA takes long (4096 bits about a second): call it from a thread in a server.
    """
    match key_type:
        case KeyType.RSA_2048:
            return PrivateKey(rsa.generate_private_key(RSA_EXPONENT, 2048))
        case KeyType.RSA_4096:
            return PrivateKey(rsa.generate_private_key(RSA_EXPONENT, 4096))
        case KeyType.EC_P256:
            return PrivateKey(ec.generate_private_key(ec.SECP256R1()))
        case KeyType.EC_P384:
            return PrivateKey(ec.generate_private_key(ec.SECP384R1()))
        case KeyType.ED25519:
            return PrivateKey(ed25519.Ed25519PrivateKey.generate())


def read_key(pem: bytes, passphrase: bytes | None = None) -> PrivateKey:
    """Read a private key (PKCS #8, PKCS #1 or SEC 1), encrypted where a passphrase is given.

    Raises ``IssuerUnusable``: not a key, a wrong passphrase, or a kind that is not used here; and
    ``KeyWeak``.
    """
    try:
        key = serialization.load_pem_private_key(pem, passphrase)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise IssuerUnusable(
            "the CA's private key can't be read: it must be PEM, and the passphrase must be given "
            "exactly where the key is encrypted"
        ) from error
    if not isinstance(key, SigningKey):
        raise IssuerUnusable(f"the CA's private key is of a kind not used here: {KeyWeak.__doc__}")
    check_strength(key.public_key())
    return PrivateKey(key)


def check_strength(key: object) -> PublicKey:
    """Return ``key`` as a public key that may be certified; raises ``KeyWeak``."""
    match key:
        case rsa.RSAPublicKey():
            exponent = key.public_numbers().e
            if RSA_LEAST_BITS <= key.key_size <= RSA_MOST_BITS and exponent >= RSA_EXPONENT:
                return key
            raise KeyWeak(
                f"an RSA key of {key.key_size} bits with exponent {exponent} is not accepted: "
                f"{RSA_LEAST_BITS} to {RSA_MOST_BITS} bits and an exponent from {RSA_EXPONENT} on"
            )
        case ec.EllipticCurvePublicKey():
            if isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
                return key
            raise KeyWeak(f"the curve {key.curve.name} is not accepted: use P-256 or P-384")
        case ed25519.Ed25519PublicKey():
            return key
    raise KeyWeak


def certifiable_key(document: x509.Certificate | x509.CertificateSigningRequest) -> PublicKey:
    """Return the public key of a certificate or request; raises ``KeyWeak``.

    A key that is for RSA-PSS alone is refused: it would be certified as a key for all of RSA, and
    such a certificate does not match the private key.
    """
    # The library's type stubs lack this attribute of requests.
    if (
        cast("x509.Certificate", document).public_key_algorithm_oid
        == PublicKeyAlgorithmOID.RSASSA_PSS
    ):
        raise KeyWeak("a key for RSA-PSS alone is not accepted: use a plain RSA key, or an EC key")
    return check_strength(document.public_key())


def fingerprint(key: PublicKey) -> str:
    """Return the SHA-256 of the key's SubjectPublicKeyInfo in hex: what tells keys apart."""
    return hashlib.sha256(
        key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).hexdigest()


def key_bits(key: PublicKey) -> bytes:
    """Return the content of the key's BIT STRING, what key identifiers are hashed from."""
    match key:
        case rsa.RSAPublicKey():
            return key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
        case ec.EllipticCurvePublicKey():
            return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        case ed25519.Ed25519PublicKey():
            return key.public_bytes_raw()
