"""What can go wrong in the service as a whole, outside of its parts.

::

    ProvisionError
      SettingsError        the settings can't be used; every problem at once
      StartError           the service can't start
      RequestError
        MalformedBody      400  not JSON, or not an object
        NotText            400  NUL in the path or the query
        MalformedPath      400  the path is not UTF-8
        InvalidFields      400  fields that are missing, unknown or of the wrong kind
        UnsupportedType    415  the body's content type
        TooLarge           413  the body is over the limit
        Unauthenticated    401  no credentials, or none that the platform takes
        UnknownClient      401  a certificate is asked for a client that is not there
        LifetimeTooLong    400  a certificate would outlive its authority
        CertificateRevoked 409  what is asked can't be done with a revoked certificate
        LayoutNotFound     404  no layout has this name
        StoreUnavailable   503  the database is stopped, full, locked, or does not answer
"""

from __future__ import annotations

from typing import Final

from bootstrap_core.errors import ServiceError

COUNTED_STATUS: Final = "provision.counted_status"
"""Where a request's scope has the status that is counted, if it is not the one answered."""


class ProvisionError(ServiceError):
    """The service could not do what was asked."""


class SettingsError(ProvisionError):
    """The settings can't be used."""

    code = "settings"


class StartError(ProvisionError):
    """The service can't start."""

    code = "start"


class RequestError(ProvisionError):
    """The request can't be answered as it is."""

    status = 400
    code = "bad_request"


class MalformedBody(RequestError):
    """The body must be one JSON object."""

    code = "malformed_body"


class MalformedPath(RequestError):
    """The path is not UTF-8; write every part of it in percent-encoded UTF-8."""

    code = "malformed_path"


class MalformedQuery(RequestError):
    """The query holds a % without two hexadecimal digits after it; write %25 for a %."""

    code = "malformed_query"


class TokenInPath(RequestError):
    """The path holds what looks like a token: send it as "Authorization: Bearer <token>"."""

    code = "token_in_path"


class InvalidFields(RequestError):
    """Fields of the request are missing, unknown or of the wrong kind."""

    code = "invalid_fields"


class NotText(RequestError):
    """The path or the query holds the character NUL (%00), which is no text: leave it out."""

    code = "not_text"


class UnsupportedType(RequestError):
    """The content type must be application/json."""

    status = 415
    code = "unsupported_content_type"


class TooLarge(RequestError):
    """The body is too large."""

    status = 413
    code = "body_too_large"


class Unauthenticated(RequestError):
    """Credentials are needed: send the header "Authorization: Bearer <token or API key>"."""

    status = 401
    code = "unauthenticated"


class UnknownClient(RequestError):
    """There is no such client in this domain that you may see."""

    # Magistrala's provision service answers this status, and its callers know it.
    status = 401
    code = "unknown_client"


class LifetimeTooLong(RequestError):
    """The certificate would be valid for longer than the authority that signs it."""

    code = "lifetime_too_long"


class CertificateRevoked(RequestError):
    """The certificate is revoked already."""

    status = 409
    code = "certificate_revoked"


class StoreUnavailable(RequestError):
    """The service's database can't be used at the moment: try again; GET /health tells more."""

    status = 503
    code = "unavailable"
    retry_after = 5.0


class LayoutNotFound(RequestError):
    """There is no layout of this name."""

    status = 404
    code = "layout_unknown"
