"""An onboarding as the journal keeps it, and the intent that it carries out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from attrs import field, frozen

from bootstrap_core.secrets import Secret
from provision.layout.errors import PlanFormatError
from provision.layout.model import Layout
from provision.layout.plan import Plan, plan_from_json, plan_to_json
from provision.onboarding.errors import IntentUnreadable, Leftover
from provision.platform.credentials import token_user


class OnExisting(StrEnum):
    """What a request wants where the gateway exists already."""

    REUSE = "reuse"
    FAIL = "fail"
    REPAIR = "repair"
    ROTATE = "rotate"
    REPLACE = "replace"


@frozen
class MappingRequest:
    """A request to onboard a gateway with a layout.

    ``csrs`` are certificate requests (PEM) of devices that hold their key, by the layout's keys.
    """

    external_id: str
    external_key: Secret
    layout: Layout
    name: str | None = None
    parameters: Mapping[str, Any] = field(factory=dict, repr=False)
    on_existing: OnExisting = OnExisting.REUSE
    csrs: Mapping[str, str] = field(factory=dict)


INTENT_VERSION: Final = 1


class State(StrEnum):
    """How far an onboarding is."""

    PLANNED = "planned"
    """The intent is written; resources are being created."""
    DONE = "done"
    """The whole gateway is there."""
    UNDOING = "undoing"
    """What was created is being removed."""
    STUCK = "stuck"
    """Undoing (or finishing) keeps failing; it is tried again, ever more slowly."""
    UNDONE = "undone"
    """Nothing of it is left."""

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing remains to be done."""
        return self in (State.DONE, State.UNDONE)


class Heading(StrEnum):
    """Where a row that is not at rest is going; a stuck one keeps it."""

    APPLY = "forward"
    """The plan is applied, to the whole gateway."""
    ROLL_BACK = "back"
    """It is rolled back, to nothing at all."""


class Outcome(StrEnum):
    """What became of the gateway."""

    CREATED = "created"
    REUSED = "reused"
    REPAIRED = "repaired"
    ROTATED = "rotated"
    REPLACED = "replaced"


@frozen
class IssuedCertificate:
    """A client's certificate (PEM) as it was issued.

    ``private_key`` is empty once dropped, and where the device holds it; ``csr`` is the request
    (PEM) that was signed, which can be signed again.
    """

    client_id: str
    serial: str
    certificate: str
    expires_at: datetime
    private_key: Secret
    csr: str = ""


@frozen
class Intent:
    """All that is needed to carry an onboarding out, or to undo it, after any crash.

    ``external_key`` is wiped at the commit; its hash stays, so that a repeated request is known.
    ``private_keys`` (client ID to PEM) are made before the first remote call, so that a repeated
    signing request is for the same key; ``csrs`` (client ID to PEM) are the requests of devices
    that hold their key themselves. ``certificates``, ``ca_chain`` (PEM) and ``profile_id`` are
    known from the commit on. ``made_by`` is the user whose token created the resources.
    """

    plan: Plan
    external_key: Secret
    external_key_hash: str = field(default="", repr=False)
    private_keys: Mapping[str, Secret] = field(factory=dict)
    csrs: Mapping[str, str] = field(factory=dict)
    certificates: tuple[IssuedCertificate, ...] = ()
    ca_chain: str = ""
    profile_id: str = ""
    settled_at: datetime | None = None
    made_by: str = ""


@frozen
class Step:
    """One step that was tried: when it began, seconds it took, tries, and how it ended."""

    name: str
    began_at: datetime
    seconds: float
    tries: int
    error: str = ""


@frozen
class Summary:
    """What people see of a row of the journal: nothing that is sealed."""

    id: str
    external_id: str
    state: State
    outcome: Outcome
    layout: str
    layout_digest: str
    actor: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    replaces: str | None
    attempts: int
    next_attempt_at: datetime | None
    error_code: str
    error_message: str
    steps: tuple[Step, ...]
    leftovers: tuple[Leftover, ...] = ()


