"""The routes of configs and of their enrollments (Magistrala's bootstrap document)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

from attrs import evolve
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.client_configs import (
    ClientConfigs,
    ConfigConnections,
    NewClientConfig,
    NewConnectedConfig,
)
from bootstrap_core.configs import CertificateChange, ConfigChange, Configs, NewConfig
from bootstrap_core.enrollments import BindRequest, Enrollments, ProfileAssignment
from bootstrap_core.http.answers import (
    JsonAnswer,
    binding_view,
    client_view,
    config_item,
    config_view,
    empty,
    page,
)
from bootstrap_core.http.openapi import Group, Operation, Parameter, Reply
from bootstrap_core.http.requests import Bodies, Door, Query, path_id
from bootstrap_core.http.schemas import CHANGING, LIMIT, LISTING, NAME, OFFSET, READING, REGISTERING
from bootstrap_core.model import Caller, Config, Status, read_status
from bootstrap_core.store.config_rows import ConfigQuery

T = TypeVar("T")

COLLECTION: Final = "/{domain_id}/clients/configs"
ONE: Final = COLLECTION + "/{config_id}"
WITH_CLIENT: Final = COLLECTION + "/with-client"
CERTS: Final = COLLECTION + "/certs/{config_id}"
CONNECTIONS: Final = COLLECTION + "/connections/{config_id}"
_PLACES: Final = {
    "Location": "The ID after /clients/configs/, as Magistrala's SDK reads it",
    "Content-Location": "Where it is",
}
CREATED: Final = Reply("Created", "Config", headers=_PLACES)
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
        """Create a config; the answer repeats what was sent, except the external key.

        With a client or channels, as in SuperMQ's releases, it is the config of that client. The
        client is connected when its state is set.
        """
        caller, new = await self._read(request, NewClientConfig)
        if new.is_of_client:
            config = await self._of_clients.create(caller, new)
            return await self._created(config, new)
        config = await self._configs.create(caller.domain_id, new)
        return await self._created(config, new)

    async def create_with_client(self, request: Request) -> Response:
        """Create a config with the ID of its client; without a client, one is made."""
        caller, new = await self._read(request, NewConnectedConfig)
        return await self._created(await self._of_clients.create(caller, new), new)

    async def list(self, request: Request) -> Response:
        """List configs."""
        caller, query = await self._door.member_with(request, _query(request))
        found = await self._configs.list(evolve(query, domain_id=caller.domain_id))
        parts = await self._of_clients.parts(found.items)
        items = [config_item(each) | client_view(parts.get(each.id)) for each in found.items]
        return page("configs", found, items)

    async def view(self, request: Request) -> Response:
        """Show a config."""
        caller = await self._door.member(request)
        config, fetch = await self._configs.view(caller.domain_id, _id(request))
        parts = await self._of_clients.parts([config])
        return JsonAnswer(config_view(config, fetch) | client_view(parts.get(config.id)))

    async def change(self, request: Request) -> Response:
        """Change the fields that are sent."""
        caller, change = await self._read(request, ConfigChange)
        await self._configs.change(caller.domain_id, _id(request), change)
        return JsonAnswer({})

    async def change_certificates(self, request: Request) -> Response:
        """Change the certificates that are sent; the answer repeats a private key that was sent."""
        caller, change = await self._read(request, CertificateChange)
        config = await self._configs.change_certificates(caller.domain_id, _id(request), change)
        view = {"id": config.id}
        view |= {"client_cert": config.client_cert} if config.client_cert else {}
        view |= {"client_key": change.client_key.reveal()} if change.client_key else {}
        view |= {"ca_cert": config.ca_cert} if config.ca_cert else {}
        return JsonAnswer(view)

    async def connect(self, request: Request) -> Response:
        """Replace the channels that a config's client is connected to; those of slots stay."""
        caller, wanted = await self._read(request, ConfigConnections)
        await self._of_clients.change_channels(caller, _id(request), wanted.channels)
        return JsonAnswer({})

    async def replace(self, request: Request) -> Response:
        """Change the fields that are sent, as in SuperMQ's releases."""
        return await self.change(request)

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
        one, done = {200: Reply("The config", "Config")}, {200: Reply("Changed", "Done")}
        return [
            group.on(
                "POST", COLLECTION, self.create, {201: CREATED}, REGISTERING, body=NewClientConfig
            ),
            group.on(
                "POST",
                WITH_CLIENT,
                self.create_with_client,
                {201: CREATED},
                REGISTERING,
                body=NewConnectedConfig,
            ),
            group.on(
                "GET", COLLECTION, self.list, {200: PAGE}, LISTING, parameters=LIST_PARAMETERS
            ),
            group.on("GET", ONE, self.view, one, READING),
            group.on("PATCH", ONE, self.change, done, CHANGING, body=ConfigChange),
            group.on("PUT", ONE, self.replace, done, CHANGING, body=ConfigChange),
            group.on("DELETE", ONE, self.remove, {204: Reply("Gone")}, READING),
            group.on(
                "PATCH",
                CERTS,
                self.change_certificates,
                {200: SHOWN},
                CHANGING,
                body=CertificateChange,
            ),
            group.on("PUT", CONNECTIONS, self.connect, done, CHANGING, body=ConfigConnections),
            group.on("POST", ONE + "/enable", self.enable, one, READING),
            group.on("POST", ONE + "/disable", self.disable, one, READING),
        ]

    async def _set(self, request: Request, status: Status) -> Response:
        caller = await self._door.member(request)
        config = await self._configs.set_status(caller.domain_id, _id(request), status)
        return JsonAnswer(config_view(config))

    async def _created(self, config: Config, sent: NewConfig) -> Response:
        parts = await self._of_clients.parts([config])
        view = config_view(config) | client_view(parts.get(config.id))
        if sent.client_key:
            view["client_key"] = sent.client_key.reveal()
        # Magistrala's SDK takes the ID from Location, which has no domain there.
        path = f"/clients/configs/{config.id}"
        headers = {"Location": path, "Content-Location": f"/{config.domain_id}{path}"}
        return JsonAnswer(view, 201, headers)

    async def _read(self, request: Request, kind: type[T]) -> tuple[Caller, T]:
        return await self._door.member_with(request, self._bodies.read(request, kind))


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


