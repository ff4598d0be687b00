"""Actions on a gateway. Each one shows what it does before you confirm it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, TypeAlias

from attrs import frozen
from starlette.responses import Response

from bootstrap_core.secrets import Secret
from provision.console.api import RECORD
from provision.console.errors import PageNotFound, Refused
from provision.console.forms import Form, NotJson, new_external_key
from provision.console.gateways import Changes, changes_of, drift_of, ending, links_of
from provision.console.pages import Page, PageRequest
from provision.console.widgets import address

Gateway: TypeAlias = Mapping[str, Any]
Row: TypeAlias = Sequence[str]

KEY_FIELDS: Final = ("external_key",)
EFFECT: Final = ("What", "Which", "What happens")
CONFIRM: Final = "gateways/confirm.html"


@frozen
class Action:
    """What a confirm page shows: its text, a table of the effects, and the button."""

    title: str
    text: Sequence[str]
    rows: Sequence[Row]
    label: str
    kind: str = "primary"
    asks_key: bool = False


@frozen
class GatewayActions:
    """Repair, rotate, renew and remove."""

    now: Callable[[], datetime]

    def pages(self) -> Sequence[Page]:
        found = []
        for name, carry_out in (
            ("repair", self.repair),
            ("rotate", self.rotate),
            ("renew", self.renew),
            ("remove", self.remove),
        ):
            path = f"/console/gateway/{name}/{{external_id:path}}"
            found += [Page("GET", path, partial(self._ask, name)), Page("POST", path, carry_out)]
        return found

    async def repair(self, request: PageRequest) -> Response:
        gateway = await gateway_of(request)
        try:
            await request.api.in_domain.post("onboardings", gateway["onboarding"]["id"], "repair")
        except Refused as error:
            return await self._ask("repair", request, request.form.refused(error, ()))
        return await done(request, "is repaired: what was missing is there again.")

    async def rotate(self, request: PageRequest) -> Response:
        if request.form.checked("generate"):
            return await self._ask("rotate", request, with_new_key(request.form))
        key = key_of(request.form)
        body = {
            "external_id": (await gateway_of(request))["external_id"],
            "external_key": key.reveal(),
            "on_existing": "rotate",
        }
        # The gateway keeps its layout; one that is served no more need not be named.
        try:
            await request.api.in_domain.post("mapping", body=body)
        except Refused as error:
            return await self._ask("rotate", request, request.form.refused(error, KEY_FIELDS))
        return await done(request, "has new secrets.", {"External key": key})

    async def renew(self, request: PageRequest) -> Response:
        try:
            made = await request.api.in_domain.post(
                "cert", request.form.text("serial"), "renew", body={}
            )
        except Refused as error:
            return await self._ask("renew", request, request.form.refused(error, ()))
        return await done(
            request,
            f"has a new certificate, {made['serial_number']}; the device fetches it next time.",
        )

    async def remove(self, request: PageRequest) -> Response:
        external_id = request.path("external_id")
        try:
            left = await request.api.in_domain.delete("mapping", external_id)
        except Refused as error:
            return await self._ask("remove", request, request.form.refused(error, ()))
        if left:
            return await done(request, "is cut off; the rest of it is removed in the background.")
        return await request.done("/console/gateways", f"Gateway {external_id} is removed.")

    async def _ask(self, name: str, request: PageRequest, form: Form | None = None) -> Response:
        """Show what the action would do, and what is wrong with the form that was sent."""
        form = form or request.form
        gateway = await gateway_of(request)
        serial = form.text("serial") or request.query("serial")
        if name == "renew":
            action = _renew_action(gateway, serial, self.now())
        else:
            action = ACTIONS[name](gateway)
        external_id = request.path("external_id")
        context = {
            "action": action,
            "columns": EFFECT,
            "target": address("gateway", name, external_id),
            "back": address("gateways", external_id),
            "crumb": (address("gateways", external_id), external_id),
            "fields": {"serial": serial} if name == "renew" else {},
            "drift": await drift_of(request.api, external_id) if name == "repair" else None,
            **links_of(external_id),
        }
        return await request.page(CONFIRM, context, form=form)


async def gateway_of(request: PageRequest) -> Gateway:
    """Return the gateway of the address, as the API answers it.

    Raises ``PageNotFound``: it was removed, so that nothing can be done about it, and an action
    that is sent late makes no new gateway.
    """
    found: Gateway = await request.api.in_domain.get(
        "mapping", request.path("external_id"), query=RECORD
    )
    if found["onboarding"]["state"] == "undone":
        raise PageNotFound(f"Gateway {found['external_id']} was removed: onboard it again instead.")
    return found


async def done(
    request: PageRequest, message: str, shown_once: Mapping[str, Secret] | None = None
) -> Response:
    """Go back to the gateway's page, which says what became of it."""
    external_id = request.path("external_id")
    where = address("gateways", external_id)
    return await request.done(where, f"Gateway {external_id} {message}", shown_once)