@frozen
class Onboarding:
    """One row of the journal.

    ``token`` is the caller's, kept only until the row is at rest. ``replaces`` names the
    onboarding whose gateway this one takes the place of. ``lease`` is the lease under which the
    holder of this value works on the row; ``quiet_since`` is when whoever worked on it before can
    have made a last call to the platform. ``leftovers`` are resources that were given up, or whose
    making got no answer: until they are known to be removed.
    """

    id: str
    domain_id: str
    external_id: str
    state: State
    outcome: Outcome
    actor: str
    intent: Intent
    token: Secret
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None
    replaces: str | None = None
    attempts: int = 0
    next_attempt_at: datetime | None = None
    error_code: str = ""
    error_message: str = ""
    steps: tuple[Step, ...] = ()
    leftovers: tuple[Leftover, ...] = ()
    heading: Heading = Heading.APPLY
    lease: str = ""
    quiet_since: datetime | None = None

    @property
    def plan(self) -> Plan:
        """What is to be created."""
        return self.intent.plan

    @property
    def summary(self) -> Summary:
        """What people see of it."""
        return Summary(
            id=self.id,
            external_id=self.external_id,
            state=self.state,
            outcome=self.outcome,
            layout=self.plan.layout,
            layout_digest=self.plan.layout_digest,
            actor=self.actor,
            created_at=self.created_at,
            updated_at=self.updated_at,
            finished_at=self.finished_at,
            replaces=self.replaces,
            attempts=self.attempts,
            next_attempt_at=self.next_attempt_at,
            error_code=self.error_code,
            error_message=self.error_message,
            steps=self.steps,
            leftovers=self.leftovers,
        )

    def was_made_with(self, token: Secret) -> bool:
        """Tell whether ``token`` is of the user whose token created the resources."""
        user_id = token_user(token) or (self.actor if token == self.token else "")
        return bool(user_id) and user_id == self.intent.made_by

    @property
    def created_ids(self) -> set[str]:
        """The IDs of the plan's clients and channels."""
        return set(self.plan.entity_ids)

    @property
    def borrowed_ids(self) -> set[str]:
        """The names of the plan's connections between clients and channels of others."""
        return {pair.id for pair in self.plan.borrowed}


def intent_to_json(intent: Intent) -> bytes:
    """Return the intent as JSON with its secrets revealed: to be sealed at once."""
    return json.dumps(
        {
            "version": INTENT_VERSION,
            "plan": plan_to_json(intent.plan),
            "external_key": intent.external_key.reveal(),
            "external_key_hash": intent.external_key_hash,
            "private_keys": {k: v.reveal() for k, v in intent.private_keys.items()},
            "csrs": dict(intent.csrs),
            "certificates": [_certificate_to_json(issued) for issued in intent.certificates],
            "ca_chain": intent.ca_chain,
            "profile_id": intent.profile_id,
            "settled_at": intent.settled_at and intent.settled_at.isoformat(),
            "made_by": intent.made_by,
        },
        separators=(",", ":"),
        allow_nan=False,
    ).encode()


def intent_from_json(text: bytes) -> Intent:
    """Return the intent that ``intent_to_json`` wrote.

    Raises ``IntentUnreadable`` for any other text.
    """
    try:
        document = json.loads(text)
        if document["version"] != INTENT_VERSION:
            raise IntentUnreadable(f"the intent has version {document['version']!r}")
        return Intent(
            plan=plan_from_json(document["plan"]),
            external_key=Secret(document["external_key"]),
            external_key_hash=document["external_key_hash"],
            private_keys={k: Secret(v) for k, v in document["private_keys"].items()},
            csrs=dict(document["csrs"]),
            certificates=tuple(
                _certificate_from_json(issued) for issued in document["certificates"]
            ),
            ca_chain=document["ca_chain"],
            profile_id=document["profile_id"],
            settled_at=_time(document.get("settled_at")),
            made_by=document.get("made_by", ""),
        )
    except PlanFormatError as error:
        raise IntentUnreadable(str(error)) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise IntentUnreadable from None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _certificate_to_json(certificate: IssuedCertificate) -> dict[str, Any]:
    return {
        "client_id": certificate.client_id,
        "serial": certificate.serial,
        "certificate": certificate.certificate,
        "expires_at": certificate.expires_at.isoformat(),
        "private_key": certificate.private_key.reveal(),
        "csr": certificate.csr,
    }


def _certificate_from_json(document: Mapping[str, Any]) -> IssuedCertificate:
    return IssuedCertificate(
        client_id=document["client_id"],
        serial=document["serial"],
        certificate=document["certificate"],
        expires_at=datetime.fromisoformat(document["expires_at"]),
        private_key=Secret(document["private_key"]),
        csr=document["csr"],
    )


def step_to_json(step: Step) -> dict[str, Any]:
    """Return a step as a JSON object, for the journal and the API."""
    return {
        "name": step.name,
        "began_at": step.began_at.isoformat().replace("+00:00", "Z"),
        "milliseconds": round(step.seconds * 1000, 1),
        "tries": step.tries,
        **({"error": step.error} if step.error else {}),
    }


def step_from_json(document: Mapping[str, Any]) -> Step:
    """Return the step that ``step_to_json`` wrote."""
    return Step(
        name=document["name"],
        began_at=datetime.fromisoformat(document["began_at"]),
        seconds=document["milliseconds"] / 1000,
        tries=document["tries"],
        error=document.get("error", ""),
    )
