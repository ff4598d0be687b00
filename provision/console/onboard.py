"""Onboarding a gateway: the form, what it would make, and the start."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import shlex
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from starlette.responses import Response, StreamingResponse

from bootstrap_core.model import segment
from bootstrap_core.secrets import Secret
from provision.console.addresses import address
from provision.console.api import RECORD
from provision.console.errors import ConsoleError, Refused
from provision.console.forms import (
    Form,
    ParameterField,
    defaults_of,
    fields_of,
    values_of,
    with_refusal,
)
from provision.console.layouts import drawing_of, qr_code_of
from provision.console.page import Page
from provision.console.undertakings import Undertaking, Undertakings
from provision.console.visit import Visit

WATCH: Final = "/console/onboard/watch/{name}"
RESULT: Final = "/console/onboard/result/{onboarding_id}"
LOOK_AGAIN: Final = 0.3
"""Seconds between two looks at the journal."""
NOT_FOUND: Final = 404
NO_CONTENT: Final = 204
SAID: Final = {
    "created": "The gateway {} is onboarded.",
    "reused": "The gateway {} was there already; nothing has changed.",
    "repaired": "The gateway {} was repaired.",
    "rotated": "The gateway {} has new secrets and certificates.",
    "replaced": "The gateway {} was replaced.",
}


@frozen
class OnboardWatch:
    """The pages from the start of an onboarding on; ``public_url`` may be empty."""

    undertakings: Undertakings
    public_url: str

    def pages(self) -> Sequence[Page]:
        """Return the pages."""
        return [
            Page("GET", WATCH, self.watch),
            Page("GET", WATCH + "/events", self.events),
            Page("GET", RESULT, self.result),
        ]

    async def watch(self, visit: Visit) -> Response:
        """Show how far it is; when it is done, go on to its result or show what went wrong."""
        found = self.undertakings.find(visit.session.id, visit.path("name"))
        if found is None:
            return await visit.page("onboard/lost.html", status=NOT_FOUND)
        result = found.result
        if result is None:
            progress = {"external_id": found.external_id, "row": await _row(visit, found)}
            return await visit.page("onboard/watch.html", progress | {"name": found.id})
        if isinstance(result, ConsoleError):
            told = {
                "external_id": found.external_id,
                "error": result,
                "fields": {name: found.form.text(name) for name in found.form.values},
            }
            return await visit.page("onboard/failed.html", told)
        return await self._arrived(visit, found, result)

    async def events(self, visit: Visit) -> Response:
        """Stream how far it is, as server-sent events: ``steps`` (HTML) and, at last, ``done``."""
        found = self.undertakings.find(visit.session.id, visit.path("name"))
        if found is None:
            return Response(status_code=NO_CONTENT)

        async def stream() -> AsyncIterator[str]:
            told = ""
            while found.result is None:
                shown = _steps(visit, await _row(visit, found))
                if shown != told:
                    yield _event("steps", shown)
                told = shown
                await asyncio.wait({found.work}, timeout=LOOK_AGAIN)
            yield _event("steps", _steps(visit, await _row(visit, found)))
            yield _event("done", "")

        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)

    async def result(self, visit: Visit) -> Response:
        """Show what an onboarding has made; the external key was shown before and is not known."""
        row = await visit.api.in_domain.get("onboardings", visit.path("onboarding_id"))
        try:
            gateway = await visit.api.in_domain.get("mapping", row["external_id"], query=RECORD)
        except Refused as error:
            if error.status != NOT_FOUND:
                raise
            gateway = None
        url = self._bootstrap_url(visit, row["external_id"])
        context = {
            "row": row,
            "gateway": gateway,
            "url": url,
            "command": _command(url, "<external key>"),
            "qr_code": qr_code_of(url),
        }
        return await visit.page("onboard/result.html", context)

    async def _arrived(
        self, visit: Visit, found: Undertaking, result: Mapping[str, Any]
    ) -> Response:
        after = address("onboard", "result", result["onboarding"]["id"])
        key = found.external_key
        if not key:
            return visit.to(after)
        self.undertakings.forget_key(found)
        shown = {"External key": key}
        if "bootstrap" in result:
            url = self._bootstrap_url(visit, found.external_id)
            shown["The device's request"] = Secret(_command(url, key.reveal()))
        said = SAID.get(result["onboarding"]["outcome"], SAID["created"])
        sentences = [said.format(found.external_id)]
        sentences += [f"Warning: {warning['message']}." for warning in result.get("warnings", ())]
        return await visit.done(after, " ".join(sentences), shown)

    def _bootstrap_url(self, visit: Visit, external_id: str) -> str:
        base = (self.public_url or str(visit.request.base_url)).rstrip("/")
        return f"{base}/clients/bootstrap/{segment(external_id)}"


async def _row(visit: Visit, found: Undertaking) -> Mapping[str, Any] | None:
    """Return the journal's row about the gateway, if one was written since the start."""
    query: dict[str, str | int] = {"external_id": found.external_id, "limit": 1}
    try:
        page = await visit.api.in_domain.get("onboardings", query=query)
    except ConsoleError:
        # The onboarding's own answer tells what is wrong; the view of it just waits.
        return None
    rows = [
        each
        for each in page["onboardings"]
        if datetime.fromisoformat(each["updated_at"]) >= found.began_at
    ]
    return rows[0] if rows else None