def key_of(form: Form) -> Secret:
    """Return the external key of a form; a new one where the field was left empty."""
    given = form.text("external_key")
    return Secret(given or new_external_key())


def with_new_key(form: Form) -> Form:
    """Return the form with a new external key filled in."""
    return form.with_values(external_key=new_external_key())


def _repair_action(gateway: Gateway) -> Action:
    rows = [
        *_clients(gateway, "created again with its ID if it is gone; its secret is set back"),
        *_channels(gateway, "created again with its ID if it is gone"),
        *_connections(gateway, "made again if they are gone"),
        *_certificates(gateway, "issued again if it was revoked or lost"),
        *_config(
            gateway, "written again if it is missing or differs; a disabled one stays disabled"
        ),
    ]
    text = [
        "The missing parts of the gateway are created again, with the same IDs and secrets.",
        "The other parts stay as they are.",
        "The device keeps its external key; you need not touch it.",
    ]
    return Action(f"Repair {gateway['external_id']}?", text, rows, "Repair")


def _rotate_action(gateway: Gateway) -> Action:
    rows = [
        ("External key", str(gateway["external_id"]), "replaced by the one below"),
        *_clients(gateway, "gets a new secret; the old one ends at once"),
        *_certificates(gateway, "replaced by one for a new key, then revoked"),
        *_config(gateway, "written anew with the new secrets"),
        *_channels(gateway, "stays as it is"),
    ]
    text = [
        "The gateway keeps its IDs, channels and connections; all of its secrets are made anew.",
        "The device is cut off until it has the new external key and has fetched again.",
    ]
    title = f"Rotate the secrets of {gateway['external_id']}?"
    return Action(title, text, rows, "Rotate", "danger", asks_key=True)


def _remove_action(gateway: Gateway) -> Action:
    rows = [
        *_config(gateway, "disabled at once, then deleted: the device gets nothing any more"),
        *_certificates(gateway, "revoked"),
        *_connections(gateway, "cut"),
        *_clients(gateway, "deleted"),
        *_channels(gateway, "deleted"),
    ]
    text = [
        "The device is cut off at once, and everything that was made for it is removed.",
        "This can't be taken back. Its audit trail stays.",
    ]
    return Action(f"Remove {gateway['external_id']}?", text, rows, "Remove", "danger")


def _renew_action(gateway: Gateway, serial: str, now: datetime) -> Action:
    known = [
        certificate
        for certificate in gateway["certificates"]
        if certificate["serial_number"] == serial
    ]
    if not known:
        raise PageNotFound(
            f"This gateway has no certificate {serial!r}: it was renewed since. "
            "Go back to the gateway and choose the one that it has now."
        )
    left = ending(known[0]["expiry_time"], now).text
    rows = [
        ("Certificate", serial, f"superseded ({left} left); revoked once the device has the next"),
        ("Certificate", "a new one", "issued for the same client, as the layout says"),
        *_config(gateway, "delivers the new certificate at the device's next fetch"),
    ]
    text = ["The certificate is renewed now. The device goes on with the present one until then."]
    return Action(f"Renew a certificate of {gateway['external_id']}?", text, rows, "Renew")


