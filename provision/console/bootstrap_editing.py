"""Changing a bootstrap in place: its name, content, channels and encryption."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from starlette.responses import Response

from bootstrap_core.secrets import Secret
from provision.console.addresses import address
from provision.console.bootstraps import (
    AUTHORITY,
    CERTIFICATE,
    KEY,
    LIST,
    ONE,
    Finding,
    Offers,
    bindings_of,
    check,
    config_of,
    is_chosen_channel,
    name_of,
)
from provision.console.bootstraps import FIELDS as CERTIFICATE_FIELDS
from provision.console.errors import Refused
from provision.console.forms import Form, NotJson
from provision.console.page import Page
from provision.console.visit import Visit

NEW: Final = LIST + "/new"
KEY_BYTES: Final = 24
TEMPLATE: Final = "bootstraps/new.html"
CREATION_FIELDS: Final = (
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
            return await self._again(visit, form.refused(error, CREATION_FIELDS), 422)
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
        "external_id": "Enter the ID that the device sends, such as its serial number.",
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


EDITED_FIELDS: Final = ("name", "content", "render_context", "channels", *CERTIFICATE_FIELDS)


@frozen
class BootstrapEditing:
    """One form for each thing that can be changed; with script it opens in the place of it."""

    offers: Offers
    now: Callable[[], datetime]

    def pages(self) -> Sequence[Page]:
        """Return the pages."""
        return [
            Page("GET", ONE + "/name", self.show_name),
            Page("POST", ONE + "/name", self.change_name),
            Page("GET", ONE + "/content", self.show_content),
            Page("POST", ONE + "/content", self.change_content),
            Page("GET", ONE + "/channels", self.show_channels),
            Page("POST", ONE + "/channels", self.change_channels),
            Page("GET", ONE + "/encryption", self.show_encryption),
            Page("POST", ONE + "/encryption", self.change_encryption),
        ]

    async def show_name(self, visit: Visit) -> Response:
        """Show the name's form."""
        config = await config_of(visit, visit.path("config_id"))
        return await self._page(visit, "name", config, Form.of(name=config.get("name", "")))

    async def change_name(self, visit: Visit) -> Response:
        """Change the name."""
        form = visit.form
        if not form.text("name"):
            form = form.wrong(name="Give it a name by which people know it.")
        return await self._changed(visit, "name", form, {"name": form.text("name")})

    async def show_content(self, visit: Visit) -> Response:
        """Show the form of the content, or of the variables where a profile makes the content."""
        config = await config_of(visit, visit.path("config_id"))
        variables = json.dumps(config.get("render_context", {}), indent=2, ensure_ascii=False)
        form = Form.of(content=config.get("content", ""), render_context=variables)
        return await self._page(visit, "content", config, form)

    async def change_content(self, visit: Visit) -> Response:
        """Change the content or the variables."""
        form = visit.form
        if "render_context" not in form.values:
            return await self._changed(visit, "content", form, {"content": form.raw("content")})
        try:
            variables = form.json("render_context")
        except NotJson as error:
            form = form.wrong(render_context=error.sentence)
            variables = {}
        return await self._changed(visit, "content", form, {"render_context": variables})

    async def show_channels(self, visit: Visit) -> Response:
        """Show the channels to choose from."""
        config_id = visit.path("config_id")
        config = await config_of(visit, config_id)
        bindings = await bindings_of(visit, config_id)
        form = Form.of(
            channels=[each["resource_id"] for each in bindings if is_chosen_channel(each)]
        )
        return await self._page(visit, "channels", config, form)

    async def change_channels(self, visit: Visit) -> Response:
        """Connect the client to the channels that are chosen, and to no others."""
        config_id, form = visit.path("config_id"), visit.form
        if form.text("do") == "find":
            return await self._page(visit, "channels", await config_of(visit, config_id), form)
        body = {"channels": list(form.all("channels"))}
        try:
            await visit.api.in_domain.put("clients", "configs", "connections", config_id, body=body)
        except Refused as error:
            config = await config_of(visit, config_id)
            return await self._page(
                visit, "channels", config, form.refused(error, EDITED_FIELDS), 422
            )
        return await visit.done(address("bootstraps", config_id), "The channels were changed.")

    async def show_encryption(self, visit: Visit) -> Response:
        """Show the form of certificates; the key itself is never shown."""
        config = await config_of(visit, visit.path("config_id"))
        form = Form.of(
            **{name: config.get(name, "") for name in (CERTIFICATE, AUTHORITY)}, client_key=""
        )
        return await self._page(visit, "encryption", config, form)

    async def change_encryption(self, visit: Visit) -> Response:
        """Change the certificates, and the key where one is given or taken away."""
        config_id = visit.path("config_id")
        form = certificates_checked(with_files(visit.form), self.now())
        body = {name: form.raw(name) for name in (CERTIFICATE, AUTHORITY)}
        if form.text(KEY):
            body[KEY] = form.raw(KEY)
        elif form.checked("remove_key"):
            body[KEY] = ""
        if not form.is_wrong:
            try:
                await visit.api.in_domain.patch("clients", "configs", "certs", config_id, body=body)
            except Refused as error:
                form = form.refused(error, EDITED_FIELDS)
        if form.is_wrong:
            config = await config_of(visit, config_id)
            return await self._page(visit, "encryption", config, form, 422)
        return await visit.done(address("bootstraps", config_id), "The encryption was changed.")

    async def _changed(
        self, visit: Visit, part: str, form: Form, change: Mapping[str, Any]
    ) -> Response:
        config_id = visit.path("config_id")
        if not form.is_wrong:
            try:
                await visit.api.in_domain.patch("clients", "configs", config_id, body=change)
            except Refused as error:
                form = form.refused(error, EDITED_FIELDS)
        if form.is_wrong:
            return await self._page(visit, part, await config_of(visit, config_id), form, 422)
        return await visit.done(address("bootstraps", config_id), f"The {part} was changed.")

    async def _page(
        self, visit: Visit, part: str, config: Mapping[str, Any], form: Form, status: int = 200
    ) -> Response:
        context: dict[str, Any] = {"config": config, "title": name_of(config), "form": form}
        if part == "channels":
            named, chosen = form.text("channel_q"), form.all("channels")
            context["channels"] = await self.offers.channels(visit, named, chosen)
        if part == "encryption":
            context["findings"] = found_in(form, self.now())
        return await visit.page(f"bootstraps/edit_{part}.html", context, status=status)
