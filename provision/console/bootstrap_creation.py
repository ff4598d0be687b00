"""Making a bootstrap: the form, the key that is shown once, and the checks on the spot."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from starlette.responses import Response

from bootstrap_core.secret import Secret
from provision.console.addresses import address
from provision.console.bootstraps import LIST
from provision.console.certificate_check import AUTHORITY, CERTIFICATE, KEY, Finding, check
from provision.console.certificate_check import FIELDS as CERTIFICATE_FIELDS
from provision.console.choices import Offers
from provision.console.errors import Refused
from provision.console.forms import Form
from provision.console.page import Page
from provision.console.visit import Visit

NEW: Final = LIST + "/new"
KEY_BYTES: Final = 24
TEMPLATE: Final = "bootstraps/new.html"
SHOWN: Final = (
    "name",
    "external_id",
    "external_key",
    "client_id",
    "channels",
    "content",
    *CERTIFICATE_FIELDS,
)


@frozen
class BootstrapCreation:
    """Makes configs; ``offers`` are the clients and channels to choose from."""

    offers: Offers
    now: Callable[[], datetime]

    def pages(self) -> Sequence[Page]:
        """Return the pages."""
        return [
            Page("GET", NEW, self.show),
            Page("POST", NEW, self.create),
            Page("POST", LIST + "/check", self.check),
        ]

    async def show(self, visit: Visit) -> Response:
        """Show the empty form."""
        return await visit.page(TEMPLATE, await self._context(visit, Form()))

    async def create(self, visit: Visit) -> Response:
        """Make a config; or fill in a new key, or search channels, where that is asked."""
        form = with_files(visit.form)
        match form.text("do"):
            case "generate":
                return await self._again(visit, form.with_values(external_key=new_key()), 200)
            case "find":
                return await self._again(visit, form, 200)
        form = certificates_checked(_required(form), self.now())
        if form.is_wrong:
            return await self._again(visit, form, 422)
        try:
            made = await visit.api.in_domain.post(
                "clients", "configs", "with-client", body=_body(form)
            )
        except Refused as error:
            return await self._again(visit, form.refused(error, SHOWN), 422)
        enabled = "enabled" if made["status"] == "enabled" else "disabled until you enable it"
        return await visit.done(
            address("bootstraps", made["id"]),
            f"{form.text('name')} was created. It is {enabled}.",
            {"External key": Secret(form.raw("external_key"))},
        )

    async def check(self, visit: Visit) -> Response:
        """Say what the certificates and the key are that stand in a form."""
        form = with_files(visit.form)
        return await visit.page(
            "bootstraps/findings.html", {"findings": found_in(form, self.now())}
        )

    async def _again(self, visit: Visit, form: Form, status: int) -> Response:
        context = await self._context(visit, form)
        return await visit.page(TEMPLATE, context, status=status)

    async def _context(self, visit: Visit, form: Form) -> Mapping[str, Any]:
        return {
            "form": form,
            "channels": await self.offers.channels(
                visit, form.text("channel_q"), form.all("channels")
            ),
            "clients": await self.offers.clients(visit),
            "findings": found_in(form, self.now()),
        }


def new_key() -> str:
    """Return an external key that nobody guesses."""
    return secrets.token_urlsafe(KEY_BYTES)


def with_files(form: Form) -> Form:
    """Return the form with the text of chosen files in the fields of the certificates."""
    return form.with_values(**{name: form.file_or_text(name) for name in CERTIFICATE_FIELDS})


def found_in(form: Form, now: datetime) -> Sequence[Finding]:
    """Return what there is to say about a form's certificates and key."""
    return check(form.raw(CERTIFICATE), form.raw(KEY), form.raw(AUTHORITY), now)


def certificates_checked(form: Form, now: datetime) -> Form:
    """Return the form with an error at each certificate or key that can't be used."""
    wrong = {each.field: each.text for each in found_in(form, now) if each.kind == "wrong"}
    return form.wrong(**wrong)


def _required(form: Form) -> Form:
    wanted = {
        "name": "Give it a name by which people know it.",
        "external_id": "Enter the ID that the device tells, such as its serial number.",
        "external_key": "Enter the device's key, or generate one.",
    }
    return form.wrong(**{name: text for name, text in wanted.items() if not form.text(name)})


def _body(form: Form) -> Mapping[str, Any]:
    return {
        "name": form.text("name"),
        "external_id": form.text("external_id"),
        "external_key": form.raw("external_key"),
        "client_id": form.text("client_id"),
        "channels": list(form.all("channels")),
        "content": form.raw("content"),
        "status": "enabled" if form.checked("enabled") else "disabled",
        **{name: form.raw(name) for name in CERTIFICATE_FIELDS if form.text(name)},
    }
