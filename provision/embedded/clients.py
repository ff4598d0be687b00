"""Clients: whatever connects to the platform, each with an identity and a secret."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core.secret import Secret
from provision.embedded.access import AccessControl, Membership
from provision.embedded.errors import ClientExists, DomainMissing, Hidden, Malformed, SecretTaken
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
from provision.embedded.records import ClientRecord, DraftClient, ListQuery, Stamps
from provision.embedded.sealing import SecretKeeper
from provision.embedded.tables import SECRET_UNIQUE, clients, connections
from provision.embedded.tokens import Clock
from provision.platform.types import Page, Status

BULK_LIMIT: Final = 10_000


class ClientRegistry:
    """The clients of all domains; every call is made in the name of a token's user."""

    def __init__(
        self, engine: AsyncEngine, access: AccessControl, secrets: SecretKeeper, now: Clock
    ) -> None:
        """Keep clients in the engine's database, their secrets by way of ``secrets``."""
        self._engine = engine
        self._access = access
        self._secrets = secrets
        self._now = now

    async def create(
        self, token: Secret, domain_id: str, drafts: Sequence[DraftClient]
    ) -> list[ClientRecord]:
        """Create all of ``drafts`` or none.

        Raises ``NotPermitted``, ``DomainDisabled``, ``ClientExists``, ``SecretTaken``.
        """
        if len(drafts) > BULK_LIMIT:
            raise Malformed(f"at most {BULK_LIMIT} clients are created at once")
        membership = await self._access.membership(token, domain_id)
        membership.require("client_create")
        membership.require_enabled()
        if not drafts:
            return []
        records = self._records(domain_id, membership.caller.id, drafts)
        try:
            async with self._engine.begin() as connection:
                await connection.execute(insert(clients), [self._row(made) for made in records])
        except IntegrityError as error:
            if violates(error, clients.c.secret_digest, SECRET_UNIQUE):
                raise SecretTaken from error
            raise ClientExists from error
        return records

    async def view(self, token: Secret, domain_id: str, client_id: str) -> ClientRecord:
        """Return one client (``Hidden`` when there is none that the caller may read)."""
        await self._enter(token, domain_id, "client_read")
        async with self._engine.connect() as connection:
            return self._record(await fetch(connection, clients, domain_id, client_id))

    async def page(self, token: Secret, domain_id: str, query: ListQuery) -> Page[ClientRecord]:
        """List the clients that the caller may read: none to a stranger."""
        try:
            await self._enter(token, domain_id, "client_read")
        except (Hidden, DomainMissing):
            return Page([], 0, query.offset, query.limit)
        place = within(clients, domain_id)
        if query.connected_to:
            place = connected(clients, domain_id, "channel_id", query.connected_to)
        conditions = [place, *search(query, clients, self._engine.dialect.name)]
        async with self._engine.connect() as connection:
            rows, total = await page_of(connection, clients, conditions, query)
            types = await _types(connection, query.connected_to, [row.id for row in rows])
        items = [self._record(row, types.get(row.id, ())) for row in rows]
        return Page(items, total, query.offset, query.limit)

    async def change(
        self, token: Secret, domain_id: str, client_id: str, values: dict[str, Any]
    ) -> ClientRecord:
        """Replace fields (``name``, ``metadata``, ``private_metadata``, ``tags``) of a client.

        Raises ``Hidden``, ``EntityDisabled``, ``DomainDisabled``.
        """
        if "name" in values:
            values = {**values, "name_folded": values["name"].casefold()}
        return await self._change(token, domain_id, client_id, values)

    async def change_secret(
        self, token: Secret, domain_id: str, client_id: str, secret: Secret
    ) -> ClientRecord:
        """Replace a client's secret; raises ``SecretTaken`` when another one has it."""
        values = {
            "secret": self._secrets.keep(client_id, secret),
            "secret_digest": self._secrets.digest(domain_id, secret),
        }
        try:
            return await self._change(token, domain_id, client_id, values)
        except IntegrityError as error:
            raise SecretTaken from error

    async def change_status(
        self, token: Secret, domain_id: str, client_id: str, status: Status
    ) -> ClientRecord:
        """Enable or disable a client (``StatusAssigned`` when it is so already)."""
        membership = await self._enter(token, domain_id, "client_update")
        if status is Status.ENABLED:
            membership.require_enabled()
        stamped = stamp(membership.caller.id, self._now())
        async with self._engine.begin() as connection:
            row = await change_status(connection, clients, domain_id, client_id, status, stamped)
        return self._record(row)

    async def delete(self, token: Secret, domain_id: str, client_id: str) -> None:
        """Delete a client and its connections (``Hidden`` when it is not there)."""
        await self._enter(token, domain_id, "client_delete")
        async with self._engine.begin() as connection:
            await connection.execute(
                delete(connections).where(
                    connections.c.client_id == client_id, connections.c.domain_id == domain_id
                )
            )
            deleted = await connection.execute(
                delete(clients).where(clients.c.id == client_id, clients.c.domain_id == domain_id)
            )
            if not deleted.rowcount:
                raise Hidden

    async def _enter(self, token: Secret, domain_id: str, action: str) -> Membership:
        membership = await self._access.membership(token, domain_id)
        membership.require_on_entity(action)
        return membership

    async def _change(
        self, token: Secret, domain_id: str, client_id: str, values: dict[str, Any]
    ) -> ClientRecord:
        membership = await self._enter(token, domain_id, "client_update")
        membership.require_enabled()
        stamped = {**values, **stamp(membership.caller.id, self._now())}
        async with self._engine.begin() as connection:
            return self._record(await change(connection, clients, domain_id, client_id, stamped))

    def _records(
        self, domain_id: str, user_id: str, drafts: Sequence[DraftClient]
    ) -> list[ClientRecord]:
        now = self._now()
        return [
            ClientRecord(
                id=draft.id or str(uuid4()),
                domain_id=domain_id,
                name=draft.name,
                identity=draft.identity,
                secret=draft.secret or Secret(str(uuid4())),
                metadata=draft.metadata,
                private_metadata=draft.private_metadata,
                tags=draft.tags,
                status=draft.status,
                # Later in the list is newer: lists show them in that order.
                stamps=Stamps(user_id, now + timedelta(microseconds=place)),
            )
            for place, draft in enumerate(drafts)
        ]

    def _row(self, made: ClientRecord) -> dict[str, Any]:
        return {
            "id": made.id,
            "domain_id": made.domain_id,
            "name": made.name,
            "name_folded": made.name.casefold(),
            "identity": made.identity,
            "secret": self._secrets.keep(made.id, made.secret),
            "secret_digest": self._secrets.digest(made.domain_id, made.secret),
            "metadata": dict(made.metadata),
            "private_metadata": dict(made.private_metadata),
            "tags": list(made.tags),
            "status": made.status.value,
            "created_by": made.stamps.created_by,
            "created_at": made.stamps.created_at,
        }

    def _record(self, row: AnyRow, connection_types: Sequence[str] = ()) -> ClientRecord:
        return ClientRecord(
            id=row.id,
            domain_id=row.domain_id,
            name=row.name,
            identity=row.identity,
            secret=self._secrets.show(row.id, row.secret),
            metadata=row.metadata,
            private_metadata=row.private_metadata,
            tags=row.tags,
            status=Status(row.status),
            stamps=stamps_of(row),
            connection_types=connection_types,
        )


async def _types(
    connection: AsyncConnection, channel_id: str, client_ids: Sequence[str]
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    if channel_id and client_ids:
        statement = (
            select(connections.c.client_id, connections.c.type)
            .where(connections.c.channel_id == channel_id, connections.c.client_id.in_(client_ids))
            .order_by(connections.c.type)
        )
        for client_id, kind in await connection.execute(statement):
            found[client_id].append(kind)
    return found
