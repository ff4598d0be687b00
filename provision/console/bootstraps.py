"""The section Bootstraps: the configs that devices fetch when they start, and their forms."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

from attrs import frozen
from starlette.responses import Response

from bootstrap_core.model import segment
from bootstrap_core.secrets import Secret
from provision.console.api import RECORD
from provision.console.certificates import (
    AUTHORITY,
    CERTIFICATE,
    FIELDS,
    KEY,
    Finding,
    check,
    describe,
)
from provision.console.errors import NoDomain, Refused
from provision.console.forms import Form, NotJson, new_external_key
from provision.console.pages import Page, PageRequest
from provision.console.sign_in import own_page
from provision.console.widgets import PAGE, address, offset_of, pager
from provision.platform.port import Platform
from provision.platform.types import Channel, EntityQuery

LIST: Final = "/console/bootstraps"
ONE: Final = LIST + "/{config_id}"
NEW: Final = LIST + "/new"
STATUSES: Final = (("all", "All"), ("enabled", "Enabled"), ("disabled", "Disabled"))
ABSENT: Final = 404
GOES: Final = (
    "The device will not find its configuration any more, and its external key is forgotten. "
    "This can't be undone."
)
STAYS: Final = "Its client, channels and certificates stay on the platform."
GATEWAYS: Final = (
    "It belongs to an onboarded gateway. To remove the gateway with all that was made for it, "
    "remove the gateway instead."
)
TEMPLATE: Final = "bootstraps/new.html"
CREATION_FIELDS: Final = (
    "name",
    "external_id",
    "external_key",
    "client_id",
    "channels",
    "content",
    *FIELDS,
)
EDITED_FIELDS: Final = ("name", "content", "render_context", "channels", *FIELDS)

OFFERED: Final = 50
MAX_SEARCH: Final = 1024
"""Characters of a name that are searched for."""
MAX_LOOKED_UP: Final = 50
"""Chosen channels that are looked up for their names; others show their IDs."""

Option = tuple[str, str, str]
"""Value, label, and what is told beside it."""


@frozen
class Offers:
    """The clients and channels to choose from: the newest fifty, or those that a search finds."""

    platform: Platform

    async def channels(
        self, request: PageRequest, named: str, chosen: Sequence[str]
    ) -> Sequence[Option]:
        """Return channels with a part of this name, and those that are chosen already."""
        domain_id = _domain(request)
        # A platform's store refuses longer patterns.
        query = EntityQuery(limit=OFFERED, name=named[:MAX_SEARCH])
        page = await self.platform.channels.list(request.token, domain_id, query)
        listed = {channel.id for channel in page.items}
        missing = [channel_id for channel_id in dict.fromkeys(chosen) if channel_id not in listed]
        pages = await asyncio.gather(
            *(
                self.platform.channels.list(
                    request.token, domain_id, EntityQuery(limit=1, id=channel_id)
                )
                for channel_id in missing[:MAX_LOOKED_UP]
            )
        )
        found = {channel.id: channel for page in pages for channel in page.items}
        kept = [
            _option(found[channel_id]) if channel_id in found else (channel_id, channel_id, "")
            for channel_id in missing
        ]
        return [*kept, *map(_option, page.items)]

    async def clients(self, request: PageRequest) -> Sequence[Option]:
        """Return the newest clients."""
        query = EntityQuery(limit=OFFERED)
        page = await self.platform.clients.list(request.token, _domain(request), query)
        return [(client.id, client.name or client.id, "") for client in page.items]


def _option(channel: Channel) -> Option:
    return channel.id, channel.name or channel.id, channel.route


def _domain(request: PageRequest) -> str:
    if not request.session.domain_id:
        raise NoDomain
    return request.session.domain_id


@frozen
class Bootstraps:
    """The list of a domain's configs, and each of them."""

    def pages(self) -> Sequence[Page]:
        return [
            Page("GET", LIST, self.list),
            Page("GET", ONE, self.view),
            Page("POST", ONE + "/enable", self.enable),
            Page("POST", ONE + "/disable", self.disable),
            Page("GET", ONE + "/delete", self.ask_delete),
            Page("POST", ONE + "/delete", self.delete),
        ]

    async def list(self, request: PageRequest) -> Response:
        status, searched = request.query("status", "all"), request.query("q")
        status = status if status in dict(STATUSES) else "all"
        found = await _found(request, status, searched)
        context = {
            "found": found["configs"],
            "pager": pager(request.http, found, {"q": searched, "status": status}),
            "status": status,
            "searched": searched,
            "statuses": STATUSES,
            "here": request.http.url.path
            + (f"?{request.http.url.query}" if request.http.url.query else ""),
        }
        return await request.page("bootstraps/list.html", context)

    async def view(self, request: PageRequest) -> Response:
        config_id = request.path("config_id")
        config, bindings = await asyncio.gather(
            config_of(request, config_id), bindings_of(request, config_id)
        )
        context = {
            "config": config,
            "client": next(filter(is_own_client, bindings), None),
            "channels": list(filter(is_chosen_channel, bindings)),
            "bindings": [
                binding
                for binding in bindings
                if binding["slot"] != "thing" and not is_chosen_channel(binding)
            ],
            "certificates": {
                label: describe(config[key])
                for key, label in (("client_cert", "Client certificate"), ("ca_cert", "CA"))
                if config.get(key)
            },
            "service": f"{request.http.url.scheme}://{request.http.url.netloc}",
            "fetched_at": "/clients/bootstrap/" + segment(config["external_id"]),
        }
        return await request.page("bootstraps/view.html", context)

    async def enable(self, request: PageRequest) -> Response:
        return await self._switch(request, "enable", "enabled: its device may fetch now")

    async def disable(self, request: PageRequest) -> Response:
        return await self._switch(request, "disable", "disabled: its device gets nothing any more")

    async def ask_delete(self, request: PageRequest) -> Response:
        config_id = request.path("config_id")
        config = await config_of(request, config_id)
        text = [GOES, STAYS]
        if await _is_of_gateway(request, config["external_id"]):
            text.append(GATEWAYS)
        context = {
            "title": f"Delete {name_of(config)}?",
            "text": text,
            "action": address("bootstraps", config_id, "delete"),
            "label": "Delete",
            "back": address("bootstraps", config_id),
            "fields": {},
        }
        return await request.page("confirm.html", context)

    async def delete(self, request: PageRequest) -> Response:
        config_id = request.path("config_id")
        config = await config_of(request, config_id)
        await request.api.in_domain.delete("clients", "configs", config_id)
        return await request.done(LIST, f"{name_of(config)} was deleted.")

    async def _switch(self, request: PageRequest, verb: str, done: str) -> Response:
        config_id = request.path("config_id")
        config = await request.api.in_domain.post("clients", "configs", config_id, verb)
        wanted = request.form.text("back")
        back = own_page(wanted) if wanted else address("bootstraps", config_id)
        return await request.done(back, f"{name_of(config)} is {done}.")