ENROLLMENT: Final = "/{domain_id}/clients/bootstrap/enrollments/{config_id}"


class EnrollmentRoutes:
    """Decodes requests about enrollments, calls, and encodes what comes back."""

    def __init__(self, door: Door, enrollments: Enrollments, bodies: Bodies) -> None:
        """Let callers in at ``door`` and read their bodies with ``bodies``."""
        self._door = door
        self._enrollments = enrollments
        self._bodies = bodies

    async def assign(self, request: Request) -> Response:
        """Give a config a profile."""
        caller, wanted = await self._door.member_with(
            request, self._bodies.read(request, ProfileAssignment)
        )
        await self._enrollments.assign(caller.domain_id, _id(request), wanted.profile_id)
        return empty(204)

    async def bind(self, request: Request) -> Response:
        """Bind resources to slots; other slots stay as they are."""
        caller, wanted = await self._door.member_with(
            request, self._bodies.read(request, BindRequest)
        )
        await self._enrollments.bind(caller, _id(request), wanted.bindings)
        return empty(204)

    async def list(self, request: Request) -> Response:
        """List a config's bindings."""
        caller = await self._door.member(request)
        found = await self._enrollments.list(caller.domain_id, _id(request))
        return JsonAnswer({"bindings": [binding_view(binding) for binding in found]})

    async def refresh(self, request: Request) -> Response:
        """Read all bound resources again."""
        caller = await self._door.member(request)
        await self._enrollments.refresh(caller, _id(request))
        return empty(204)

    def operations(self) -> Sequence[Operation]:
        """Return what is served."""
        group = Group("enrollments")
        done = {204: Reply("Done")}
        bindings, profile = ENROLLMENT + "/bindings", ENROLLMENT + "/profile"
        listed = {200: Reply("The bindings, by slot", "Bindings")}
        return [
            group.on("PATCH", profile, self.assign, done, CHANGING, body=ProfileAssignment),
            group.on("PUT", bindings, self.bind, done, CHANGING, body=BindRequest),
            group.on("GET", bindings, self.list, listed, READING),
            group.on("POST", bindings + "/refresh", self.refresh, done, (*READING, 409)),
        ]
