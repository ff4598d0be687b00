"""What can go wrong in the service as a whole, outside of its parts.

::

    ProvisionError
      SettingsError        the settings can't be used; every problem at once
      StartError           the service can't start
      RequestError
        MalformedBody      400  not JSON, or not an object
        InvalidFields      400  fields that are missing, unknown or of the wrong kind
        UnsupportedType    415  the body's content type
        TooLarge           413  the body is over the limit
        Unauthenticated    401  no credentials, or none that the platform takes
        DomainNotNamed     400  several domains, and none is named
        UnknownRoute       404
        UnknownMethod      405
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class ProvisionError(Exception):
    """The service could not do what was asked."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str = "",
        *,
        details: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Describe the failure; without a message the class's docstring is the message."""
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])
        self.details = details
        self.headers = headers or {}

    @property
    def message(self) -> str:
        """The text for the person who asked."""
        return str(self)


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


class InvalidFields(RequestError):
    """Fields of the request are missing, unknown or of the wrong kind."""

    code = "invalid_fields"


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


class DomainNotNamed(RequestError):
    """The domain must be named: POST /{domain_id}/mapping."""

    code = "domain_not_named"


class UnknownRoute(RequestError):
    """There is nothing at this address."""

    status = 404
    code = "unknown_route"


class UnknownMethod(RequestError):
    """The address does not take this method."""

    status = 405
    code = "unknown_method"
