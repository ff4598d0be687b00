"""What a failed step means: for the caller, and for what is done next."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from provision.onboarding.errors import StepFailed
from provision.onboarding.model import Onboarding
from provision.onboarding.steps import StepError
from provision.platform.errors import (
    DomainNotFound,
    InvalidToken,
    NotAMember,
    NotFound,
    PlatformError,
    Rejected,
    Unavailable,
)

BAD_GATEWAY = 502
CREDENTIALS = (InvalidToken, NotAMember, DomainNotFound)
CREDENTIAL_CODES = tuple(each.code for each in CREDENTIALS)


def is_passing(error: Exception) -> bool:
    """Say whether the same attempt may well succeed later."""
    if isinstance(error, PlatformError):
        return error.outcome_unknown or isinstance(error, Unavailable)
    return not hasattr(error, "status")


def needs_credentials(error: Exception) -> bool:
    """Say whether the platform no longer takes the token for this domain."""
    return isinstance(error, CREDENTIALS)


def code_of(error: Exception) -> str:
    """Return a stable code for the journal and the API."""
    if isinstance(error, DBAPIError):
        return "store_failed"
    return str(getattr(error, "code", "internal"))


def step_failed(onboarding: Onboarding, error: StepError, aftermath: str) -> StepFailed:
    """Return what the caller is told: the cause, the step, and what became of the rest."""
    cause = error.cause
    failed = StepFailed(
        f"onboarding failed at step {error.step!r}: {_text(cause)} ({aftermath})",
        status=_status(cause),
        code=code_of(cause),
        details={
            "step": error.step,
            "onboarding_id": onboarding.id,
            "external_id": onboarding.external_id,
            "state": onboarding.state.value,
            "aftermath": aftermath,
        },
    )
    retry_after = getattr(cause, "retry_after", None)
    if retry_after is not None:
        failed.headers["Retry-After"] = str(max(1, round(retry_after)))
    return failed


def _text(cause: Exception) -> str:
    if isinstance(cause, DBAPIError):
        return f"the service's own store failed: {cause.orig}"
    if hasattr(cause, "status"):
        return str(cause).rstrip(".")
    return "an error inside the service, which its log explains"


def _status(cause: Exception) -> int:
    match cause:
        case Rejected(answered=answered):
            return answered
        case NotFound():
            # What is not there was created by this very onboarding: not the caller's mistake.
            return BAD_GATEWAY
        case DBAPIError():
            return 503
    return int(getattr(cause, "status", 500))
