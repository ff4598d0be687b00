"""The section Onboardings: the journal, and what you can do about an onboarding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from attrs import frozen
from starlette.responses import Response

from provision.console.errors import Refused
from provision.console.forms import Form
from provision.console.gateway_actions import CONFIRM, EFFECT, Action
from provision.console.pages import Page, PageRequest
from provision.console.widgets import PAGE, address, offset_of, pager

PROGRESS: Final = (
    ("", "All"),
    ("running", "Running"),
    ("stuck", "Stuck"),
    ("failed", "Failed"),
)
STATES: Final = ("planned", "done", "undoing", "stuck", "undone")
FILTERS: Final = ("progress", "state", "external_id", "layout")
ONE: Final = "/console/onboardings/{onboarding_id}"


@frozen
class OnboardingPages:
    """Pages of the journal."""

    def pages(self) -> Sequence[Page]:
        return [
            Page("GET", "/console/onboardings", self.list),
            Page("GET", ONE, self.view),
            Page("GET", f"{ONE}/retry", partial(self._ask, "retry")),
            Page("POST", f"{ONE}/retry", partial(self._send, "retry")),
            Page("GET", f"{ONE}/undo", partial(self._ask, "undo")),
            Page("POST", f"{ONE}/undo", partial(self._send, "undo")),
            Page("GET", f"{ONE}/forget", partial(self._ask, "forget")),
            Page("POST", f"{ONE}/forget", self.forget),
        ]

    async def list(self, request: PageRequest) -> Response:
        asked = {name: request.query(name) for name in FILTERS}
        given = {name: value for name, value in asked.items() if value}
        page: dict[str, str | int] = {"offset": offset_of(request.http), "limit": PAGE}
        found = await request.api.in_domain.get("onboardings", query={**given, **page})
        layouts = (await request.api.get("layouts"))["layouts"]
        context = {
            "address": address,
            "onboardings": found["onboardings"],
            "pager": pager(request.http, found, asked),
            "asked": asked,
            "filtered": bool(given),
            "progress": PROGRESS,
            "states": STATES,
            "layouts": [layout["name"] for layout in layouts],
        }
        return await request.page("onboardings/list.html", context)

    async def view(self, request: PageRequest) -> Response:
        found = await _onboarding(request)
        seconds = sum(step["milliseconds"] for step in found["steps"]) / 1000
        own = [entry for entry in found["audit"] if entry["onboarding_id"] == found["id"]]
        context = {"address": address, "onboarding": found, "seconds": seconds, "audit": own}
        return await request.page("onboardings/one.html", context)

    async def forget(self, request: PageRequest) -> Response:
        """Take out of the journal what was removed from the platform's store."""
        onboarding_id = request.path("onboarding_id")
        try:
            await request.api.in_domain.delete("onboardings", onboarding_id, "leftovers")
        except Refused as error:
            return await self._ask("forget", request, request.form.refused(error, ()))
        message = "What was left on the platform is no longer listed."
        return await request.done(address("onboardings", onboarding_id), message)

    async def _send(self, name: str, request: PageRequest) -> Response:
        onboarding_id = request.path("onboarding_id")
        try:
            after = await request.api.in_domain.post("onboardings", onboarding_id, name)
        except Refused as error:
            return await self._ask(name, request, request.form.refused(error, ()))
        message = f"The onboarding of {after['external_id']} is {after['state']} now."
        return await request.done(address("onboardings", onboarding_id), message)

    async def _ask(self, name: str, request: PageRequest, form: Form | None = None) -> Response:
        form = form or request.form
        found = await _onboarding(request)
        action = ACTIONS[name](found)
        here = address("onboardings", str(found["id"]))
        context = {
            "action": action,
            "columns": EFFECT,
            "target": f"{here}/{name}",
            "back": here,
            "crumb": (here, "Onboarding"),
            "fields": {},
            "drift": None,
        }
        return await request.page(CONFIRM, context, form=form)


async def _onboarding(request: PageRequest) -> Mapping[str, Any]:
    found: Mapping[str, Any] = await request.api.in_domain.get(
        "onboardings", request.path("onboarding_id")
    )
    return found


def _retry_action(onboarding: Mapping[str, Any]) -> Action:
    back = onboarding["state"] == "undoing"
    rows = [
        ("Onboarding", onboarding["id"], f"attempt {onboarding['attempts'] + 1}, now"),
        (
            "Gateway",
            onboarding["external_id"],
            "what is left of it is removed" if back else "finished or removed, as it was started",
        ),
    ]
    text = ["It is tried again now, with your credentials, instead of at its next attempt."]
    return Action(f"Retry {onboarding['external_id']}?", text, rows, "Retry")


def _undo_action(onboarding: Mapping[str, Any]) -> Action:
    rows = [
        ("Gateway", onboarding["external_id"], "its device is cut off at once"),
        ("Clients and channels", "all of this onboarding", "deleted, with their connections"),
        ("Certificates", "all of this onboarding", "revoked"),
        ("Bootstrap config", "of this onboarding", "deleted"),
    ]
    if "replaces" in onboarding:
        rows.append(
            (
                "Gateway before it",
                onboarding["replaces"],
                "becomes the gateway again if it is still there",
            )
        )
    text = ["Everything that this onboarding made is removed. This can't be taken back."]
    title = f"Undo the onboarding of {onboarding['external_id']}?"
    return Action(title, text, rows, "Undo", "danger")


def _forget_action(onboarding: Mapping[str, Any]) -> Action:
    rows = [
        (leftover["kind"].capitalize(), leftover["id"], "no longer listed")
        for leftover in onboarding.get("leftovers", ())
    ]
    text = [
        "This removes nothing. Confirm it after the platform's administrator has deleted the rows."
    ]
    title = f"Were the leftovers of {onboarding['external_id']} deleted?"
    return Action(title, text, rows, "They were removed")


ACTIONS: Final = {"retry": _retry_action, "undo": _undo_action, "forget": _forget_action}
