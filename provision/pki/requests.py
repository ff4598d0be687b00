"""Certificate requests (PKCS #10, RFC 2986): made here, or sent by a device and checked.

A client certificate has the client's ID as common name and one URI name that says which domain
and client it is for, ``https://magistrala.internal/domains/<domain ID>/clients/<client ID>``. It is
a name, not an address; ``internal`` is the top-level domain that is kept free for such uses.
"""

from __future__ import annotations

import base64
from typing import Final

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from provision.pki import der
from provision.pki.errors import NameNotAllowed, RequestInvalid
from provision.pki.keys import PrivateKey, PublicKey, certifiable_key

ECDSA_SIGNATURES: Final = bytes.fromhex("2a8648ce3d04")
"""How the object identifiers of ECDSA signatures begin: 1.2.840.10045.4."""
BEGINNINGS: Final = (
    "-----BEGIN CERTIFICATE REQUEST-----",
    "-----BEGIN NEW CERTIFICATE REQUEST-----",
)
ENDING: Final = "-----END "


@frozen
class SignedRequest:
    """A request, and the bytes that its signature is over."""

    request: x509.CertificateSigningRequest
    body: bytes


def read_request(pem: str) -> SignedRequest:
    """Read a request (PKCS #10, PEM).

    Raises ``ValueError`` and ``x509.InvalidVersion``: it is none.
    """
    (request,) = der.read(_octets(pem))
    body, algorithm, signature = request.parts()
    corrected = (_in_order(body), _without_null(algorithm), signature.whole)
    return SignedRequest(x509.load_der_x509_csr(der.write(request.tag, corrected)), body.whole)


def _octets(pem: str) -> bytes:
    for beginning in BEGINNINGS:
        _, found, rest = pem.partition(beginning)
        text, ended, _ = rest.partition(ENDING)
        if found and ended:
            return base64.b64decode("".join(text.split()), validate=True)
    raise ValueError("there is no certificate request in PEM form")


def _in_order(body: der.Element) -> bytes:
    """Return what is signed with its attributes in the order of DER."""
    parts = body.parts()
    corrected = [
        der.write(part.tag, sorted(attribute.whole for attribute in part.parts()))
        if part.tag == der.CONTEXT_0
        else part.whole
        for part in parts
    ]
    return der.write(body.tag, corrected)


def _without_null(algorithm: der.Element) -> bytes:
    parts = algorithm.parts()
    if (
        len(parts) == 2
        and parts[0].content.startswith(ECDSA_SIGNATURES)
        and parts[1].tag == der.NULL
        and not parts[1].content
    ):
        return der.write(algorithm.tag, [parts[0].whole])
    return algorithm.whole


NAMES: Final = "https://magistrala.internal"
MOST_REQUEST_BYTES: Final = 16_384
MOST_COMMON_NAME: Final = 64
"""RFC 5280, appendix A.1: ub-common-name."""
STRONG_HASHES: Final = (
    hashes.SHA224,
    hashes.SHA256,
    hashes.SHA384,
    hashes.SHA512,
    hashes.SHA3_224,
    hashes.SHA3_256,
    hashes.SHA3_384,
    hashes.SHA3_512,
)
_SPOKEN: Final = {"sha1": "SHA-1", "md5": "MD5"}


@frozen
class Holder:
    """Whom a certificate is for."""

    domain_id: str
    client_id: str

    @property
    def uri(self) -> str:
        """The name of the client in the certificate's subjectAltName."""
        return f"{NAMES}/domains/{self.domain_id}/clients/{self.client_id}"

    @property
    def subject(self) -> x509.Name:
        """The subject: the client's ID as common name. Raises ``NameNotAllowed``."""
        if not 0 < len(self.client_id) <= MOST_COMMON_NAME:
            raise NameNotAllowed(
                f"a client ID of {len(self.client_id)} characters can't be a common name: "
                f"1 to {MOST_COMMON_NAME}"
            )
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.client_id)])


