"""How an onboarding is kept in its row: intent and token sealed, the rest readable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from bootstrap_core.secrets import Sealer, Secret
from provision.onboarding.errors import leftovers_from_json, leftovers_to_json
from provision.onboarding.model import (
    Heading,
    Onboarding,
    Outcome,
    State,
    Summary,
    intent_from_json,
    intent_to_json,
    step_from_json,
    step_to_json,
)


@frozen
class RowCodec:
    """Turns onboardings into values of their row, and back; sealed values are bound to the row."""

    _sealer: Sealer

    def encode(self, onboarding: Onboarding) -> dict[str, Any]:
        """Return the row's values, without place and lease."""
        intent = intent_to_json(onboarding.intent)
        return {
            "id": onboarding.id,
            "domain_id": onboarding.domain_id,
            "external_id": onboarding.external_id,
            "state": onboarding.state.value,
            "heading": onboarding.heading.value,
            "outcome": onboarding.outcome.value,
            "layout": onboarding.plan.layout,
            "layout_digest": onboarding.plan.layout_digest,
            "actor": onboarding.actor,
            "intent": self._sealer.seal(intent, sealed_place(onboarding.id, "intent")),
            "token": self.seal_token(onboarding.id, onboarding.token),
            "replaces": onboarding.replaces,
            "attempts": onboarding.attempts,
            "next_attempt_at": onboarding.next_attempt_at,
            "error_code": onboarding.error_code,
            "error_message": onboarding.error_message,
            "steps": [step_to_json(step) for step in onboarding.steps],
            "leftovers": leftovers_to_json(onboarding.leftovers),
            "created_at": onboarding.created_at,
            "updated_at": onboarding.updated_at,
            "finished_at": onboarding.finished_at,
        }

    def decode(self, row: Mapping[Any, Any]) -> Onboarding:
        """Return the onboarding of a row.

        Raises ``SealedValueUnreadable`` and ``IntentUnreadable``.
        """
        intent = self._sealer.open(row["intent"], sealed_place(row["id"], "intent"))
        token = self._sealer.open(row["token"], sealed_place(row["id"], "token"))
        return Onboarding(
            **_shown(row),
            domain_id=row["domain_id"],
            heading=Heading(row["heading"]),
            intent=intent_from_json(intent),
            token=Secret(token.decode()),
        )

    def seal_token(self, onboarding_id: str, token: Secret) -> str:
        """Return the token sealed for its row."""
        return self._sealer.seal(token.encode(), sealed_place(onboarding_id, "token"))


def summary_of(row: Mapping[Any, Any]) -> Summary:
    """Return what people see of a row; it need not be possible to open its intent."""
    return Summary(**_shown(row), layout=row["layout"], layout_digest=row["layout_digest"])


def _shown(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return what a row tells of an onboarding and of its summary alike."""
    return {
        "id": row["id"],
        "external_id": row["external_id"],
        "state": State(row["state"]),
        "outcome": Outcome(row["outcome"]),
        "actor": row["actor"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "finished_at": row["finished_at"],
        "replaces": row["replaces"],
        "attempts": row["attempts"],
        "next_attempt_at": row["next_attempt_at"],
        "error_code": row["error_code"],
        "error_message": row["error_message"],
        "steps": tuple(step_from_json(step) for step in row["steps"]),
        "leftovers": leftovers_from_json(row["leftovers"]),
    }


def sealed_place(onboarding_id: str, column: str) -> str:
    """Name the place of a row's value, to which it is sealed."""
    return f"onboardings/{onboarding_id}/{column}"
