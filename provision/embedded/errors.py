"""What can go wrong on the embedded platform, with the status that Magistrala answers.

The statuses are recorded ones, odd as some are. Where programs tell refusals apart by Magistrala's
words, ``words`` has them, and the explanation goes into ``details``. ``port`` is the class of
``provision.platform.errors`` that says the same to a caller in this process; ``translated`` is the
one seam where the two trees meet.

EmbeddedError                 500
├── Malformed                 400  the body or the query cannot be understood
│   ├── InvalidId             400  an ID that is no UUID
│   └── InvalidStatus         400  a status that does not exist
├── UnsupportedContentType    415  the body is not announced as JSON
├── InvalidToken              401  missing, malformed, altered or expired
│   └── RefreshTokenUsed      401  a refresh token where an access token belongs
├── WrongPassword             422  the password does not belong to the user
├── Missing                   404  no such user; to a Mainflux client, as Hidden
├── Refused                   403  the caller may not do this
│   ├── SignInRefused         403  as Missing and WrongPassword, to a Mainflux client
│   ├── NotPermitted          403  no role of the caller allows it in this domain
│   ├── Lacking               403  a member's roles do not allow it
│   ├── Hidden                403  not there, or not for this caller to see
│   ├── DomainDisabled        403  the domain takes nothing new while it is disabled
│   └── AdministratorOnly     403  only the platform's administrator may do it
├── DomainMissing             404  there is no such domain
├── EntityDisabled            404  a disabled client or channel is not changed
├── Taken                     400  a name, e-mail address or domain's route is taken
│   ├── ClientExists          422  a client has this ID
│   ├── SecretTaken           400  a client of the domain has this secret
│   ├── ChannelExists         400  a channel has this ID
│   ├── RouteTaken            400  a channel of the domain has this route
│   └── ConnectionExists      400  some of the connections exist
├── StatusAssigned            422  it is enabled (or disabled) already
├── Unprocessable             422  filtering by connection type
│   └── NotConnectable        422  connecting what is disabled
├── Busy                      503  too many passwords wait to be verified
├── CertificateUnknown        422  no certificate has this serial
├── NoCertificates            404  the client has none that could be revoked
└── RecordedFailure           500  the caller's mistake, which Magistrala answers with 500
    ├── AccessTokenUsed       500  an access token where a refresh token belongs
    └── StrangerToDomain      500  as NotPermitted, from the certificates service
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from bootstrap_core.errors import ServiceError
from provision.platform import errors as port_errors


class EmbeddedError(ServiceError):
    """The embedded platform could not do what was asked."""

    words: ClassVar[str] = ""
    port: ClassVar[type[port_errors.PlatformError]] = port_errors.Rejected

    def __init__(self, message: str = "") -> None:
        """Describe the failure; where there are ``words``, the description goes into details."""
        super().__init__(message)
        if self.words:
            self.details = {"explanation": str(self)}

    @property
    def message(self) -> str:
        """The text of an answer over HTTP: Magistrala's words where it has known ones."""
        return self.words or str(self)


class Malformed(EmbeddedError):
    """The request cannot be understood."""

    status = 400
    code = "malformed"


class InvalidId(Malformed):
    """An ID must be a UUID in its canonical form, in lower case."""

    code = "invalid_id"


class InvalidStatus(Malformed):
    """A status is enabled or disabled; a list also takes all."""

    code = "invalid_status"


class UnsupportedContentType(EmbeddedError):
    """Send the body as JSON, with the header "Content-Type: application/json"."""

    status = 415
    code = "unsupported_content_type"


class InvalidToken(EmbeddedError):
    """Send a valid access token in the Authorization header; sign in for a new one."""

    status = 401
    code = "invalid_token"
    port = port_errors.InvalidToken


class RefreshTokenUsed(InvalidToken):
    """A refresh token is only good for new tokens, at /users/tokens/refresh."""


class WrongPassword(EmbeddedError):
    """The password is not the one of this user."""

    status = 422
    code = "wrong_password"