def make_request(key: PrivateKey, holder: Holder) -> str:
    """Return a request for ``holder``, signed with ``key``, as PEM."""
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(holder.uri)])
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(holder.subject)
        .add_extension(names, critical=False)
        .sign(key.signing_key, key.digest)
    )
    return request.public_bytes(Encoding.PEM).decode()


def check_request(pem: str, holder: Holder) -> PublicKey:
    """Return the public key of a request that may be signed for ``holder``.

    The request may leave names out, but not ask for others: an empty subject or the client's ID
    as its only attribute, no alternative names or only the client's URI. Whatever else it asks
    for (key usage, CA rights) is not read: the profile decides.

    Raises ``RequestInvalid``, ``KeyWeak`` and ``NameNotAllowed``.
    """
    if len(pem) > MOST_REQUEST_BYTES:
        raise RequestInvalid(f"the certificate request is over {MOST_REQUEST_BYTES} bytes")
    try:
        signed = read_request(pem)
        request = signed.request
        key = certifiable_key(request)
        _check_signature(signed, key)
        subject, names = request.subject, _alternative_names(request)
    except _UNREADABLE as error:
        raise RequestInvalid from error
    _check_names(holder, subject, names)
    return key


def _check_signature(signed: SignedRequest, key: PublicKey) -> None:
    algorithm = signed.request.signature_hash_algorithm
    if algorithm is not None and not isinstance(algorithm, STRONG_HASHES):
        raise RequestInvalid(
            f"the certificate request is signed with {_SPOKEN.get(algorithm.name, algorithm.name)},"
            " which is not accepted: sign it with SHA-256, SHA-384 or SHA-512"
        )
    try:
        _verify(signed, key, algorithm)
    except InvalidSignature as error:
        raise RequestInvalid(
            "the certificate request is not signed by the key that it carries"
        ) from error


def _verify(signed: SignedRequest, key: PublicKey, algorithm: hashes.HashAlgorithm | None) -> None:
    signature = signed.request.signature
    parameters = signed.request.signature_algorithm_parameters
    match key, parameters:
        case ed25519.Ed25519PublicKey(), None:
            key.verify(signature, signed.body)
        case ec.EllipticCurvePublicKey(), ec.ECDSA():
            key.verify(signature, signed.body, parameters)
        case rsa.RSAPublicKey(), padding.PKCS1v15() | padding.PSS() if algorithm:
            key.verify(signature, signed.body, parameters, algorithm)
        case _:
            raise InvalidSignature


def _check_names(holder: Holder, subject: x509.Name, names: list[x509.GeneralName]) -> None:
    for attribute in subject:
        if attribute.oid != NameOID.COMMON_NAME or attribute.value != holder.client_id:
            raise NameNotAllowed(
                f"the request's subject has {attribute.rfc4514_string()!r}; "
                f"only CN={holder.client_id} is allowed"
            )
    for name in names:
        if not isinstance(name, x509.UniformResourceIdentifier) or name.value != holder.uri:
            raise NameNotAllowed(
                f"the request's subjectAltName has {_told(name)}; only the URI {holder.uri} is "
                "allowed"
            )


def _told(name: x509.GeneralName) -> str:
    """Return an alternative name as people write it, with its kind."""
    match name:
        case x509.IPAddress():
            return f"the IP address {name.value}"
        case x509.DNSName():
            return f"the DNS name {name.value!r}"
        case x509.RFC822Name():
            return f"the e-mail address {name.value!r}"
        case x509.UniformResourceIdentifier():
            return f"the URI {name.value!r}"
        case x509.DirectoryName():
            return f"the directory name {name.value.rfc4514_string()!r}"
        case x509.RegisteredID():
            return f"the registered ID {name.value.dotted_string}"
    return "a name of another kind"


def _alternative_names(request: x509.CertificateSigningRequest) -> list[x509.GeneralName]:
    try:
        return list(request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


_UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