def _steps(visit: Visit, row: Mapping[str, Any] | None) -> str:
    page = visit.frame.templates.answer("onboard/steps.html", 200, {"row": row})
    return bytes(page.body).decode()


def _event(kind: str, data: str) -> str:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


def _command(url: str, key: str) -> str:
    return shlex.join(["curl", "-sS", url, "-H", f"Authorization: Client {key}"])


FORM: Final = "/console/onboard"
NAMES: Final = ("layout", "external_id", "external_key", "name", "on_existing")
KEY_BYTES: Final = 24
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{20,64}")
ON_EXISTING: Final = (
    ("reuse", "Leave it as it is"),
    ("fail", "Refuse the request"),
    ("repair", "Repair: put back what is missing or changed"),
    ("rotate", "Rotate: this external key, new secrets and certificates"),
    ("replace", "Replace it by a new gateway"),
)


@frozen
class Offer:
    """The layouts to choose from, and the parameters of the chosen one (empty: there is none)."""

    layouts: Sequence[Mapping[str, Any]]
    chosen: Mapping[str, Any]
    fields: Sequence[ParameterField]

    @property
    def name(self) -> str:
        """The name of the chosen layout."""
        return str(self.chosen.get("name", ""))


@frozen
class Onboard:
    """The pages up to the start of an onboarding."""

    undertakings: Undertakings

    def pages(self) -> Sequence[Page]:
        """Return the pages."""
        return [
            Page("GET", FORM, self.show),
            Page("POST", FORM, self.again),
            Page("POST", FORM + "/plan", self.plan),
            Page("POST", FORM + "/start", self.start),
        ]

    async def show(self, visit: Visit) -> Response:
        """Show the form, filled in with the defaults of the layout that the address names."""
        offer = await _offer(visit, visit.query("layout"))
        first = {"layout": offer.name, "external_id": visit.query("external_id")}
        form = Form.of(**first, **defaults_of(offer.fields))
        return await visit.page("onboard/form.html", _shown(offer) | {"form": form})

    async def again(self, visit: Visit) -> Response:
        """Show the form as it was filled in; a key that the service made is not filled in."""
        form = visit.form
        if form.text("key_is_made"):
            form = form.with_values(external_key="")
        offer = await _offer(visit, form.text("layout"))
        return await visit.page("onboard/form.html", _shown(offer) | {"form": form})

    async def plan(self, visit: Visit) -> Response:
        """Show what would be made, and made of an existing gateway; nothing is made."""
        form = visit.form
        is_made = not form.text("external_key") or bool(form.text("key_is_made"))
        if not form.text("external_key"):
            form = form.with_values(external_key=secrets.token_urlsafe(KEY_BYTES))
        offer = await _offer(visit, form.text("layout"))
        try:
            plan = await visit.api.in_domain.post(
                "mapping", body=_body(offer, form), query={"dry_run": "true"}
            )
        except Refused as error:
            return await visit.form_again(
                "onboard/form.html", _refused(visit.form, error), _shown(offer)
            )
        carried = _carried(offer, form) | {"key_is_made": "yes" if is_made else ""}
        context = {
            "plan": plan,
            "drawing": drawing_of(plan, plan["external_id"], offer.chosen.get("description", "")),
            "fields": carried | {"request_id": secrets.token_urlsafe(KEY_BYTES)},
            "carried": carried,
            "key_is_made": is_made,
            "on_existing": dict(ON_EXISTING).get(form.text("on_existing"), ""),
            "objection": _objection(plan, form.text("on_existing"), key_is_made=is_made),
        }
        return await visit.page("onboard/plan.html", context)

    async def start(self, visit: Visit) -> Response:
        """Begin to onboard, once for each plan that was shown, and go on to watch it.

        The plan's request ID is the Idempotency-Key too: a form that is sent twice, to this
        process or to another one, makes nothing twice.
        """
        form, name = visit.form, visit.form.text("request_id")
        if not REQUEST_ID.fullmatch(name) or not form.text("external_key"):
            return await self.plan(visit)
        offer = await _offer(visit, form.text("layout"))
        api, body = visit.api.in_domain, _body(offer, form)
        headers = {"Idempotency-Key": f"console-{visit.session.id[:16]}-{name}"}

        async def onboard() -> Mapping[str, Any]:
            answer: Mapping[str, Any] = await api.post("mapping", body=body, headers=headers)
            return answer

        self.undertakings.begin(
            (visit.session.id, name),
            form.text("external_id"),
            Secret(form.text("external_key")),
            Form.of(**_carried(offer, form), key_is_made=form.text("key_is_made")),
            onboard,
        )
        return visit.to(address("onboard", "watch", name))


