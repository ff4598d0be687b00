"""What can go wrong with an onboarding.

::

    OnboardingError
      GatewayExists        409  the gateway exists and the request wanted a new one
      KeyDiffers           409  the gateway exists with another external key
      ConfigTaken          409  a bootstrap config that no onboarding made has this external ID
      StillRunning         409  another request for the same gateway has not ended yet
      LeaseLost            503  another process goes on with the onboarding
      AnswerDiffers        422  the idempotency key was used with another request
      IdempotencyKeyInvalid 400  the Idempotency-Key header is blank or too long
      ProfileUnknown       422  the layout uses a profile that the domain does not have
      BindingRefused       422  the layout's bindings do not fit the profile
      RequestNotUsable     400  a certificate request that a device sent
      CertificateChanged   409  another certificate has taken its place
      OnboardingNotFound   404
      GatewayNotFound      404
      StepFailed           as the cause  a step failed, and what became of the rest
      IntentUnreadable     500  a journalled intent of another release
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class OnboardingError(Exception):
    """The onboarding could not be done."""

    status: int = 500
    code: str = "onboarding_failed"
    default_headers: ClassVar[Mapping[str, str]] = {}

    def __init__(self, message: str = "", *, details: Mapping[str, Any] | None = None) -> None:
        """Describe the failure; without a message the class's docstring is the message."""
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])
        self.details = dict(details or {})
        self.headers = dict(self.default_headers)

    @property
    def message(self) -> str:
        """The text for the person who asked."""
        return str(self)


class GatewayExists(OnboardingError):
    """The gateway exists already."""

    status = 409
    code = "gateway_exists"


class KeyDiffers(OnboardingError):
    """The gateway exists with another external key."""

    status = 409
    code = "external_key_differs"


class ConfigTaken(OnboardingError):
    """A bootstrap config that was made by hand has this external ID."""

    status = 409
    code = "external_id_taken"


class StillRunning(OnboardingError):
    """Another request for the same gateway is still being worked on; ask again in a moment."""

    status = 409
    code = "still_running"
    default_headers: ClassVar[Mapping[str, str]] = {"Retry-After": "1"}


class LeaseLost(OnboardingError):
    """Another process goes on with this onboarding; ask again in a moment."""

    status = 503
    code = "taken_over"
    default_headers: ClassVar[Mapping[str, str]] = {"Retry-After": "1"}


class AnswerDiffers(OnboardingError):
    """The idempotency key was used with another request; use a new key for a new request."""

    status = 422
    code = "idempotency_key_reused"


class IdempotencyKeyInvalid(OnboardingError):
    """The Idempotency-Key header takes 1 to 255 characters, such as a UUID."""

    status = 400
    code = "idempotency_key_invalid"


class ProfileUnknown(OnboardingError):
    """The layout uses a profile that the domain does not have."""

    status = 422
    code = "profile_unknown"


class BindingRefused(OnboardingError):
    """The layout's bindings do not fit the profile."""

    status = 422
    code = "binding_refused"


class RequestNotUsable(OnboardingError):
    """A certificate request can't be used."""

    status = 400
    code = "certificate_request_unusable"


class CertificateChanged(OnboardingError):
    """Another certificate has taken the place of this one: list those of the gateway."""

    status = 409
    code = "certificate_superseded"


class OnboardingNotFound(OnboardingError):
    """There is no onboarding with this ID in this domain."""

    status = 404
    code = "onboarding_not_found"


class GatewayNotFound(OnboardingError):
    """No gateway with this external ID was onboarded in this domain."""

    status = 404
    code = "gateway_not_found"


class StepFailed(OnboardingError):
    """A step of the onboarding failed."""

    def __init__(self, message: str, *, status: int, code: str, details: Mapping[str, Any]) -> None:
        """Take over ``status`` and ``code`` of the cause; ``details`` name step and onboarding."""
        super().__init__(message, details=details)
        self.status = status
        self.code = code


class IntentUnreadable(OnboardingError):
    """A journalled intent can't be read by this release."""

    code = "intent_unreadable"
