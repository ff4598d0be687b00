"""How a gateway is answered: a superset of the Go service's answer, in either vocabulary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cryptography import x509

from bootstrap_core.enrollments import Enrolled
from bootstrap_core.model import rfc3339, segment
from provision.layout.model import Dialect
from provision.layout.plan import Plan, PlannedChannel, PlannedClient
from provision.onboarding.drift import Difference, Drift, DriftKind, Remedy
from provision.onboarding.errors import Leftover, leftovers_to_json, told
from provision.onboarding.model import Onboarding, Summary, step_to_json
from provision.onboarding.service import near_hint
from provision.pki.profiles import due_at

REMEDIES: Final = {
    Remedy.REPAIR: 'send the request again with on_existing "repair"',
    Remedy.ENABLE: "enable it on the platform",
}


def warnings_of_drift(drift: Drift) -> Iterator[dict[str, Any]]:
    """Yield what is wrong with a gateway that was reused, each with its cure."""
    if drift.unknown is not None:
        message = f"whether the gateway is whole on the platform is not known: {drift.unknown}"
        yield {"code": "not_checked", "message": message}
    for difference in drift.differences:
        if difference.remedy in REMEDIES:
            message = (
                f"the gateway is not whole: {_told(difference)}; {REMEDIES[difference.remedy]}"
            )
            yield {"code": "not_whole", "message": message}


def warnings_of_leftovers(leftovers: Sequence[Leftover]) -> Iterator[dict[str, Any]]:
    """Yield what an onboarding left, or may have left, in the platform's store."""
    if leftovers:
        named = leftovers_to_json(leftovers)
        yield {"code": "left_on_platform", "message": told(leftovers), "leftovers": named}


def warnings_of_replaced(old: Onboarding | None) -> Iterator[dict[str, Any]]:
    """Yield that a gateway that was replaced is still on the platform."""
    if old is None:
        return
    message = (
        f"the gateway before this one (onboarding {old.id}) is still on the platform, and its "
        "clients' secrets and certificates work there until it is removed, which goes on in the "
        f"background: GET /{old.domain_id}/onboardings/{old.id} tells when its state is undone"
    )
    if old.error_message:
        message += f"; the last attempt failed: {old.error_message}"
    yield {"code": "replaced_still_there", "message": message, "onboarding_id": old.id}


