"""The routes of configs (Magistrala's bootstrap document, "Config Endpoints")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import evolve
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.client_configs import ClientConfigs, NewClientConfig
from bootstrap_core.config_rows import ConfigQuery
from bootstrap_core.configs import CertificateChange, ConfigChange, Configs, NewConfig
from bootstrap_core.http.admission import Door
from bootstrap_core.http.answers import answer, config_item, config_view, empty, page
from bootstrap_core.http.requests import JSON, Bodies, Query, path_id
from bootstrap_core.http.schemas import CHANGING, LIMIT, LISTING, NAME, OFFSET, READING
from bootstrap_core.model import Config, Status
from bootstrap_core.openapi import Group, Operation, Parameter, Reply
from bootstrap_core.statuses import read_status

COLLECTION: Final = "/{domain_id}/clients/configs"
ONE: Final = COLLECTION + "/{config_id}"
WITH_CLIENT: Final = COLLECTION + "/with-client"
CERTS: Final = COLLECTION + "/certs/{config_id}"
CONNECTIONS: Final = COLLECTION + "/connections/{config_id}"
CREATED: Final = Reply("Created", "Config", headers={"Location": "Where it is"})
PAGE: Final = Reply("A page of configs", "ConfigPage")
SHOWN: Final = Reply("The config's certificates", "Certificates")
LIST_PARAMETERS: Final = (
    OFFSET,
    LIMIT,
    NAME,
    Parameter("status", {"type": "string"}, "enabled (default), disabled or all"),
    Parameter("external_id", {"type": "string"}, "The whole external ID"),
    Parameter("id", {"type": "string"}, "The whole ID"),
    Parameter("profile_id", {"type": "string"}, "The whole ID of their profile"),
)


class ConfigRoutes:
    """Decodes requests about configs, calls, and encodes what comes back."""

    def __init__(
        self, door: Door, configs: Configs, of_clients: ClientConfigs, bodies: Bodies
    ) -> None:
        """Let callers in at ``door`` and read their bodies with ``bodies``."""
        self._door = door
        self._configs = configs
        self._of_clients = of_clients
        self._bodies = bodies

    async def create(self, request: Request) -> Response:
        """Create a config; the answer repeats what was sent, save for the external key."""
        caller, new = await self._door.member_with(request, self._new(request))
        return _created(await self._configs.create(caller.domain_id, new), new)

    async def create_with_client(self, request: Request) -> Response:
        """Create the config of a client, which has its ID; without one a client is made as well."""
        caller, new = await self._door.member_with(request, self._new_with_client(request))
        return _created(await self._of_clients.create(caller, new), new.config)

    async def list(self, request: Request) -> Response:
        """List configs."""
        caller, query = await self._door.member_with(request, _query(request))
        found = await self._configs.list(evolve(query, domain_id=caller.domain_id))
        return page("configs", found, [config_item(config) for config in found.items])

    async def view(self, request: Request) -> Response:
        """Show a config."""
        caller = await self._door.member(request)
        config, fetch = await self._configs.view(caller.domain_id, _id(request))
        return answer(config_view(config, fetch))

    async def change(self, request: Request) -> Response:
        """Change what is named."""
        caller, change = await self._door.member_with(request, self._change(request))
        await self._configs.change(caller.domain_id, _id(request), change)
        return answer({})

    async def change_certificates(self, request: Request) -> Response:
        """Change the certificates that are named; the answer repeats the private key if sent."""
        caller, change = await self._door.member_with(request, self._certificates(request))
        config = await self._configs.change_certificates(caller.domain_id, _id(request), change)
        view = {"id": config.id}
        view |= {"client_cert": config.client_cert} if config.client_cert else {}
        view |= {"client_key": change.client_key.reveal()} if change.client_key else {}
        view |= {"ca_cert": config.ca_cert} if config.ca_cert else {}
        return answer(view)

    async def connect(self, request: Request) -> Response:
        """Replace the channels that a config's client is connected to; those of slots stay."""
        caller, channels = await self._door.member_with(request, self._channels(request))
        await self._of_clients.change_channels(caller, _id(request), channels)
        return answer({})

    async def enable(self, request: Request) -> Response:
        """Let the device fetch its configuration."""
        return await self._set(request, Status.ENABLED)

    async def disable(self, request: Request) -> Response:
        """Refuse the device its configuration."""
        return await self._set(request, Status.DISABLED)

    async def remove(self, request: Request) -> Response:
        """Delete a config."""
        caller = await self._door.member(request)
        await self._configs.remove(caller.domain_id, _id(request))
        return empty(204)

    def operations(self) -> Sequence[Operation]:
        """Return what is served."""
        group = Group("configs")
        new, whole, change, certificates = (
            {JSON: name}
            for name in ("NewConfig", "NewClientConfig", "ConfigChange", "Certificates")
        )
        one, done = {200: Reply("The config", "Config")}, {200: Reply("Changed", "Done")}
        return [
            group.on("POST", COLLECTION, self.create, {201: CREATED}, CHANGING, body=new),
            group.on(
                "POST", WITH_CLIENT, self.create_with_client, {201: CREATED}, CHANGING, body=whole
            ),
            group.on(
                "GET", COLLECTION, self.list, {200: PAGE}, LISTING, parameters=LIST_PARAMETERS
            ),
            group.on("GET", ONE, self.view, one, READING),
            group.on("PATCH", ONE, self.change, done, CHANGING, body=change),
            group.on("DELETE", ONE, self.remove, {204: Reply("Gone")}, READING),
            group.on(
                "PATCH", CERTS, self.change_certificates, {200: SHOWN}, CHANGING, body=certificates
            ),
            group.on(
                "PUT", CONNECTIONS, self.connect, done, CHANGING, body={JSON: "ConfigConnections"}
            ),
            group.on("POST", ONE + "/enable", self.enable, one, READING),
            group.on("POST", ONE + "/disable", self.disable, one, READING),
        ]

    async def _set(self, request: Request, status: Status) -> Response:
        caller = await self._door.member(request)
        config = await self._configs.set_status(caller.domain_id, _id(request), status)
        return answer(config_view(config))

    async def _new(self, request: Request) -> NewConfig:
        return NewConfig.read(await self._bodies.json(request))

    async def _new_with_client(self, request: Request) -> NewClientConfig:
        return NewClientConfig.read(await self._bodies.json(request))

    async def _channels(self, request: Request) -> Sequence[str]:
        return (await self._bodies.json(request)).texts("channels")

    async def _change(self, request: Request) -> ConfigChange:
        return ConfigChange.read(await self._bodies.json(request))

    async def _certificates(self, request: Request) -> CertificateChange:
        return CertificateChange.read(await self._bodies.json(request))


def _created(config: Config, sent: NewConfig) -> Response:
    view = config_view(config)
    if sent.client_key:
        view["client_key"] = sent.client_key.reveal()
    return answer(view, 201, {"Location": f"/clients/configs/{config.id}"})


async def _query(request: Request) -> ConfigQuery:
    query = Query.of(request)
    return ConfigQuery(
        domain_id=path_id(request, "domain_id"),
        offset=query.offset(),
        limit=query.limit(),
        status=read_status(query.first("status"), "status"),
        name=query.first("name"),
        external_id=query.first("external_id"),
        id=query.first("id"),
        profile_id=query.first("profile_id"),
    )


def _id(request: Request) -> str:
    return path_id(request, "config_id")
