"""Bootstraps: what each device fetches when it starts; listing, viewing, switching, deleting."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from attrs import frozen
from starlette.responses import Response

from provision.console.addresses import address
from provision.console.certificate_check import describe
from provision.console.entrance import own_page
from provision.console.errors import Refused
from provision.console.page import Page
from provision.console.paging import PAGE, offset_of, pager
from provision.console.visit import Visit

LIST: Final = "/console/bootstraps"
ONE: Final = LIST + "/{config_id}"
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


@frozen
class Bootstraps:
    """The configs of a domain."""

    def pages(self) -> Sequence[Page]:
        """Return the pages."""
        return [
            Page("GET", LIST, self.list),
            Page("GET", ONE, self.view),
            Page("POST", ONE + "/enable", self.enable),
            Page("POST", ONE + "/disable", self.disable),
            Page("GET", ONE + "/delete", self.ask_delete),
            Page("POST", ONE + "/delete", self.delete),
        ]

    async def list(self, visit: Visit) -> Response:
        """List configs, by status and by what is searched."""
        status, searched = visit.query("status", "all"), visit.query("q")
        status = status if status in dict(STATUSES) else "all"
        found = await _found(visit, status, searched)
        context = {
            "found": found["configs"],
            "pager": pager(visit.request, found, {"q": searched, "status": status}),
            "status": status,
            "searched": searched,
            "statuses": STATUSES,
            "here": visit.request.url.path
            + (f"?{visit.request.url.query}" if visit.request.url.query else ""),
        }
        return await visit.page("bootstraps/list.html", context)

    async def view(self, visit: Visit) -> Response:
        """Show a config with its channels and what its device did last."""
        config_id = visit.path("config_id")
        config, bindings = await asyncio.gather(
            config_of(visit, config_id), bindings_of(visit, config_id)
        )
        context = {
            "config": config,
            "client": next((each for each in bindings if is_own_client(each)), None),
            "channels": [each for each in bindings if is_chosen_channel(each)],
            "bindings": [
                each for each in bindings if each["slot"] != "thing" and not is_chosen_channel(each)
            ],
            "certificates": {
                label: describe(config[key])
                for key, label in (("client_cert", "Client certificate"), ("ca_cert", "CA"))
                if config.get(key)
            },
            "service": f"{visit.request.url.scheme}://{visit.request.url.netloc}",
            "fetched_at": "/clients/bootstrap/" + quote(config["external_id"], safe=""),
        }
        return await visit.page("bootstraps/view.html", context)

    async def enable(self, visit: Visit) -> Response:
        """Let the device fetch its configuration."""
        return await self._switch(visit, "enable", "enabled: its device may fetch now")

    async def disable(self, visit: Visit) -> Response:
        """Refuse the device its configuration."""
        return await self._switch(visit, "disable", "disabled: its device gets nothing any more")

    async def ask_delete(self, visit: Visit) -> Response:
        """Ask before a config is deleted."""
        config_id = visit.path("config_id")
        config = await config_of(visit, config_id)
        text = [GOES, STAYS]
        if await _is_of_gateway(visit, config["external_id"]):
            text.append(GATEWAYS)
        context = {
            "title": f"Delete {name_of(config)}?",
            "text": text,
            "action": address("bootstraps", config_id, "delete"),
            "label": "Delete",
            "back": address("bootstraps", config_id),
            "fields": {},
        }
        return await visit.page("confirm.html", context)

    async def delete(self, visit: Visit) -> Response:
        """Delete a config."""
        config_id = visit.path("config_id")
        config = await config_of(visit, config_id)
        await visit.api.in_domain.delete("clients", "configs", config_id)
        return await visit.done(LIST, f"{name_of(config)} was deleted.")

    async def _switch(self, visit: Visit, verb: str, said: str) -> Response:
        config_id = visit.path("config_id")
        config = await visit.api.in_domain.post("clients", "configs", config_id, verb)
        wanted = visit.form.text("back")
        back = own_page(wanted) if wanted else address("bootstraps", config_id)
        return await visit.done(back, f"{name_of(config)} is {said}.")


async def config_of(visit: Visit, config_id: str) -> Mapping[str, Any]:
    """Return a config as the API shows it. Raises ``Refused``."""
    config: Mapping[str, Any] = await visit.api.in_domain.get("clients", "configs", config_id)
    return config


async def bindings_of(visit: Visit, config_id: str) -> Sequence[Mapping[str, Any]]:
    """Return a config's bindings as the API shows them. Raises ``Refused``."""
    found = await visit.api.in_domain.get(
        "clients", "bootstrap", "enrollments", config_id, "bindings"
    )
    bindings: Sequence[Mapping[str, Any]] = found["bindings"]
    return bindings


def is_own_client(binding: Mapping[str, Any]) -> bool:
    """Tell whether a binding is the client that its config is named after."""
    return bool(binding["type"] == "client" and binding["resource_id"] == binding["config_id"])


def is_chosen_channel(binding: Mapping[str, Any]) -> bool:
    """Tell whether a binding is a channel that was chosen by hand, not one for a profile's slot."""
    return bool(
        binding["type"] == "channel" and binding["slot"] == f"channel-{binding['resource_id']}"
    )


def name_of(config: Mapping[str, Any]) -> str:
    """Return what a config is called."""
    return str(config.get("name") or config["external_id"])


async def _found(visit: Visit, status: str, searched: str) -> Mapping[str, Any]:
    """Return a page of configs: by a part of the name, else by the whole external ID or ID."""
    page: dict[str, str | int] = {
        "status": status,
        "offset": offset_of(visit.request),
        "limit": PAGE,
    }
    wanted = [{"name": searched}, {"external_id": searched}, {"id": searched}] if searched else [{}]
    found: Mapping[str, Any] = {"total": 0, "configs": []}
    for each in wanted:
        found = await visit.api.in_domain.get("clients", "configs", query=page | each)
        if found["total"]:
            break
    return found


async def _is_of_gateway(visit: Visit, external_id: str) -> bool:
    try:
        await visit.api.in_domain.get("mapping", external_id)
    except Refused as error:
        if error.status == ABSENT:
            return False
        raise
    return True
