"""What can go wrong with keys, requests and certificates.

::

    PkiError
      KeyTypeUnknown    400  a type of key that is not made here
      KeyWeak           400  a public key that is too weak, or of a kind that is not signed here
      RequestInvalid    400  a certificate request that is malformed or not signed by its key
      NameNotAllowed    400  a name that the request may not ask for
      LifetimeInvalid   400  a lifetime that no certificate can have
      OcspMalformed     400  an OCSP request that can't be read
      IssuerUnusable    500  a CA certificate or key that can't sign
"""

from __future__ import annotations

from bootstrap_core.errors import ServiceError


class PkiError(ServiceError):
    """The certificate work could not be done."""

    status = 400
    code = "certificate_error"


class KeyTypeUnknown(PkiError):
    """The key type must be one of rsa-2048, rsa-4096, ec-p256, ec-p384 and ed25519."""

    code = "unknown_key_type"


class KeyWeak(PkiError):
    """The key must be RSA of 2048 to 8192 bits, EC on P-256 or P-384, or Ed25519."""

    code = "weak_key"


class RequestInvalid(PkiError):
    """The certificate request must be PKCS #10 in PEM form, signed with its own key."""

    code = "invalid_certificate_request"


class NameNotAllowed(PkiError):
    """A certificate request may only name the client that it is for."""

    code = "name_not_allowed"


class LifetimeInvalid(PkiError):
    """The lifetime of a certificate must be longer than 0."""

    code = "invalid_lifetime"


class OcspMalformed(PkiError):
    """The OCSP request can't be read: send certificate IDs, DER encoded (RFC 6960)."""

    code = "malformed_ocsp_request"


class IssuerUnusable(PkiError):
    """The certificate authority's certificate or key can't be used for signing."""

    status = 500
    code = "issuer_unusable"