async def config_of(request: PageRequest, config_id: str) -> Mapping[str, Any]:
    """Return a config as the API shows it. Raises ``Refused``."""
    config: Mapping[str, Any] = await request.api.in_domain.get("clients", "configs", config_id)
    return config


async def bindings_of(request: PageRequest, config_id: str) -> Sequence[Mapping[str, Any]]:
    """Return a config's bindings as the API shows them. Raises ``Refused``."""
    found = await request.api.in_domain.get(
        "clients", "bootstrap", "enrollments", config_id, "bindings"
    )
    bindings: Sequence[Mapping[str, Any]] = found["bindings"]
    return bindings


def is_own_client(binding: Mapping[str, Any]) -> bool:
    """Return whether a binding is the client that its config is named after."""
    return bool(binding["type"] == "client" and binding["resource_id"] == binding["config_id"])


def is_chosen_channel(binding: Mapping[str, Any]) -> bool:
    """Return whether a binding is a channel chosen by hand, and not for a profile's slot."""
    return bool(
        binding["type"] == "channel" and binding["slot"] == f"channel-{binding['resource_id']}"
    )


def name_of(config: Mapping[str, Any]) -> str:
    """Return what a config is called."""
    return str(config.get("name") or config["external_id"])


async def _found(request: PageRequest, status: str, searched: str) -> Mapping[str, Any]:
    """Return a page of configs: by a part of the name, else by the whole external ID or ID."""
    page: dict[str, str | int] = {
        "status": status,
        "offset": offset_of(request.http),
        "limit": PAGE,
    }
    names = ("name", "external_id", "id")
    filters = [{name: searched} for name in names] if searched else [{}]
    found: Mapping[str, Any] = {"total": 0, "configs": []}
    for query in filters:
        found = await request.api.in_domain.get("clients", "configs", query=page | query)
        if found["total"]:
            break
    return found


