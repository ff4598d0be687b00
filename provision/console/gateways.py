"""Gateways: the list, one of them, and how it differs from what was made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from starlette.responses import Response

from provision.console.addresses import address
from provision.console.differences import differences
from provision.console.gateway_views import (
    delivery_of,
    drift_of,
    ending,
    frame_of,
    pretty,
)
from provision.console.page import Page
from provision.console.paging import PAGE, offset_of, pager
from provision.console.visit import Visit

STATES: Final = ("done", "planned", "undoing", "stuck")
DAYS: Final = (7, 30, 90)
FILTERS: Final = ("search", "state", "layout", "certificate_days")


@frozen
class Gateways:
    """Pages that show gateways; the list is one call of the API, whatever their number."""

    now: Callable[[], datetime]

    def pages(self) -> Sequence[Page]:
        """Return the pages."""
        return [
            Page("GET", "/console/gateways", self.list),
            Page("GET", "/console/gateways/{external_id:path}", self.view),
            Page("GET", "/console/gateway/drift/{external_id:path}", self.drift),
            Page("POST", "/console/gateway/configuration/{external_id:path}", self.reveal),
        ]

    async def list(self, visit: Visit) -> Response:
        """List gateways."""
        asked = {name: visit.query(name) for name in FILTERS}
        given = {name: value for name, value in asked.items() if value}
        page: dict[str, str | int] = {"offset": offset_of(visit.request), "limit": PAGE}
        found = await visit.api.in_domain.get("gateways", query={**given, **page})
        layouts = (await visit.api.get("layouts"))["layouts"]
        rows = [
            {**each, "ending": ending(each.get("certificate_ends", ""), self.now())}
            for each in found["gateways"]
        ]
        context = {
            "address": address,
            "gateways": rows,
            "pager": pager(visit.request, found, asked),
            "asked": asked,
            "filtered": bool(given),
            "states": STATES,
            "days": DAYS,
            "layouts": [each["name"] for each in layouts],
        }
        return await visit.page("gateways/list.html", context)

    async def view(self, visit: Visit) -> Response:
        """Show one gateway."""
        return await self._shown(visit, {})

    async def reveal(self, visit: Visit) -> Response:
        """Show one gateway, the secrets of its configuration in clear."""
        gateway = await visit.api.in_domain.get("mapping", visit.path("external_id"))
        config_id = gateway["bootstrap"]["config_id"]
        path = ("clients", "configs", config_id, "delivery")
        whole = await visit.api.in_domain.get(*path, query={"show_secrets": "true"})
        return await self._shown(visit, {"delivery": whole, "revealed": True})

    async def drift(self, visit: Visit) -> Response:
        """Show how a gateway differs on the platform: as a mark, a part of its page, or a page."""
        external_id = visit.path("external_id")
        seen = await drift_of(visit.api, external_id)
        mark = "mark" if visit.query("as") == "mark" else "part"
        template = f"gateways/drift_{mark if visit.is_partial else 'page'}.html"
        return await visit.page(template, {"drift": seen, **frame_of(external_id)})

    async def _shown(self, visit: Visit, more: Mapping[str, Any]) -> Response:
        external_id = visit.path("external_id")
        gateway = await visit.api.in_domain.get("mapping", external_id)
        onboarding = gateway["onboarding"]
        journal = await visit.api.in_domain.get("onboardings", onboarding["id"])
        delivery = more.get("delivery") or await delivery_of(visit, gateway)
        certificates = [
            {**each, "ending": ending(each["expiry_time"], self.now())}
            for each in gateway["certificates"]
        ]
        context = {
            "gateway": gateway,
            "onboarding": onboarding,
            "audit": journal["audit"],
            "certificates": certificates,
            "names": {
                each["id"]: each["name"] for each in [*gateway["clients"], *gateway["channels"]]
            },
            "delivery": delivery,
            "content": "\n".join(pretty(delivery.get("content", ""))),
            "fetched": _fetched(delivery),
            "revealed": more.get("revealed", False),
            "is_there": onboarding["state"] == "done",
            "is_gone": onboarding["state"] == "undone",
            **frame_of(external_id),
        }
        return await visit.page("gateways/one.html", context)


def _fetched(delivery: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what the device was given last, its secrets masked, and how it differs from now."""
    content = (delivery.get("last_fetch") or {}).get("content", "")
    if not content:
        return None
    return {
        "content": "\n".join(pretty(content)),
        "lines": differences(pretty(content), pretty(delivery.get("content", ""))),
    }
