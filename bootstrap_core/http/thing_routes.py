"""The routes of Mainflux's bootstrap document for users: configs and states of things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import evolve
from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.client_configs import ClientConfigs, ConfigConnections
from bootstrap_core.configs import CertificateChange, ConfigChange, Configs
from bootstrap_core.errors import Malformed
from bootstrap_core.http.answers import JsonAnswer, empty, page, thing_view
from bootstrap_core.http.openapi import Group, Operation, Parameter, Reply
from bootstrap_core.http.requests import Bodies, Door, Query, path_id
from bootstrap_core.http.schemas import CHANGING, LIMIT, LISTING, NAME, OFFSET, REGISTERING
from bootstrap_core.mainflux import NewThing, State, Things
from bootstrap_core.model import Caller
from bootstrap_core.store.config_rows import ConfigQuery

COLLECTION: Final = "/things/configs"
ONE: Final = COLLECTION + "/{thing_id}"
CERTS: Final = COLLECTION + "/certs/{thing_id}"
CONNECTIONS: Final = COLLECTION + "/connections/{thing_id}"
STATE: Final = "/things/state/{thing_id}"
CLIENT_STATE: Final = "/{domain_id}/clients/state/{thing_id}"
IN_DOMAIN: Final = "/{domain_id}"
CREATED: Final = Reply("Created", "Thing", headers={"Location": "Where it is"})
PAGE: Final = Reply("A page of configs", "ThingPage")
LIST_PARAMETERS: Final = (
    OFFSET,
    LIMIT,
    NAME,
    Parameter("state", {"type": "integer"}, "1: connected, 0: not connected; default: all"),
    Parameter("external_id", {"type": "string"}, "The whole external ID"),
    Parameter("thing_id", {"type": "string"}, "The whole ID"),
)


class ThingRoutes:
    """Decodes requests in Mainflux's dialect, calls, and encodes what comes back."""

    def __init__(
        self,
        door: Door,
        things: Things,
        configs: Configs,
        of_clients: ClientConfigs,
        bodies: Bodies,
    ) -> None:
        """Let callers in at ``door`` and read their bodies with ``bodies``."""
        self._door = door
        self._of_clients = of_clients
        self._things = things
        self._configs = configs
        self._bodies = bodies

    async def create(self, request: Request) -> Response:
        """Create a thing's config; a thing or channel that does not exist is made."""
        caller = await self._door.owner(request)
        new = await self._bodies.read(request, NewThing)
        config = await self._things.create(caller, new)
        thing = await self._things.view(caller.domain_id, config.id)
        return JsonAnswer(thing_view(thing), 201, {"Location": f"{COLLECTION}/{config.id}"})

    async def list(self, request: Request) -> Response:
        """List the configs of things."""
        caller = await self._door.owner(request)
        found = await self._things.list(_query(request, caller))
        return page("configs", found, [thing_view(thing) for thing in found.items])

    async def view(self, request: Request) -> Response:
        """Show a thing's config."""
        caller = await self._door.owner(request)
        return JsonAnswer(thing_view(await self._things.view(caller.domain_id, _id(request))))

    async def change(self, request: Request) -> Response:
        """Change the name, the content or both."""
        caller = await self._door.owner(request)
        change = await self._bodies.read(request, ConfigChange)
        await self._configs.change(caller.domain_id, _id(request), change)
        return JsonAnswer({})

    async def change_certificates(self, request: Request) -> Response:
        """Change the certificates that are sent."""
        caller = await self._door.owner(request)
        change = await self._bodies.read(request, CertificateChange)
        await self._configs.change_certificates(caller.domain_id, _id(request), change)
        return JsonAnswer({})

    async def connect(self, request: Request) -> Response:
        """Replace the thing's channels; it is connected to them while its state is 1."""
        caller = await self._door.owner(request)
        wanted = await self._bodies.read(request, ConfigConnections)
        await self._of_clients.change_channels(caller, _id(request), wanted.channels, lazily=True)
        return JsonAnswer({})

    async def remove(self, request: Request) -> Response:
        """Delete a thing's config; the thing stays."""
        caller = await self._door.owner(request)
        await self._configs.remove(caller.domain_id, _id(request))
        return empty(204)

    async def set_state(self, request: Request) -> Response:
        """Connect a thing to its channels and enable its config (1), or undo both (0)."""
        caller = await self._door.owner(request)
        wanted = await self._bodies.read(request, State)
        await self._things.set_state(caller, _id(request), wanted.state)
        return JsonAnswer({})

    def operations(self) -> Sequence[Operation]:
        """Return what is served: without a domain, and as of Magistrala 0.15 with one."""
        told = self._told()
        named = [
            evolve(each, path=IN_DOMAIN + each.path, id=f"{each.id}_in_domain") for each in told
        ]
        (state,) = (each for each in named if each.path == IN_DOMAIN + STATE)
        of_client = evolve(state, path=CLIENT_STATE, id="clients_set_state")
        return [*told, *named, of_client]

    def _told(self) -> Sequence[Operation]:
        group = Group("things", security="token")
        done = {200: Reply("Done", "Done")}
        one = {200: Reply("The config", "Thing")}
        gone = {204: Reply("Gone")}
        return [
            group.on("POST", COLLECTION, self.create, {201: CREATED}, REGISTERING, body=NewThing),
            group.on(
                "GET", COLLECTION, self.list, {200: PAGE}, LISTING, parameters=LIST_PARAMETERS
            ),
            group.on("GET", ONE, self.view, one, LISTING),
            group.on("PUT", ONE, self.change, done, CHANGING, body=ConfigChange),
            group.on("DELETE", ONE, self.remove, gone, LISTING),
            group.on(
                "PATCH", CERTS, self.change_certificates, done, CHANGING, body=CertificateChange
            ),
            group.on("PUT", CONNECTIONS, self.connect, done, CHANGING, body=ConfigConnections),
            group.on("PUT", STATE, self.set_state, done, CHANGING, body=State),
        ]


def _query(request: Request, caller: Caller) -> ConfigQuery:
    query = Query.of(request)
    state = query.first("state")
    if state not in ("", "0", "1"):
        raise Malformed(f"state: 0 or 1 is wanted, not {state!r}")
    return ConfigQuery(
        domain_id=caller.domain_id,
        offset=query.offset(),
        limit=query.limit(),
        status=None,
        name=query.first("name"),
        external_id=query.first("external_id"),
        id=query.first("thing_id"),
        connected=bool(int(state)) if state else None,
    )


def _id(request: Request) -> str:
    return path_id(request, "thing_id")