async def _is_of_gateway(request: PageRequest, external_id: str) -> bool:
    try:
        await request.api.in_domain.get("mapping", external_id, query=RECORD)
    except Refused as error:
        if error.status == ABSENT:
            return False
        raise
    return True


@frozen
class BootstrapCreation:
    """The form of a new config."""

    offers: Offers
    now: Callable[[], datetime]

    def pages(self) -> Sequence[Page]:
        return [
            Page("GET", NEW, self.show),
            Page("POST", NEW, self.create),
            Page("POST", LIST + "/check", self.check),
        ]

    async def show(self, request: PageRequest) -> Response:
        return await self._form(request, Form())

    async def create(self, request: PageRequest) -> Response:
        """Create a config; or, as the button says, fill in a new key or search channels."""
        form = with_files(request.form)
        match form.text("do"):
            case "generate":
                form = form.with_values(external_key=new_external_key())
                return await self._form(request, form)
            case "find":
                return await self._form(request, form)
        form = certificates_checked(_required(form), self.now())
        if form.is_wrong:
            return await self._form(request, form)
        try:
            made = await request.api.in_domain.post(
                "clients", "configs", "with-client", body=_body(form)
            )
        except Refused as error:
            return await self._form(request, form.refused(error, CREATION_FIELDS))
        enabled = "enabled" if made["status"] == "enabled" else "disabled until you enable it"
        return await request.done(
            address("bootstraps", made["id"]),
            f"{form.text('name')} was created. It is {enabled}.",
            {"External key": Secret(form.raw("external_key"))},
        )

    async def check(self, request: PageRequest) -> Response:
        form = with_files(request.form)
        return await request.page(
            "bootstraps/findings.html", {"findings": found_in(form, self.now())}
        )

    async def _form(self, request: PageRequest, form: Form) -> Response:
        named, chosen = form.text("channel_q"), form.all("channels")
        context = {
            "channels": await self.offers.channels(request, named, chosen),
            "clients": await self.offers.clients(request),
            "findings": found_in(form, self.now()),
        }
        return await request.page(TEMPLATE, context, form=form)


def with_files(form: Form) -> Form:
    """Return the form with the text of chosen files in the fields of the certificates."""
    return form.with_values(**{name: form.file_or_text(name) for name in FIELDS})


def found_in(form: Form, now: datetime) -> Sequence[Finding]:
    """Return what there is to say about a form's certificates and key."""
    return check(form.raw(CERTIFICATE), form.raw(KEY), form.raw(AUTHORITY), now)


def certificates_checked(form: Form, now: datetime) -> Form:
    """Return the form with an error at each certificate or key that can't be used."""
    wrong = {
        finding.field: finding.text for finding in found_in(form, now) if finding.kind == "wrong"
    }
    return form.wrong(**wrong)


def _required(form: Form) -> Form:
    required = {
        "name": "Give it a name by which people know it.",
        "external_id": "Enter the ID that the device sends, such as its serial number.",
        "external_key": "Enter the device's key, or generate one.",
    }
    return form.wrong(**{name: text for name, text in required.items() if not form.text(name)})


def _body(form: Form) -> Mapping[str, Any]:
    return {
        "name": form.text("name"),
        "external_id": form.text("external_id"),
        "external_key": form.raw("external_key"),
        "client_id": form.text("client_id"),
        "channels": list(form.all("channels")),
        "content": form.raw("content"),
        "status": "enabled" if form.checked("enabled") else "disabled",
        **{name: form.raw(name) for name in FIELDS if form.text(name)},
    }


