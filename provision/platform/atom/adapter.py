"""The adapter to Atom: the port ``Platform`` over its GraphQL, and which Atom it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from attrs import define, field

from provision.platform.atom.calls import SERVICE, Graph, GraphCall, RestCall
from provision.platform.atom.channels import AtomChannels
from provision.platform.atom.clients import AtomClients
from provision.platform.atom.connections import Actions, AtomConnections
from provision.platform.atom.operations import FEATURES
from provision.platform.atom.users import AtomUsers
from provision.platform.errors import (
    PlatformError,
)
from provision.platform.presence import Question, ServiceCheck
from provision.platform.transport import Transport
from provision.platform.types import FoundPlatform


class Atom(AtomUsers, AtomConnections):
    """A ``Platform`` whose transport stays the caller's to close."""

    def __init__(self, transport: Transport) -> None:
        """Speak through ``transport``."""
        self._graph = Graph(transport)
        self._actions = Actions(self._graph)
        self.clients = AtomClients(self._graph)
        self.channels = AtomChannels(self._graph)

    @property
    def graph(self) -> Graph:
        """What it speaks through."""
        return self._graph


@define(eq=False)
class AtomPresence:
    """Looks whether Atom is where the settings say, and what a newer one knows."""

    transport: Transport
    _check: ServiceCheck = field(init=False)
    _features: tuple[str, ...] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        call = RestCall(SERVICE, "look whether it is there", "GET", "/auth/introspect")
        self._check = ServiceCheck(self.transport, [Question(call, "Atom", "Atom")])

    async def troubles(self) -> Mapping[str, str]:
        return await self._check.troubles()

    async def found(self) -> FoundPlatform:
        """Return what this Atom knows of that which older ones lack; asked once."""
        if self._features is None:
            known = await asyncio.gather(*(self._knows(query) for query in FEATURES.values()))
            found = [name for name, is_known in zip(FEATURES, known, strict=True) if is_known]
            self._features = tuple(found)
        return FoundPlatform("Atom", "of Magistrala 0.40 or later", self._features)

    async def _knows(self, query: str) -> bool:
        body = {"query": query}
        call = GraphCall(SERVICE, "ask what it knows", "POST", "/graphql", body=body)
        try:
            await self.transport.send_once(call)
        except PlatformError as error:
            if type(error) is not PlatformError:
                raise
            # It refused the query before it ran.
            return False
        return True