async def _offer(visit: Visit, wanted: str) -> Offer:
    """Return the layouts that serve, and the parameters of the one that is wanted.

    A name that is unknown, or none, stands for the default layout, or else for the first one.
    """
    # Fails where the session has no domain, before anything is filled in.
    _ = visit.api.in_domain
    found = await visit.api.get("layouts")
    layouts = [each for each in found["layouts"] if "digest" in each]
    by_name = {each["name"]: each for each in layouts}
    first = layouts[0] if layouts else {}
    chosen = by_name.get(wanted) or by_name.get(found["default"]) or first
    if not chosen:
        return Offer(layouts, {}, ())
    schema = await visit.api.get("layouts", chosen["name"], "schema")
    return Offer(layouts, chosen, fields_of(schema))


def _shown(offer: Offer) -> dict[str, Any]:
    options = [(each["name"], each["name"]) for each in offer.layouts]
    return {
        "offer": offer,
        "chooser": Form.of(layout=offer.name),
        "layouts": options,
        "on_existing": ON_EXISTING,
    }


def _body(offer: Offer, form: Form) -> dict[str, Any]:
    body: dict[str, Any] = {
        "external_id": form.text("external_id"),
        "external_key": form.text("external_key"),
        "layout": offer.name,
        "on_existing": form.text("on_existing") or ON_EXISTING[0][0],
    }
    if form.text("name"):
        body["name"] = form.text("name")
    if parameters := values_of(offer.fields, form):
        body["parameters"] = dict(parameters)
    return body


def _objection(plan: Mapping[str, Any], on_existing: str, *, key_is_made: bool) -> str:
    """Return why the service would refuse the plan as it is; nothing where it would not."""
    if not plan["exists"]:
        return ""
    if on_existing == "fail":
        return "The gateway exists, and you chose to refuse one that does."
    if on_existing in ("reuse", "repair") and key_is_made:
        return (
            "The gateway exists and has an external key: change the form and give that key. "
            "Rotating or replacing the gateway gives it a new one."
        )
    return ""


def _carried(offer: Offer, form: Form) -> dict[str, str]:
    names = (*NAMES, *(each.name for each in offer.fields))
    return {name: form.text(name) for name in names}


def _refused(form: Form, error: Refused) -> Form:
    named = with_refusal(form, error)
    return named if named.errors else form.refused(error, NAMES)
