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
      HalfMade             502  the platform made something half: its ID is taken, nobody sees it
      IdsSpent             409  what had these IDs was deleted, and the platform never takes them
      OnboardingNotFound   404
      GatewayNotFound      404
        GatewayRemoved     404  there was one; the details name its entry in the journal
      StepFailed           as the cause  a step failed, and what became of the rest
      IntentUnreadable     500  a journalled intent of another release
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from attrs import frozen

from bootstrap_core.errors import ServiceError
from bootstrap_core.model import ENTITY_KINDS, EntityKind
from provision.layout.plan import Plan


@frozen
class Leftover:
    """One row of the platform's store; ``certain`` where the platform said that it exists."""

    kind: EntityKind
    id: str
    certain: bool = False


def of_plan(
    plan: Plan, identifiers: Collection[str], certain: Collection[str] = ()
) -> tuple[Leftover, ...]:
    """Return what may be left of a plan under these IDs."""
    return tuple(
        Leftover(kind, entity.id, entity.id in certain)
        for kind in ENTITY_KINDS
        for entity in plan.of_kind(kind)
        if entity.id in identifiers
    )


def joined(first: Iterable[Leftover], second: Iterable[Leftover]) -> tuple[Leftover, ...]:
    """Return both without repetition; what is certain in one of them is certain."""
    found: dict[str, Leftover] = {}
    for each in (*first, *second):
        if each.id not in found or each.certain:
            found[each.id] = each
    return tuple(found.values())


def without(leftovers: Iterable[Leftover], identifiers: Collection[str]) -> tuple[Leftover, ...]:
    """Return those that have none of these IDs."""
    return tuple(each for each in leftovers if each.id not in identifiers)


def told(leftovers: Iterable[Leftover]) -> str:
    """Return the words for people that name what is, or may be, left."""
    found = list(leftovers)
    certain = ", ".join(f"{each.kind} {each.id}" for each in found if each.certain)
    unsure = ", ".join(f"{each.kind} {each.id}" for each in found if not each.certain)
    parts = [f"keeps {certain}" if certain else "", f"may keep {unsure}" if unsure else ""]
    return (
        f"the platform {' and '.join(filter(None, parts))}, which it did not finish creating: "
        "only the platform's administrator can delete it"
    )


def leftovers_to_json(leftovers: Iterable[Leftover]) -> list[dict[str, Any]] | None:
    """Return them as JSON, for the journal and the API; none at all is ``None``."""
    shown = [{"kind": each.kind, "id": each.id, "certain": each.certain} for each in leftovers]
    return shown or None


def leftovers_from_json(document: Sequence[Mapping[str, Any]] | None) -> tuple[Leftover, ...]:
    """Return what ``leftovers_to_json`` wrote."""
    return tuple(Leftover(each["kind"], each["id"], each["certain"]) for each in document or ())


class OnboardingError(ServiceError):
    """The onboarding could not be done."""

    code = "onboarding_failed"


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
    retry_after = 1.0


class LeaseLost(OnboardingError):
    """Another process goes on with this onboarding; ask again in a moment."""

    status = 503
    code = "taken_over"
    retry_after = 1.0


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


class HalfMade(OnboardingError):
    """The platform says that something exists, and shows it to nobody."""

    status = 502
    code = "half_made_on_platform"

    def __init__(self, kind: EntityKind, identifiers: Collection[str]) -> None:
        """Name the things by their IDs, all of one kind."""
        named = " and ".join(f"{kind} {each}" for each in sorted(identifiers))
        super().__init__(
            f"the platform did not finish creating {named}: it says that it exists, but shows it "
            "to nobody. Only the platform's administrator can delete it. To get other IDs, send "
            'the request again with on_existing "replace", or remove the gateway and onboard it '
            "again"
        )
        self.identifiers = frozenset(identifiers)


class IdsSpent(OnboardingError):
    """What had these IDs was deleted, and the platform never takes an ID again."""

    status = 409
    code = "ids_spent"

    def __init__(self, why: str) -> None:
        """Say it in the platform's words."""
        super().__init__(
            f'{why}. To get other IDs, send the request again with on_existing "repair" or '
            '"replace", or remove the gateway and onboard it again'
        )


class OnboardingNotFound(OnboardingError):
    """There is no onboarding with this ID in this domain."""

    status = 404
    code = "onboarding_not_found"


class GatewayNotFound(OnboardingError):
    """No gateway with this external ID was onboarded in this domain."""

    status = 404
    code = "gateway_not_found"


class GatewayRemoved(GatewayNotFound):
    """The gateway with this external ID was removed."""

    code = "gateway_removed"


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