class Missing(EmbeddedError):
    """There is no such user."""

    status = 404
    code = "not_found"
    port = port_errors.NotFound


class Refused(EmbeddedError):
    """You may not do this."""

    status = 403
    code = "refused"


class SignInRefused(Refused):
    """The e-mail address or the password is wrong."""

    code = "sign_in_refused"


class NotPermitted(Refused):
    """No role of yours in this domain allows this: ask one of its operators for one that does."""

    code = "not_permitted"
    port = port_errors.NotAMember


class Lacking(Refused):
    """No role of yours in this domain allows this: ask one of its operators for one that does."""

    code = "not_permitted"
    port = port_errors.NotPermitted


class Hidden(Refused):
    """There is nothing under this ID that you may see or change."""

    code = "not_found"
    port = port_errors.NotFound


class DomainDisabled(Refused):
    """The domain is disabled: it takes nothing new until it is enabled again."""

    code = "domain_disabled"


class AdministratorOnly(Refused):
    """Only the administrator of the platform may do this."""

    code = "administrator_only"


class DomainMissing(EmbeddedError):
    """There is no domain with this ID."""

    status = 404
    code = "domain_not_found"
    port = port_errors.DomainNotFound


class EntityDisabled(EmbeddedError):
    """It is disabled: enable it before you change it."""

    status = 404
    code = "disabled"
    port = port_errors.NotFound


class Taken(EmbeddedError):
    """Something with this name exists already."""

    status = 400
    code = "already_exists"
    port = port_errors.AlreadyExists


class ClientExists(Taken):
    """A client with this ID exists already; nothing was created."""

    status = 422
    words = "failed to create entity"


class SecretTaken(Taken):
    """Another client of this domain has this secret; nothing was changed."""

    words = "client key is not available"


class ChannelExists(Taken):
    """A channel with this ID exists already; nothing was created."""

    words = "channel id already exists"


class RouteTaken(Taken):
    """Another channel of this domain has this route; nothing was created."""

    words = "route not available"


class ConnectionExists(Taken):
    """Some of these are connected already; nothing was connected."""

    words = "entity already exists"


class StatusAssigned(EmbeddedError):
    """It has this status already."""

    status = 422
    code = "status_already_assigned"
    words = "status already assigned"


class Unprocessable(EmbeddedError):
    """It is understood, but the platform does not do it."""

    status = 422
    code = "unprocessable"


class NotConnectable(Unprocessable):
    """Disabled clients and channels can't be connected, and a type is named once."""

    words = "failed to create entity"
    port = port_errors.NotReady


class Busy(EmbeddedError):
    """Too many sign-ins at once: try again in a moment."""

    status = 503
    code = "busy"
    port = port_errors.Overloaded
    retry_after = 1.0


class CertificateUnknown(EmbeddedError):
    """There is no certificate with this serial number."""

    status = 422
    code = "certificate_unknown"
    words = "view entity failed"
    port = port_errors.NotFound


class NoCertificates(EmbeddedError):
    """The client has no certificate that could be revoked."""

    status = 404
    code = "no_certificates"
    words = "entity not found"
    port = port_errors.NotFound


class RecordedFailure(EmbeddedError):
    """The request can't be answered."""

    code = "refused"
    counted_status = 403
    """It is no failure of the service."""


class AccessTokenUsed(RecordedFailure):
    """New tokens are given for a refresh token, not for an access token."""

    code = "access_token_used"
    counted_status = 401
    port = port_errors.InvalidToken


class StrangerToDomain(RecordedFailure):
    """No role of yours in this domain allows this."""

    code = "not_permitted"
    words = "failed to perform authorization over the entity"
    port = port_errors.NotAMember


@contextmanager
def translated(operation: str) -> Iterator[None]:
    """Raise what goes wrong inside as the port's error; ``operation`` names what was tried."""
    try:
        yield
    except EmbeddedError as error:
        if error.port is port_errors.Rejected:
            raise port_errors.Rejected(
                str(error), service="embedded", operation=operation, answered=error.status
            ) from error
        raise error.port(str(error), service="embedded", operation=operation) from error
