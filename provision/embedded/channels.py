"""Channels: where clients publish and subscribe."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import delete, insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.secret import Secret
from provision.embedded.access import AccessControl, Membership
from provision.embedded.errors import ChannelExists, DomainMissing, Hidden, Malformed, RouteTaken
from provision.embedded.identifiers import is_uuid
from provision.embedded.queries import (
    AnyRow,
    change,
    change_status,
    connected,
    fetch,
    page_of,
    search,
    stamp,
    stamps_of,
    violates,
    within,
)
from provision.embedded.records import ChannelRecord, DraftChannel, ListQuery, Stamps
from provision.embedded.tables import ROUTE_UNIQUE, channels, connections
from provision.embedded.tokens import Clock
from provision.platform.types import Page, Status

BULK_LIMIT: Final = 10_000


class ChannelRegistry:
    """The channels of all domains; every call is made in the name of a token's user."""

    def __init__(self, engine: AsyncEngine, access: AccessControl, now: Clock) -> None:
        """Keep channels in the engine's database."""
        self._engine = engine
        self._access = access
        self._now = now

    async def create(
        self, token: Secret, domain_id: str, drafts: Sequence[DraftChannel]
    ) -> list[ChannelRecord]:
        """Create all of ``drafts`` or none.

        Raises ``NotPermitted``, ``DomainDisabled``, ``ChannelExists``, ``RouteTaken``.
        """
        if len(drafts) > BULK_LIMIT:
            raise Malformed(f"at most {BULK_LIMIT} channels are created at once")
        membership = await self._access.membership(token, domain_id)
        membership.require("channel_create")
        membership.require_enabled()
        if not drafts:
            return []
        records = self._records(domain_id, membership.caller.id, drafts)
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(channels), [_row(made) for made in records])
        except IntegrityError as error:
            if violates(error, channels.c.route, ROUTE_UNIQUE):
                raise RouteTaken from error
            raise ChannelExists from error
        return records

    async def view(self, token: Secret, domain_id: str, channel_id: str) -> ChannelRecord:
        """Return one channel (``Hidden`` when there is none that the caller may read).

        As on Magistrala, a channel whose ID is no UUID can be listed, but not viewed.
        """
        await self._enter(token, domain_id, "channel_read")
        if not is_uuid(channel_id):
            raise Hidden
        async with self._engine.connect() as connection:
            return _record(await fetch(connection, channels, domain_id, channel_id))

    async def page(self, token: Secret, domain_id: str, query: ListQuery) -> Page[ChannelRecord]:
        """List the channels that the caller may read: none to a stranger."""
        try:
            await self._enter(token, domain_id, "channel_read")
        except (Hidden, DomainMissing):
            return Page([], 0, query.offset, query.limit)
        place = within(channels, domain_id)
        if query.connected_to:
            place = connected(channels, domain_id, "client_id", query.connected_to)
        conditions = [place, *search(query, channels, self._engine.dialect.name)]
        async with self._engine.connect() as connection:
            rows, total = await page_of(connection, channels, conditions, query)
        return Page([_record(row) for row in rows], total, query.offset, query.limit)

    async def change(
        self, token: Secret, domain_id: str, channel_id: str, values: dict[str, Any]
    ) -> ChannelRecord:
        """Replace fields (``name``, ``metadata``, ``tags``) of a channel.

        Raises ``Hidden``, ``EntityDisabled``, ``DomainDisabled``.
        """
        membership = await self._enter(token, domain_id, "channel_update")
        membership.require_enabled()
        if "name" in values:
            values = {**values, "name_folded": values["name"].casefold()}
        values = {**values, **stamp(membership.caller.id, self._now())}
        async with self._engine.begin() as connection:
            return _record(await change(connection, channels, domain_id, channel_id, values))

    async def change_status(
        self, token: Secret, domain_id: str, channel_id: str, status: Status
    ) -> ChannelRecord:
        """Enable or disable a channel (``StatusAssigned`` when it is so already)."""
        membership = await self._enter(token, domain_id, "channel_update")
        if status is Status.ENABLED:
            membership.require_enabled()
        stamped = stamp(membership.caller.id, self._now())
        async with self._engine.begin() as connection:
            row = await change_status(connection, channels, domain_id, channel_id, status, stamped)
        return _record(row)

    async def delete(self, token: Secret, domain_id: str, channel_id: str) -> None:
        """Delete a channel and its connections (``Hidden`` when it is not there)."""
        await self._enter(token, domain_id, "channel_delete")
        async with self._engine.begin() as connection:
            await connection.execute(
                delete(connections).where(
                    connections.c.channel_id == channel_id, connections.c.domain_id == domain_id
                )
            )
            deleted = await connection.execute(
                delete(channels).where(
                    channels.c.id == channel_id, channels.c.domain_id == domain_id
                )
            )
            if not deleted.rowcount:
                raise Hidden

    async def _enter(self, token: Secret, domain_id: str, action: str) -> Membership:
        membership = await self._access.membership(token, domain_id)
        membership.require_on_entity(action)
        return membership

    def _records(
        self, domain_id: str, user_id: str, drafts: Sequence[DraftChannel]
    ) -> list[ChannelRecord]:
        now = self._now()
        return [
            ChannelRecord(
                id=draft.id or str(uuid4()),
                domain_id=domain_id,
                name=draft.name,
                route=draft.route,
                metadata=draft.metadata,
                tags=draft.tags,
                status=draft.status,
                # Later in the list is newer: lists show them in that order.
                stamps=Stamps(user_id, now + timedelta(microseconds=place)),
            )
            for place, draft in enumerate(drafts)
        ]


def _row(made: ChannelRecord) -> dict[str, Any]:
    return {
        "id": made.id,
        "domain_id": made.domain_id,
        "name": made.name,
        "name_folded": made.name.casefold(),
        "route": made.route or None,
        "metadata": dict(made.metadata),
        "tags": list(made.tags),
        "status": made.status.value,
        "created_by": made.stamps.created_by,
        "created_at": made.stamps.created_at,
    }


def _record(row: AnyRow) -> ChannelRecord:
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