@frozen
class BootstrapEditing:
    """A form for each part of a config; with script, the form opens in place of the part."""

    offers: Offers
    now: Callable[[], datetime]

    def pages(self) -> Sequence[Page]:
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

    async def show_name(self, request: PageRequest) -> Response:
        config = await config_of(request, request.path("config_id"))
        return await self._page(request, "name", Form.of(name=config.get("name", "")), config)

    async def change_name(self, request: PageRequest) -> Response:
        form = request.form
        if not form.text("name"):
            form = form.wrong(name="Give it a name by which people know it.")
        return await self._change(request, "name", form, {"name": form.text("name")})

    async def show_content(self, request: PageRequest) -> Response:
        """Show the form of the content, or of the variables where a profile makes the content."""
        config = await config_of(request, request.path("config_id"))
        variables = json.dumps(config.get("render_context", {}), indent=2, ensure_ascii=False)
        form = Form.of(content=config.get("content", ""), render_context=variables)
        return await self._page(request, "content", form, config)

    async def change_content(self, request: PageRequest) -> Response:
        form = request.form
        if "render_context" not in form.values:
            return await self._change(request, "content", form, {"content": form.raw("content")})
        try:
            variables = form.json("render_context")
        except NotJson as error:
            form = form.wrong(render_context=error.sentence)
            variables = {}
        return await self._change(request, "content", form, {"render_context": variables})

    async def show_channels(self, request: PageRequest) -> Response:
        bindings = await bindings_of(request, request.path("config_id"))
        chosen = [binding["resource_id"] for binding in filter(is_chosen_channel, bindings)]
        return await self._page(request, "channels", Form.of(channels=chosen))

    async def change_channels(self, request: PageRequest) -> Response:
        """Connect the client to the channels that are chosen, and to no others."""
        form, path = request.form, ("clients", "configs", "connections", request.path("config_id"))
        if form.text("do") == "find":
            return await self._page(request, "channels", form)
        body = {"channels": list(form.all("channels"))}
        send = partial(request.api.in_domain.put, *path, body=body)
        return await self._save(request, "channels", form, send)

    async def show_encryption(self, request: PageRequest) -> Response:
        """Show the form of certificates; the key itself is never shown."""
        config = await config_of(request, request.path("config_id"))
        shown = {name: config.get(name, "") for name in (CERTIFICATE, AUTHORITY)}
        return await self._page(request, "encryption", Form.of(**shown, client_key=""), config)

    async def change_encryption(self, request: PageRequest) -> Response:
        """Change the certificates, and the key where one is given or taken away."""
        form = certificates_checked(with_files(request.form), self.now())
        body = {name: form.raw(name) for name in (CERTIFICATE, AUTHORITY)}
        if form.text(KEY):
            body[KEY] = form.raw(KEY)
        elif form.checked("remove_key"):
            body[KEY] = ""
        path = ("clients", "configs", "certs", request.path("config_id"))
        send = partial(request.api.in_domain.patch, *path, body=body)
        return await self._save(request, "encryption", form, send)

    async def _change(
        self, request: PageRequest, part: str, form: Form, change: Mapping[str, Any]
    ) -> Response:
        path = ("clients", "configs", request.path("config_id"))
        send = partial(request.api.in_domain.patch, *path, body=change)
        return await self._save(request, part, form, send)

    async def _save(
        self, request: PageRequest, part: str, form: Form, send: Callable[[], Awaitable[object]]
    ) -> Response:
        if not form.is_wrong:
            try:
                await send()
            except Refused as error:
                form = form.refused(error, EDITED_FIELDS)
        if form.is_wrong:
            return await self._page(request, part, form)
        message = f"The {part} {'were' if part == 'channels' else 'was'} changed."
        return await request.done(address("bootstraps", request.path("config_id")), message)

    async def _page(
        self, request: PageRequest, part: str, form: Form, config: Mapping[str, Any] | None = None
    ) -> Response:
        config = config or await config_of(request, request.path("config_id"))
        context: dict[str, Any] = {"config": config, "title": name_of(config)}
        if part == "channels":
            named, chosen = form.text("channel_q"), form.all("channels")
            context["channels"] = await self.offers.channels(request, named, chosen)
        if part == "encryption":
            context["findings"] = found_in(form, self.now())
        return await request.page(f"bootstraps/edit_{part}.html", context, form=form)
