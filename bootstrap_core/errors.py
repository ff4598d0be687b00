"""What can go wrong: the base of every package's errors, and the bootstrap core's own tree.

Every package has one tree on ``ServiceError``, so that one renderer answers them all
(``bootstrap_core.http.answers``). Whatever else is raised is a fault of the program: it is answered
with 500, and its text goes to the log alone.

BootstrapError
├── Malformed                    400  the request cannot be understood
│   └── ProfileInvalid           400  a profile's template, slot or format is not acceptable
│       └── RenderError          400  a profile's template, its data or its output is at fault
├── Unauthenticated              401  no caller is known behind the request
│   └── KeyMissing               401  a device gave no external key
├── Forbidden                    403  the caller may not do this here
│   ├── DeviceRefused            403  unknown device or wrong key
│   └── ConfigDisabled           403  the device's config is disabled
├── NotFound                     404  the config, profile or domain does not exist
├── Conflict                     409  what exists stands in the way
│   ├── ProfileInUse             409  configs are made with the profile
│   ├── PairTaken                409  the external key cannot be used with the external ID
│   ├── NotRenderable            409  the device's configuration is not complete yet
│   └── SlotUnbound              409  a required slot has no resource of its type
├── TooLarge                     413  the body is over the limit
├── UnsupportedMediaType         415  the content type is not one that the route takes
├── Unprocessable                422  understood, but it cannot be done
├── TryLater                          the caller is told how long to wait
│   ├── Throttled                429  too many failed attempts
│   ├── TooManyAtOnce            429  too many long renderings of one caller
│   └── Busy                     503  too much to do at the moment; also Unavailable
├── Unavailable                  503  a part that is needed is switched off
│   └── SecureRouteOff           503  no encryption key is set
├── EncryptKeyInvalid            500  the secure route's key has a wrong length
└── SealingError                 500  secrets at rest
    ├── SealingKeyInvalid        500
    └── SealedValueUnreadable    500

The first line of a class's docstring is its default message.
"""

from __future__ import annotations

from typing import Any, Final

INTERNAL: Final = 500


class ServiceError(Exception):
    """Something could not be done, and whoever asked is told why.

    ``status`` is the HTTP status and ``code`` a word for programs that stays the same. ``details``
    is what else a program may read, as JSON. ``retry_after`` is in seconds, where waiting helps.
    """

    status: int = INTERNAL
    code: str = "internal"
    details: Any = None
    retry_after: float | None = None
    counted_status: int | None = None
    """The status under which the answer is counted, if it is not the one that is answered."""

    def __init__(self, message: str = "", *, details: Any = None) -> None:  # noqa: ANN401 - JSON
        """Describe the failure; without a message the class's docstring is the message."""
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])
        if details is not None:
            self.details = details

    @property
    def message(self) -> str:
        """The text for the person who asked."""
        return str(self)

    @property
    def is_public(self) -> bool:
        """Whether the caller is told its text; that of an internal error is for the log alone."""
        return self.status != INTERNAL or self.counted_status is not None


class BootstrapError(ServiceError):
    """The bootstrap service could not do what was asked."""


class Malformed(BootstrapError):
    """The request cannot be understood."""

    status = 400
    code = "malformed"


class ProfileInvalid(Malformed):
    """The profile is not acceptable."""

    code = "profile_invalid"


class RenderError(ProfileInvalid):
    """The profile does not render.

    The message is for the operator: it names the profile, the line and the variable. ``line`` and
    ``column`` are the place in the template (``line`` in the output where that is at fault), 0 if
    there is none; ``variable`` is the part of the template at fault, "" if there is none. A device
    is told no more than ``NotRenderable`` says.
    """

    code = "render_failed"

    def __init__(
        self, reason: str, *, profile: str = "", line: int = 0, column: int = 0, variable: str = ""
    ) -> None:
        """Take the reason and its place."""
        place = f"line {line}" if line else ""
        if column:
            place += f", column {column}"
        if variable:
            place += f", at {variable}"
        name = f'profile "{profile}"' if profile else ""
        super().__init__(": ".join(part for part in (name, place, reason) if part))
        self.reason = reason
        self.profile = profile
        self.line = line
        self.column = column
        self.variable = variable


class Unauthenticated(BootstrapError):
    """Send a valid token in the Authorization header."""

    status = 401
    code = "unauthenticated"


class KeyMissing(Unauthenticated):
    """Send the device's external key as "Authorization: Client <external_key>"."""

    code = "external_key_missing"


class Forbidden(BootstrapError):
    """The caller may not do this in this domain."""

    status = 403
    code = "forbidden"


class NotPermitted(Forbidden):
    """The caller's role or token lacks a right that this needs."""

    code = "not_permitted"


class DeviceRefused(Forbidden):
    """The external ID and the external key do not belong together."""

    code = "device_refused"

    is_stored: bool = False
    """Whether a device has this external ID. The log may tell, the answer must not."""


class ConfigDisabled(Forbidden):
    """The device's configuration is disabled at the moment."""

    code = "config_disabled"


class NotFound(BootstrapError):
    """There is nothing under this ID in this domain."""

    status = 404
    code = "not_found"


class Conflict(BootstrapError):
    """It conflicts with what exists."""

    status = 409
    code = "conflict"


class PairTaken(Conflict):
    """The external key cannot be used with this external ID; give the device another key."""

    code = "external_key_taken"


class ProfileInUse(Conflict):
    """Configs are made with this profile; give them another one first, or use force=true."""

    code = "profile_in_use"


class NotRenderable(Conflict):
    """The device's configuration is not complete yet; try again later."""

    code = "not_renderable"


class SlotUnbound(Conflict):
    """A slot that the profile requires has no resource of its type bound to it."""

    code = "slot_unbound"


class TooLarge(BootstrapError):
    """The body is over the limit."""

    status = 413
    code = "too_large"


class UnsupportedMediaType(BootstrapError):
    """The content type is not one that this route takes."""

    status = 415
    code = "unsupported_media_type"


class Unprocessable(BootstrapError):
    """The request is understood, but it cannot be done."""

    status = 422
    code = "unprocessable"


class TryLater(BootstrapError):
    """Try again later."""

    def __init__(self, retry_after: int) -> None:
        """Take the seconds to wait, which the Retry-After header tells."""
        super().__init__(details={"retry_after": retry_after})
        self.retry_after = retry_after


class Throttled(TryLater):
    """Too many failed attempts; wait before the next one."""

    status = 429
    code = "throttled"


class TooManyAtOnce(TryLater):
    """You have as many long renderings under way as one caller may; wait for one of them."""

    status = 429
    code = "too_many_at_once"


class Unavailable(BootstrapError):
    """A part that is needed for this is switched off."""

    status = 503
    code = "unavailable"


class Busy(TryLater, Unavailable):
    """The service has too much to do at the moment; try again shortly."""

    code = "busy"


class SecureRouteOff(Unavailable):
    """Secure bootstrap is off: the service has no bootstrap encryption key."""

    code = "secure_bootstrap_off"


class EncryptKeyInvalid(BootstrapError):
    """The bootstrap encryption key has 16, 24 or 32 bytes."""

    code = "encrypt_key_invalid"


class SealingError(BootstrapError):
    """A stored secret cannot be handled."""

    code = "sealing"


class SealingKeyInvalid(SealingError):
    """A sealing key is 32 bytes, written in base64."""

    code = "sealing_key_invalid"


class SealedValueUnreadable(SealingError):
    """A stored secret cannot be opened with the configured keys."""

    code = "sealed_value_unreadable"
