"""Clients: whatever connects to the platform, each with an identity and a secret."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from attrs import evolve
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core.secret import Secret
from provision.embedded.access import AccessControl
from provision.embedded.entities import EntityRegistry, common_row
from provision.embedded.errors import ClientExists, SecretTaken
from provision.embedded.queries import AnyRow, stamps_of
from provision.embedded.records import ClientRecord, DraftClient, ListQuery, Stamps
from provision.embedded.sealing import SecretKeeper
from provision.embedded.tables import SECRET_UNIQUE, clients, connections
from provision.embedded.tokens import Clock
from provision.platform.types import Status


class ClientRegistry(EntityRegistry[DraftClient, ClientRecord]):
    """The clients of all domains."""

    kind = "client"
    table = clients
    other = connections.c.channel_id
    unique = (SECRET_UNIQUE, clients.c.secret_digest, SecretTaken)
    taken = ClientExists

    def __init__(
        self, engine: AsyncEngine, access: AccessControl, secrets: SecretKeeper, now: Clock
    ) -> None:
        """Keep clients in the engine's database, their secrets by way of ``secrets``."""
        super().__init__(engine, access, now)
        self._secrets = secrets

    async def change_secret(
        self, token: Secret, domain_id: str, client_id: str, secret: Secret
    ) -> ClientRecord:
        """Replace a client's secret; raises ``SecretTaken`` when another one has it."""
        values = {
            "secret": self._secrets.keep(client_id, secret),
            "secret_digest": self._secrets.digest(domain_id, secret),
        }
        try:
            return await self.change(token, domain_id, client_id, values)
        except IntegrityError as error:
            raise SecretTaken from error

    def _made(self, domain_id: str, draft: DraftClient, stamps: Stamps) -> ClientRecord:
        return ClientRecord(
            id=draft.id or str(uuid4()),
            domain_id=domain_id,
            name=draft.name,
            identity=draft.identity,
            secret=draft.secret or Secret(str(uuid4())),
            metadata=draft.metadata,
            private_metadata=draft.private_metadata,
            tags=draft.tags,
            status=draft.status,
            stamps=stamps,
        )

    def _row(self, made: ClientRecord) -> dict[str, Any]:
        return {
            **common_row(made),
            "identity": made.identity,
            "secret": self._secrets.keep(made.id, made.secret),
            "secret_digest": self._secrets.digest(made.domain_id, made.secret),
            "private_metadata": dict(made.private_metadata),
        }

    def _record(self, row: AnyRow) -> ClientRecord:
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
        )

    async def _listed(
        self, connection: AsyncConnection, rows: Sequence[AnyRow], query: ListQuery
    ) -> list[ClientRecord]:
        found = [self._record(row) for row in rows]
        if not (found and query.connected_to):
            return found
        types: dict[str, list[str]] = defaultdict(list)
        statement = (
            select(connections.c.client_id, connections.c.type)
            .where(connections.c.channel_id == query.connected_to)
            .where(connections.c.client_id.in_([client.id for client in found]))
            .order_by(connections.c.type)
        )
        for client_id, kind in await connection.execute(statement):
            types[client_id].append(kind)
        return [evolve(client, connection_types=types[client.id]) for client in found]
