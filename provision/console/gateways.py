"""The section Gateways: the list, each gateway, and its drift."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from attrs import field, frozen
from starlette.responses import Response

from provision.console.api import RECORD, Api
from provision.console.errors import Refused
from provision.console.pages import Page, PageRequest
from provision.console.widgets import PAGE, address, differences, offset_of, pager

NOT_SERVED: Final = (404, 405)
MAX_SHOWN: Final = 120


@frozen
class Ending:
    """How long a certificate is still valid: the text of a badge and its kind."""

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


def links_of(external_id: str) -> dict[str, Any]:
    """Return what every page about a gateway shows and links to."""
    return {
        "external_id": external_id,
        "address": address,
        "to": lambda action: address("gateway", action, external_id),
        # Its pages stand under the gateway in the navigation, wherever they are.
        "path": address("gateways", external_id),
    }


def ending(written: str, now: datetime, due: str = "") -> Ending:
    """Return how long a certificate is valid that ends at ``written`` (empty: there is none).

    It is marked from ``due`` on, when it should have been renewed.
    """
    if not written:
        return Ending("no certificate", "none")
    left = datetime.fromisoformat(written) - now
    if left < timedelta():
        return Ending("expired", "bad")
    days = left.days
    text = "1 day" if days == 1 else f"{days} days"
    return Ending(text, "busy" if due and datetime.fromisoformat(due) <= now else "good")


async def drift_of(api: Api, external_id: str) -> DriftSeen:
    """Ask how a gateway differs on the platform from what was made; that costs platform calls."""
    try:
        answer = await api.in_domain.get("mapping", external_id, "drift")
    except Refused as error:
        if error.status in NOT_SERVED:
            return DriftSeen(unknown="This service does not compare gateways with the platform.")
        return DriftSeen(unknown=f"The platform could not be asked: {error.message}")
    return DriftSeen(answer["drift"], answer.get("checked_at", ""))


async def delivery_of(request: PageRequest, gateway: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the device would get now, secrets masked; ``error`` says why it is not known."""
    bootstrap = gateway.get("bootstrap")
    if not bootstrap:
        return {"error": "This gateway has no bootstrap configuration."}
    try:
        found: Mapping[str, Any] = await request.api.in_domain.get(
            "clients", "configs", bootstrap["config_id"], "delivery"
        )
    except Refused as error:
        return {"error": error.message, "last_fetch": bootstrap.get("last_fetch")}
    return found


def changes_of(plan: Mapping[str, Any]) -> Changes:
    """Return what a plan changes, as rows and lines to show."""
    rows = [
        (change["action"], change["kind"], change["key"], _fields(change["fields"]))
        for change in plan["changes"]
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
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"


STATES: Final = ("done", "planned", "undoing", "stuck")
DAYS: Final = (7, 30, 90)
FILTERS: Final = ("search", "state", "layout", "certificate_days")


@frozen
class Gateways:
    """Pages that show gateways; the list is one call of the API, whatever their number."""

    now: Callable[[], datetime]

    def pages(self) -> Sequence[Page]:
        return [
            Page("GET", "/console/gateways", self.list),
            Page("GET", "/console/gateways/{external_id:path}", self.view),
            Page("GET", "/console/gateway/drift/{external_id:path}", self.drift),
            Page("POST", "/console/gateway/configuration/{external_id:path}", self.reveal),
        ]

    async def list(self, request: PageRequest) -> Response:
        asked = {name: request.query(name) for name in FILTERS}
        given = {name: value for name, value in asked.items() if value}
        page: dict[str, str | int] = {"offset": offset_of(request.http), "limit": PAGE}
        found = await request.api.in_domain.get("gateways", query={**given, **page})
        layouts = (await request.api.get("layouts"))["layouts"]
        rows = [{**line, "ending": _ending(line, self.now())} for line in found["gateways"]]
        context = {
            "address": address,
            "gateways": rows,
            "pager": pager(request.http, found, asked),
            "asked": asked,
            "filtered": bool(given),
            "states": STATES,
            "days": DAYS,
            "layouts": [layout["name"] for layout in layouts],
        }
        return await request.page("gateways/list.html", context)

    async def view(self, request: PageRequest) -> Response:
        return await self._shown(request, {})

    async def reveal(self, request: PageRequest) -> Response:
        gateway = await request.api.in_domain.get(
            "mapping", request.path("external_id"), query=RECORD
        )
        config_id = gateway["bootstrap"]["config_id"]
        path = ("clients", "configs", config_id, "delivery")
        whole = await request.api.in_domain.get(*path, query={"show_secrets": "true"})
        return await self._shown(request, {"delivery": whole, "revealed": True})

    async def drift(self, request: PageRequest) -> Response:
        """Show how a gateway differs on the platform: as a mark, a part of its page, or a page."""
        external_id = request.path("external_id")
        seen = await drift_of(request.api, external_id)
        mark = "mark" if request.query("as") == "mark" else "part"
        template = f"gateways/drift_{mark if request.is_partial else 'page'}.html"
        return await request.page(template, {"drift": seen, **links_of(external_id)})

    async def _shown(self, request: PageRequest, more: Mapping[str, Any]) -> Response:
        external_id = request.path("external_id")
        gateway = await request.api.in_domain.get("mapping", external_id, query=RECORD)
        onboarding = gateway["onboarding"]
        journal = await request.api.in_domain.get("onboardings", onboarding["id"])
        delivery = more.get("delivery") or await delivery_of(request, gateway)
        certificates = [
            {
                **certificate,
                "ending": ending(certificate["expiry_time"], self.now(), certificate["due_time"]),
            }
            for certificate in gateway["certificates"]
        ]
        context = {
            "gateway": gateway,
            "onboarding": onboarding,
            "audit": journal["audit"],
            "certificates": certificates,
            "names": {
                resource["id"]: resource["name"]
                for resource in [*gateway["clients"], *gateway["channels"]]
            },
            "delivery": delivery,
            "content": "\n".join(pretty(delivery.get("content", ""))),
            "fetched": _fetched(delivery),
            "revealed": more.get("revealed", False),
            "is_there": onboarding["state"] == "done",
            "is_gone": onboarding["state"] == "undone",
            **links_of(external_id),
        }
        return await request.page("gateways/one.html", context)


def _fetched(delivery: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what the device was given last, its secrets masked, and how it differs from now."""
    content = (delivery.get("last_fetch") or {}).get("content", "")
    if not content:
        return None
    return {
        "content": "\n".join(pretty(content)),
        "lines": differences(pretty(content), pretty(delivery.get("content", ""))),
    }


def _ending(line: Mapping[str, Any], now: datetime) -> Ending:
    return ending(line.get("certificate_ends", ""), now, line.get("certificate_due", ""))