def _clients(gateway: Gateway, what: str) -> list[Row]:
    return [("Client", client["name"], what) for client in gateway["clients"]]


def _channels(gateway: Gateway, what: str) -> list[Row]:
    return [("Channel", channel["name"], what) for channel in gateway["channels"]]


def _connections(gateway: Gateway, what: str) -> list[Row]:
    count = len(gateway["connections"])
    return [("Connections", f"all {count}", what)] if count else []


def _certificates(gateway: Gateway, what: str) -> list[Row]:
    return [
        ("Certificate", certificate["serial_number"], what)
        for certificate in gateway["certificates"]
    ]


def _config(gateway: Gateway, what: str) -> list[Row]:
    bootstrap = gateway.get("bootstrap")
    return [("Bootstrap config", bootstrap["config_id"], what)] if bootstrap else []


ACTIONS: Final[Mapping[str, Callable[[Gateway], Action]]] = {
    "repair": _repair_action,
    "rotate": _rotate_action,
    "remove": _remove_action,
}


PATH: Final = "/console/gateway/replace/{external_id:path}"
FIELDS: Final = ("external_key", "layout", "name", "parameters")
TEMPLATE: Final = "gateways/replace.html"


@frozen
class Replacing:
    """The action that asks for more than a yes: its form shows what would change."""

    def pages(self) -> Sequence[Page]:
        return [Page("GET", PATH, self.ask), Page("POST", PATH, self.send)]

    async def ask(self, request: PageRequest) -> Response:
        """Show the differences to what the layout makes now, and the form."""
        gateway = await gateway_of(request)
        name = str(gateway["name"])
        form = Form.of(
            layout=str(gateway["onboarding"]["layout"]),
            # A name with the external ID in it is the layout's making, and follows the layout.
            name="" if request.path("external_id") in name else name,
            parameters=json.dumps(gateway["parameters"], indent=2, ensure_ascii=False),
        )
        return await self._shown(request, gateway, form)

    async def send(self, request: PageRequest) -> Response:
        """Show the differences again, or replace the gateway, as the button says."""
        gateway, form = await gateway_of(request), request.form
        if form.checked("generate"):
            return await self._shown(request, gateway, with_new_key(form))
        if form.text("do") != "replace":
            return await self._shown(request, gateway, form)
        body, form = _body(request, form)
        if form.is_wrong:
            return await self._shown(request, gateway, form)
        key = key_of(form)
        body = {**body, "external_key": key.reveal(), "on_existing": "replace"}
        try:
            await request.api.in_domain.post("mapping", body=body)
        except Refused as error:
            return await self._shown(request, gateway, form.refused(error, FIELDS))
        return await done(request, "is replaced; the old one is removed.", {"External key": key})

    async def _shown(self, request: PageRequest, gateway: Gateway, form: Form) -> Response:
        changes = Changes()
        if not form.is_wrong:
            body, form = _body(request, form)
            if not form.is_wrong:
                try:
                    changes = changes_of(await request.api.in_domain.post("plan", body=body))
                except Refused as error:
                    form = form.refused(error, FIELDS)
        layouts = [layout["name"] for layout in (await request.api.get("layouts"))["layouts"]]
        context = {
            "gateway": gateway,
            "changes": changes,
            "layouts": [(name, name) for name in layouts],
            "back": address("gateways", request.path("external_id")),
            **links_of(request.path("external_id")),
        }
        return await request.page(TEMPLATE, context, form=form)


def _body(request: PageRequest, form: Form) -> tuple[Mapping[str, Any], Form]:
    """Return the request of a form, and the form with what is wrong in it."""
    try:
        parameters = form.json("parameters")
    except NotJson as error:
        return {}, form.wrong(parameters=error.sentence)
    body = {
        "external_id": request.path("external_id"),
        "layout": form.text("layout"),
        "name": form.text("name"),
        "parameters": parameters,
    }
    return {key: value for key, value in body.items() if value or key == "parameters"}, form
