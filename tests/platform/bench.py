"""What the contract suite works with: a platform, and a bench that clears up after each test."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import pytest
from attrs import evolve, field, frozen

from bootstrap_core.model import EntityKind
from bootstrap_core.secrets import Secret
from provision.platform.errors import NotFound
from provision.platform.port import Platform, entities_of, find
from provision.platform.types import (
    Channel,
    Client,
    EntityQuery,
    NewChannel,
    NewClient,
)


def expect(request: pytest.FixtureRequest, exceptions: Mapping[str, str]) -> None:
    """Let a test fail, and nothing else, where its promise can't be kept."""
    if reason := exceptions.get(request.node.originalname):
        request.node.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@frozen
class Subject:
    """A platform, and somebody who operates a domain there."""

    platform: Platform
    token: Secret
    domain_id: str


@frozen
class Bench:
    """Makes clients and channels for one test, and knows which ones."""

    subject: Subject
    mark: str = field(factory=lambda: f"contract-{uuid4().hex[:12]}")
    client_ids: list[str] = field(factory=list)
    channel_ids: list[str] = field(factory=list)

    def new_client(self, **values: Any) -> NewClient:
        """Return a client that is not created yet."""
        client_id = str(uuid4())
        # On some platforms names are unique in a domain.
        name = f"{self.mark}-client-{client_id[:8]}"
        drafted = NewClient(client_id, name, secret=Secret(str(uuid4())))
        return evolve(drafted, **values)

    def new_channel(self, **values: Any) -> NewChannel:
        """Return a channel that is not created yet."""
        return evolve(NewChannel(str(uuid4()), f"{self.mark}-channel"), **values)

    async def clients(self, drafts: Sequence[NewClient]) -> Sequence[Client]:
        """Create clients."""
        self.client_ids.extend(draft.id for draft in drafts)
        return await self.subject.platform.clients.create(*self.place, drafts)

    async def channels(self, drafts: Sequence[NewChannel]) -> Sequence[Channel]:
        """Create channels."""
        self.channel_ids.extend(draft.id for draft in drafts)
        return await self.subject.platform.channels.create(*self.place, drafts)

    async def client(self, **values: Any) -> Client:
        """Create one client."""
        return (await self.clients([self.new_client(**values)]))[0]

    async def channel(self, **values: Any) -> Channel:
        """Create one channel."""
        return (await self.channels([self.new_channel(**values)]))[0]

    @property
    def place(self) -> tuple[Secret, str]:
        """Token and domain, as every call of the port begins."""
        return self.subject.token, self.subject.domain_id

    async def has(self, kind: EntityKind, entity_id: str) -> bool:
        """Tell whether the domain has a client or channel, as the port says that one finds out."""
        entities = entities_of(self.subject.platform, kind)
        return await find(entities, *self.place, entity_id) is not None

    async def channels_of(self, client_id: str) -> list[str]:
        """Return the channels that a client is connected to."""
        query = EntityQuery(connected_to=client_id, limit=100)
        page = await self.subject.platform.channels.list(*self.place, query)
        return sorted(channel.id for channel in page.items)

    async def clear(self) -> None:
        """Delete what is left."""
        made: dict[EntityKind, list[str]] = {"client": self.client_ids, "channel": self.channel_ids}
        for kind, identifiers in made.items():
            for identifier in identifiers:
                with contextlib.suppress(NotFound):
                    await entities_of(self.subject.platform, kind).delete(*self.place, identifier)
