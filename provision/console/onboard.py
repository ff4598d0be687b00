"""Onboarding a gateway: the form, what it would make, and the start."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import frozen
from starlette.responses import Response

from bootstrap_core.secret import Secret
from provision.console.addresses import address
from provision.console.drawing import drawing_of
from provision.console.errors import Refused
from provision.console.forms import Form
from provision.console.page import Page
from provision.console.parameters import (
    ParameterField,
    defaults_of,
    fields_of,
    values_of,
    with_refusal,
)
from provision.console.undertakings import Undertakings
from provision.console.visit import Visit

FORM: Final = "/console/onboard"
NAMES: Final = ("layout", "external_id", "external_key", "name", "on_existing")
KEY_BYTES: Final = 24
REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{20,64}")
ON_EXISTING: Final = (
    ("reuse", "Leave it as it is"),
    ("fail", "Refuse: only a new gateway will do"),
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
