"""Channels: where clients publish and subscribe."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from bootstrap_core.model import is_uuid
from bootstrap_core.secret import Secret
from provision.embedded.entities import EntityRegistry, common_row
from provision.embedded.errors import ChannelExists, Hidden, RouteTaken
from provision.embedded.queries import AnyRow, stamps_of
from provision.embedded.records import ChannelRecord, DraftChannel, Stamps
from provision.embedded.tables import ROUTE_UNIQUE, channels, connections
from provision.platform.types import Status


class ChannelRegistry(EntityRegistry[DraftChannel, ChannelRecord]):
    """The channels of all domains."""

    kind = "channel"
    table = channels
    other = connections.c.client_id
    unique = (ROUTE_UNIQUE, channels.c.route, RouteTaken)
    taken = ChannelExists

    async def view(self, token: Secret, domain_id: str, key: str) -> ChannelRecord:
        """Return one channel (``Hidden`` when there is none that the caller may read).

        As on Magistrala, a channel whose ID is no UUID can be listed, but not viewed.
        """
        await self._enter(token, domain_id, "read")
        if not is_uuid(key):
            raise Hidden
        return await super().view(token, domain_id, key)

    def _made(self, domain_id: str, draft: DraftChannel, stamps: Stamps) -> ChannelRecord:
        return ChannelRecord(
            id=draft.id or str(uuid4()),
            domain_id=domain_id,
            name=draft.name,
            route=draft.route,
            metadata=draft.metadata,
            tags=draft.tags,
            status=draft.status,
            stamps=stamps,
        )

    def _row(self, made: ChannelRecord) -> dict[str, Any]:
        return {**common_row(made), "route": made.route or None}

    def _record(self, row: AnyRow) -> ChannelRecord:
        return ChannelRecord(
            id=row.id,
            domain_id=row.domain_id,
            name=row.name,
            route=row.route or "",
            metadata=row.metadata,
            tags=row.tags,
            status=Status(row.status),
            stamps=stamps_of(row),
        )