def warnings_of_near(near: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield a hint at gateways whose external ID is the same in another spelling."""
    if near:
        message = f"there is also {near_hint(near)}: if they are one device, remove one"
        yield {"code": "near_external_id", "message": message, "external_ids": list(near)}


def _told(difference: Difference) -> str:
    named = f"{difference.kind} {difference.key}"
    if difference.drift is DriftKind.CHANGED:
        return f"{named} has another {', '.join(difference.fields)} on the platform"
    return f"{named} was {difference.drift.value} on the platform"


NEVER = "0001-01-01T00:00:00Z"
"""How Magistrala writes the time of an update that there has not been."""


def mapping_answer(onboarding: Onboarding, base_url: str) -> dict[str, Any]:
    """Return the answer to ``POST /mapping``; it shows the secrets that were made."""
    plan, intent = onboarding.plan, onboarding.intent
    created = rfc3339(onboarding.created_at)
    answer: dict[str, Any] = {}
    if plan.dialect is Dialect.MAINFLUX:
        answer["things"] = [_thing(each) for each in plan.clients]
    else:
        answer["clients"] = [_client(each, plan, created) for each in plan.clients]
    answer["channels"] = [_channel(each, plan, created) for each in plan.channels]
    answer["connections"] = connections_answer(plan)
    if intent.certificates:
        answer["client_cert"] = {c.client_id: c.certificate for c in intent.certificates}
        keys = {c.client_id: c.private_key for c in intent.certificates if c.private_key}
        answer["client_key"] = keys
        answer["ca_cert"] = intent.ca_chain
    if plan.config is not None:
        if plan.config.status == "enabled":
            answer["whitelisted"] = {plan.config.id: True}
        answer["bootstrap"] = {
            "config_id": plan.config.id,
            "profile_id": intent.profile_id or None,
            "status": plan.config.status,
            "bindings": [
                {"slot": each.slot, "type": each.type, "resource_id": each.resource_id}
                for each in plan.bindings
            ],
            "url": f"{base_url}/clients/bootstrap/{segment(plan.external_id)}",
        }
    answer["onboarding"] = {
        "id": onboarding.id,
        "state": onboarding.state.value,
        "outcome": onboarding.outcome.value,
        "layout": plan.layout,
        "layout_digest": plan.layout_digest,
    }
    return answer


def plan_answer(plan: Plan) -> dict[str, Any]:
    """Return what a request would create; IDs and secrets are not chosen before it is made."""
    keys = {each.id: each.key for each in plan.clients}
    keys |= {each.id: each.key for each in plan.channels}
    return {
        "dry_run": True,
        "layout": plan.layout,
        "layout_digest": plan.layout_digest,
        "clients": [
            {
                "key": each.key,
                "name": each.name,
                "metadata": _without_ids(each.metadata, keys),
                "tags": list(each.tags),
                "certificate": each.certificate,
                "gateway": each.is_gateway,
            }
            for each in plan.clients
        ],
        "channels": [
            {
                "key": each.key,
                "name": each.name,
                "metadata": each.metadata,
                "tags": list(each.tags),
            }
            for each in plan.channels
        ],
        "connections": [
            {
                "client": keys[each.client_id],
                "channel": keys[each.channel_id],
                "types": list(each.types),
            }
            for each in plan.pairs
        ],
        "certificates": [
            {
                "client": keys[each.client_id],
                "ttl_seconds": each.ttl_seconds,
                "key_type": each.key_type,
            }
            for each in plan.certificates
        ],
        "bindings": [
            {"slot": each.slot, "type": each.type, "resource": keys[each.resource_id]}
            for each in plan.bindings
        ],
    }


def gateway_answer(onboarding: Onboarding, enrolled: Enrolled | None) -> dict[str, Any]:
    """Return a gateway as it is, without any secret."""
    plan = onboarding.plan
    created = rfc3339(onboarding.created_at)
    clients = [_client(each, plan, created) for each in plan.clients]
    for client in clients:
        client["credentials"].pop("secret")
    answer: dict[str, Any] = {
        "external_id": onboarding.external_id,
        "name": plan.name,
        "parameters": dict(plan.parameters),
        "clients": clients,
        "channels": [_channel(each, plan, created) for each in plan.channels],
        "connections": connections_answer(plan),
        "certificates": [
            {
                "client_id": each.client_id,
                "serial_number": each.serial,
                "expiry_time": rfc3339(each.expires_at),
                "due_time": rfc3339(
                    due_at(x509.load_pem_x509_certificate(each.certificate.encode()))
                ),
            }
            for each in onboarding.intent.certificates
        ],
        "onboarding": onboarding_answer(onboarding.summary),
    }
    if enrolled is not None:
        fetch = enrolled.last_fetch
        answer["bootstrap"] = {
            "config_id": enrolled.config.id,
            "profile_id": enrolled.config.profile_id or None,
            "status": enrolled.config.status.value,
            "bindings": [
                {"slot": each.slot, "type": each.type.value, "resource_id": each.resource_id}
                for each in enrolled.bindings
            ],
            "last_fetch": fetch
            and {"at": rfc3339(fetch.at), "outcome": fetch.outcome, "digest": fetch.digest},
        }
    return answer


def onboarding_answer(onboarding: Summary) -> dict[str, Any]:
    """Return one row of the journal, without any secret."""
    answer: dict[str, Any] = {
        "id": onboarding.id,
        "external_id": onboarding.external_id,
        "state": onboarding.state.value,
        "outcome": onboarding.outcome.value,
        "layout": onboarding.layout,
        "layout_digest": onboarding.layout_digest,
        "actor": onboarding.actor,
        "attempts": onboarding.attempts,
        "created_at": rfc3339(onboarding.created_at),
        "updated_at": rfc3339(onboarding.updated_at),
        "steps": [step_to_json(step) for step in onboarding.steps],
    }
    if onboarding.finished_at:
        answer["finished_at"] = rfc3339(onboarding.finished_at)
    if onboarding.next_attempt_at:
        answer["next_attempt_at"] = rfc3339(onboarding.next_attempt_at)
    if onboarding.replaces:
        answer["replaces"] = onboarding.replaces
    if left := leftovers_to_json(onboarding.leftovers):
        answer["leftovers"] = left
    if onboarding.error_code:
        answer["error"] = {"code": onboarding.error_code, "message": onboarding.error_message}
    return answer


def connections_answer(plan: Plan) -> list[dict[str, Any]]:
    """Return the connections one by one."""
    return [
        {
            "client_id": each.client_id,
            "channel_id": each.channel_id,
            "types": list(each.types),
        }
        for each in plan.pairs
    ]


def _client(client: PlannedClient, plan: Plan, created: str) -> dict[str, Any]:
    credentials: dict[str, Any] = {"secret": client.secret}
    if client.identity:
        credentials["identity"] = client.identity
    answer: dict[str, Any] = {
        "id": client.id,
        "name": client.name,
        "domain_id": plan.domain_id,
        "credentials": credentials,
        "created_at": created,
        "updated_at": NEVER,
        "status": "enabled",
    }
    if client.tags:
        answer["tags"] = list(client.tags)
    if client.metadata:
        answer["metadata"] = client.metadata
    return answer


def _thing(client: PlannedClient) -> dict[str, Any]:
    return {
        "id": client.id,
        "name": client.name,
        "key": client.secret,
        "metadata": client.metadata,
    }


def _channel(channel: PlannedChannel, plan: Plan, created: str) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "id": channel.id,
        "name": channel.name,
        "domain_id": plan.domain_id,
        "created_at": created,
        "updated_at": NEVER,
        "status": "enabled",
    }
    if channel.route:
        answer["route"] = channel.route
    if channel.tags:
        answer["tags"] = list(channel.tags)
    if channel.metadata:
        answer["metadata"] = channel.metadata
    return answer


def _without_ids(metadata: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    """Return metadata in which IDs that are chosen anew each time are shown by their key."""
    return {
        name: f"(ID of {keys[value]})" if isinstance(value, str) and value in keys else value
        for name, value in metadata.items()
    }
