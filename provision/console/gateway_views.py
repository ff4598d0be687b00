"""What pages about gateways show, gathered from the API's answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from attrs import field, frozen

from provision.console.addresses import address
from provision.console.api import Api
from provision.console.differences import differences
from provision.console.errors import Refused
from provision.console.visit import Visit

NOT_SERVED: Final = (404, 405)
SOON: Final = timedelta(days=30)
SHOWN_MOST: Final = 120


@frozen
class Ending:
    """How long a certificate still holds: in words, and how urgent that is (a badge's kind)."""

    text: str
    kind: str


@frozen
class DriftSeen:
    """What differs on the platform; ``unknown`` says why nobody can tell."""

    found: Sequence[Mapping[str, Any]] = ()
    checked_at: str = ""
    unknown: str = ""

    @property
    def mark(self) -> tuple[str, str]:
        """The badge: its text and kind."""
        if self.unknown:
            return ("unknown", "calm")
        if self.found:
            return (f"{len(self.found)} different", "bad")
        return ("none", "good")


@frozen
class Changes:
    """What a plan would change: rows of (action, kind, key, fields), and the content's lines."""

    rows: Sequence[tuple[str, str, str, Sequence[str]]] = ()
    lines: Sequence[tuple[str, str]] = field(factory=tuple)
    error: str = ""


def frame_of(external_id: str) -> dict[str, Any]:
    """Return what every page about a gateway shows and links to."""
    return {
        "external_id": external_id,
        "address": address,
        "to": lambda action: address("gateway", action, external_id),
        # Its pages stand under the gateway in the navigation, wherever they are.
        "path": address("gateways", external_id),
    }


def ending(written: str, now: datetime) -> Ending:
    """Tell how long a certificate holds that ends at ``written``; empty means there is none."""
    if not written:
        return Ending("no certificate", "none")
    left = datetime.fromisoformat(written) - now
    if left < timedelta():
        return Ending("expired", "bad")
    days = left.days
    text = "1 day" if days == 1 else f"{days} days"
    return Ending(text, "busy" if left < SOON else "good")


async def drift_of(api: Api, external_id: str) -> DriftSeen:
    """Ask how a gateway differs on the platform from what was made; that costs platform calls."""
    try:
        answer = await api.in_domain.get("mapping", external_id, "drift")
    except Refused as error:
        if error.status in NOT_SERVED:
            return DriftSeen(unknown="This service does not compare gateways with the platform.")
        return DriftSeen(unknown=f"The platform could not be asked: {error.message}")
    return DriftSeen(answer["drift"], answer.get("checked_at", ""))


async def delivery_of(visit: Visit, gateway: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the device would get now, secrets masked; ``error`` says why it is not known."""
    bootstrap = gateway.get("bootstrap")
    if not bootstrap:
        return {"error": "This gateway has no bootstrap configuration."}
    try:
        found: Mapping[str, Any] = await visit.api.in_domain.get(
            "clients", "configs", bootstrap["config_id"], "delivery"
        )
    except Refused as error:
        return {"error": error.message, "last_fetch": bootstrap.get("last_fetch")}
    return found


def changes_of(plan: Mapping[str, Any]) -> Changes:
    """Return what a plan changes, as rows and lines to show."""
    rows = [
        (each["action"], each["kind"], each["key"], _fields(each["fields"]))
        for each in plan["changes"]
    ]
    after, before = plan["rendered"], plan.get("rendered_before", {})
    lines = differences(pretty(before.get("content", "")), pretty(after.get("content", "")))
    return Changes(rows, lines, after.get("error", ""))


def pretty(content: str) -> list[str]:
    """Return a content's lines; JSON is laid out for people."""
    try:
        return json.dumps(json.loads(content), indent=2, ensure_ascii=False).splitlines()
    except json.JSONDecodeError:
        return content.splitlines()


def _fields(fields: Mapping[str, Mapping[str, Any]]) -> Sequence[str]:
    return [f"{name}: {_before_and_after(change)}" for name, change in fields.items()]


def _before_and_after(change: Mapping[str, Any]) -> str:
    before, after = change["before"], change["after"]
    if before is None or after is None:
        return _shown(after if before is None else before)
    return f"{_shown(before)} → {_shown(after)}"


def _shown(value: Any) -> str:  # noqa: ANN401 - JSON
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_MOST else text[: SHOWN_MOST - 1] + "…"
