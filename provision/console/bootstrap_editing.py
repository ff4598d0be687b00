"""Changing a bootstrap in place: its name, content, channels and encryption."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from attrs import frozen
from starlette.responses import Response

from provision.console.addresses import address
from provision.console.bootstrap_creation import certificates_checked, found_in, with_files
from provision.console.bootstraps import ONE, bindings_of, config_of, is_chosen_channel, name_of
from provision.console.certificate_check import AUTHORITY, CERTIFICATE, KEY
from provision.console.certificate_check import FIELDS as CERTIFICATE_FIELDS
from provision.console.choices import Offers
from provision.console.errors import Refused
from provision.console.forms import Form
from provision.console.page import Page
from provision.console.visit import Visit

SHOWN: Final = ("name", "content", "render_context", "channels", *CERTIFICATE_FIELDS)


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
            variables = json.loads(form.raw("render_context") or "{}")
        except json.JSONDecodeError as error:
            at = f"line {error.lineno}, column {error.colno}"
            form = form.wrong(render_context=f"This is not JSON at {at}: {error.msg}.")
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
            return await self._page(visit, "channels", config, form.refused(error, SHOWN), 422)
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
                form = form.refused(error, SHOWN)
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
                form = form.refused(error, SHOWN)
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
