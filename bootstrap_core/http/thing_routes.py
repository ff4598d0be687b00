"""The routes of Mainflux's bootstrap document for users: configs and states of things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from bootstrap_core.config_rows import ConfigQuery
from bootstrap_core.configs import CertificateChange, ConfigChange, Configs
from bootstrap_core.errors import Malformed
from bootstrap_core.http.admission import Door
from bootstrap_core.http.answers import answer, empty, page, thing_view
from bootstrap_core.http.requests import JSON, Bodies, Query, path_id
from bootstrap_core.http.schemas import CHANGING, LIMIT, LISTING, NAME, OFFSET
from bootstrap_core.model import Caller
from bootstrap_core.openapi import Group, Operation, Parameter, Reply
from bootstrap_core.things import NewThing, Things, read_state

COLLECTION: Final = "/things/configs"
ONE: Final = COLLECTION + "/{thing_id}"
CERTS: Final = COLLECTION + "/certs/{thing_id}"
STATE: Final = "/things/state/{thing_id}"
CREATED: Final = Reply("Created", "Thing", headers={"Location": "Where it is"})
PAGE: Final = Reply("A page of configs", "ThingPage")
LIST_PARAMETERS: Final = (
    OFFSET,
    LIMIT,
    NAME,
    Parameter("state", {"type": "integer"}, "1 connected, 0 not; without it all"),
    Parameter("external_id", {"type": "string"}, "The whole external ID"),
    Parameter("thing_id", {"type": "string"}, "The whole ID"),
)


class ThingRoutes:
    """Decodes requests in Mainflux's dialect, calls, and encodes what comes back."""

    def __init__(self, door: Door, things: Things, configs: Configs, bodies: Bodies) -> None:
        """Let callers in at ``door`` and read their bodies with ``bodies``."""
        self._door = door
        self._things = things
        self._configs = configs
        self._bodies = bodies

    async def create(self, request: Request) -> Response:
        """Create a thing's config; thing and channels are made where they do not exist."""
        caller = await self._door.owner(request)
        new = NewThing.read(await self._bodies.json(request))
        config = await self._things.create(caller, new)
        thing = await self._things.view(caller.domain_id, config.id)
        return answer(thing_view(thing), 201, {"Location": f"{COLLECTION}/{config.id}"})

    async def list(self, request: Request) -> Response:
        """List the configs of things."""
        caller = await self._door.owner(request)
        found = await self._things.list(_query(request, caller))
        return page("configs", found, [thing_view(thing) for thing in found.items])

    async def view(self, request: Request) -> Response:
        """Show a thing's config."""
        caller = await self._door.owner(request)
        return answer(thing_view(await self._things.view(caller.domain_id, _id(request))))

    async def change(self, request: Request) -> Response:
        """Change name and content where they are named."""
        caller = await self._door.owner(request)
        change = ConfigChange.read(await self._bodies.json(request))
        await self._configs.change(caller.domain_id, _id(request), change)
        return answer({})

    async def change_certificates(self, request: Request) -> Response:
        """Change the certificates that are named."""
        caller = await self._door.owner(request)
        change = CertificateChange.read(await self._bodies.json(request))
        await self._configs.change_certificates(caller.domain_id, _id(request), change)
        return answer({})

    async def remove(self, request: Request) -> Response:
        """Delete a thing's config; the thing stays."""
        caller = await self._door.owner(request)
        await self._configs.remove(caller.domain_id, _id(request))
        return empty(204)

    async def set_state(self, request: Request) -> Response:
        """Connect a thing to its channels and enable its config (1), or undo both (0)."""
        caller = await self._door.owner(request)
        state = read_state(await self._bodies.json(request))
        await self._things.set_state(caller, _id(request), state)
        return answer({})

    def operations(self) -> Sequence[Operation]:
        """Return what is served."""
        group = Group("things", security="token")
        new, change, certificates, state = (
            {JSON: name} for name in ("NewThing", "ConfigChange", "Certificates", "State")
        )
        done = {200: Reply("Done", "Done")}
        one = {200: Reply("The config", "Thing")}
        gone = {204: Reply("Gone")}
        return [
            group.on("POST", COLLECTION, self.create, {201: CREATED}, CHANGING, body=new),
            group.on(
                "GET", COLLECTION, self.list, {200: PAGE}, LISTING, parameters=LIST_PARAMETERS
            ),
            group.on("GET", ONE, self.view, one, LISTING),
            group.on("PUT", ONE, self.change, done, CHANGING, body=change),
            group.on("DELETE", ONE, self.remove, gone, LISTING),
            group.on("PATCH", CERTS, self.change_certificates, done, CHANGING, body=certificates),
            group.on("PUT", STATE, self.set_state, done, CHANGING, body=state),
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
