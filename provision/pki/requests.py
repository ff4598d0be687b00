"""Certificate requests (PKCS #10, RFC 2986): made here, or sent by a device and checked.

A client certificate has the client's ID as common name and one URI name that says which domain
and client it is for, ``https://magistrala.internal/domains/<domain ID>/clients/<client ID>``. It is
a name, not an address; ``internal`` is the top-level domain that is kept free for such uses.
"""

from __future__ import annotations

from typing import Final

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from provision.pki.errors import NameNotAllowed, RequestInvalid
from provision.pki.keys import PrivateKey, PublicKey, check_strength

NAMES: Final = "https://magistrala.internal"
MOST_REQUEST_BYTES: Final = 16_384
MOST_COMMON_NAME: Final = 64
"""RFC 5280, appendix A.1: ub-common-name."""


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
        request = x509.load_pem_x509_csr(pem.encode())
        key = check_strength(request.public_key())
        genuine = request.is_signature_valid
        subject, names = request.subject, _alternative_names(request)
    except _UNREADABLE as error:
        raise RequestInvalid from error
    if not genuine:
        raise RequestInvalid("the certificate request is not signed by the key that it carries")
    _check_names(holder, subject, names)
    return key


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
                f"the request's subjectAltName has {name.value!r}; only {holder.uri} is allowed"
            )


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
