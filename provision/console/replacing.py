"""Replacing a gateway: by another layout or other parameters, its differences shown first."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import frozen
from starlette.responses import Response

from provision.console.addresses import address
from provision.console.errors import Refused
from provision.console.forms import Form
from provision.console.gateway_actions import Gateway, done, gateway_of, key_of, with_new_key
from provision.console.gateway_views import Changes, changes_of, frame_of
from provision.console.page import Page
from provision.console.visit import Visit

PATH: Final = "/console/gateway/replace/{external_id:path}"
FIELDS: Final = ("external_key", "layout", "name", "parameters")
TEMPLATE: Final = "gateways/replace.html"


@frozen
class Replacing:
    """The page of one action that asks for more than a yes."""

    def pages(self) -> Sequence[Page]:
        """Return the pages."""
        return [Page("GET", PATH, self.ask), Page("POST", PATH, self.send)]

    async def ask(self, visit: Visit) -> Response:
        """Show the differences to what the layout makes now, and the form."""
        gateway = await gateway_of(visit)
        name = str(gateway["name"])
        form = Form.of(
            layout=str(gateway["onboarding"]["layout"]),
            # A name with the external ID in it is the layout's making, and follows the layout.
            name="" if visit.path("external_id") in name else name,
            parameters=json.dumps(gateway["parameters"], indent=2, ensure_ascii=False),
        )
        return await self._shown(visit, gateway, form)

    async def send(self, visit: Visit) -> Response:
        """Show the differences again, or replace the gateway, as the button says."""
        gateway, form = await gateway_of(visit), visit.form
        if form.checked("generate"):
            return await self._shown(visit, gateway, with_new_key(form))
        if form.text("do") != "replace":
            return await self._shown(visit, gateway, form)
        wanted, form = _wanted(visit, form)
        if form.is_wrong:
            return await self._shown(visit, gateway, form)
        key = key_of(form)
        body = {**wanted, "external_key": key.reveal(), "on_existing": "replace"}
        try:
            await visit.api.in_domain.post("mapping", body=body)
        except Refused as error:
            return await self._shown(visit, gateway, form.refused(error, FIELDS))
        return await done(visit, "is replaced; the old one is removed.", {"External key": key})

    async def _shown(self, visit: Visit, gateway: Gateway, form: Form) -> Response:
        changes = Changes()
        if not form.is_wrong:
            wanted, form = _wanted(visit, form)
            if not form.is_wrong:
                try:
                    changes = changes_of(await visit.api.in_domain.post("plan", body=wanted))
                except Refused as error:
                    form = form.refused(error, FIELDS)
        layouts = [each["name"] for each in (await visit.api.get("layouts"))["layouts"]]
        context = {
            "gateway": gateway,
            "changes": changes,
            "layouts": [(name, name) for name in layouts],
            "back": address("gateways", visit.path("external_id")),
            **frame_of(visit.path("external_id")),
        }
        if form.is_wrong:
            return await visit.form_again(TEMPLATE, form, context)
        return await visit.page(TEMPLATE, {**context, "form": form})


def _wanted(visit: Visit, form: Form) -> tuple[Mapping[str, Any], Form]:
    """Return the request of a form, and the form with what is wrong in it."""
    try:
        parameters = json.loads(form.text("parameters") or "{}")
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        return {}, form.wrong(parameters=f"This is no JSON: {error.msg} ({place}).")
    body = {
        "external_id": visit.path("external_id"),
        "layout": form.text("layout"),
        "name": form.text("name"),
        "parameters": parameters,
    }
    return {key: value for key, value in body.items() if value or key == "parameters"}, form
