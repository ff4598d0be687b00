"""What clients and channels have in common: a domain's, and made, listed and changed alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Generic, TypeVar
from uuid import uuid4

import attrs
from attrs import evolve
from sqlalchemy import Column, Table, and_, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core.model import ConnectionType, EntityKind, Status, is_uuid
from bootstrap_core.secrets import Secret
from provision.embedded.access import AccessControl, Membership
from provision.embedded.errors import (
    ChannelExists,
    ClientExists,
    DomainMissing,
    EmbeddedError,
    Hidden,
    Malformed,
    RouteTaken,
    SecretTaken,
)
from provision.embedded.queries import (
    AnyRow,
    change,
    change_status,
    connected,
    fetch,
    made_all,
    page_of,
    search,
    stamp,
    violates,
    within,
)
from provision.embedded.records import ChannelRecord, ClientRecord, ListQuery
from provision.embedded.sealing import SecretKeeper
from provision.embedded.tables import ROUTE_UNIQUE, SECRET_UNIQUE, channels, clients, connections
from provision.embedded.tokens import Clock
from provision.platform.types import NewChannel, NewClient, Page

BULK_LIMIT: Final = 10_000

D = TypeVar("D", NewClient, NewChannel)
R = TypeVar("R", ClientRecord, ChannelRecord)


class EntityRegistry(Generic[D, R]):
    """The clients or the channels of all domains; every call is made for a token's user.

    ``kind`` is what the actions on one are named after, ``record`` what a row of ``table`` is read
    into; ``unique`` is a constraint, its column and the error of breaking it; ``taken`` is the
    error of using an ID again.
    """

    kind: ClassVar[EntityKind]
    table: ClassVar[Table]
    record: type[R]
    other: ClassVar[Column[Any]]
    """The column of the connections that has what this kind is connected to."""
    unique: ClassVar[tuple[str, Column[Any], type[EmbeddedError]]]
    taken: ClassVar[type[EmbeddedError]]

    def __init__(self, engine: AsyncEngine, access: AccessControl, now: Clock) -> None:
        """Keep entities in the engine's database."""
        self._engine = engine
        self._access = access
        self._now = now
        # Built once: building a statement costs more than running it.
        self._insertion = insert(self.table)
        named = [field.name for field in attrs.fields(self.record)]
        self._columns = [name for name in named if name in self.table.c]

    async def create(self, token: Secret, domain_id: str, drafts: Sequence[D]) -> list[R]:
        """Create all of ``drafts`` or none.

        Raises ``NotPermitted``, ``DomainDisabled`` and the errors of ``unique`` and ``taken``.
        """
        if len(drafts) > BULK_LIMIT:
            raise Malformed(f"at most {BULK_LIMIT} {self.kind}s are created at once")
        membership = await self._access.membership(token, domain_id)
        membership.require(f"{self.kind}_create")
        membership.require_enabled()
        now, maker = self._now(), membership.caller.id
        records = [
            # Later in the list is newer: lists show them in that order.
            self._made(domain_id, draft, maker, now + timedelta(microseconds=position))
            for position, draft in enumerate(drafts)
        ]
        if records:
            await self._insert(records)
        return records

    async def view(self, token: Secret, domain_id: str, key: str) -> R:
        """Return one (``Hidden`` when there is none that the caller may read)."""
        await self._enter(token, domain_id, "read", key)
        async with self._engine.connect() as connection:
            return self._record(await fetch(connection, self.table, domain_id, key))

    async def page(self, token: Secret, domain_id: str, query: ListQuery) -> Page[R]:
        """List what the caller may read: nothing to a stranger, to makers what they made."""
        try:
            membership = await self._access.membership(token, domain_id)
        except DomainMissing:
            return Page([], 0, query.offset, query.limit)
        if not membership.is_member:
            return Page([], 0, query.offset, query.limit)
        shown = within(self.table, domain_id)
        if query.connected_to:
            shown = connected(self.table, domain_id, self.other, query.connected_to)
        if not membership.allows(f"{self.kind}_read"):
            shown = and_(shown, self.table.c.created_by == membership.caller.id)
        conditions = [shown, *search(query, self.table, self._engine.dialect.name)]
        async with self._engine.connect() as connection:
            rows, total = await page_of(connection, self.table, conditions, query)
            items = await self._listed(connection, rows, query)
        return Page(items, total, query.offset, query.limit)

    async def change(self, token: Secret, domain_id: str, key: str, values: dict[str, Any]) -> R:
        """Replace the columns that ``values`` names (``name``, ``metadata``, ``tags``, ...).

        Raises ``Hidden``, ``EntityDisabled``, ``DomainDisabled``.
        """
        membership = await self._enter(token, domain_id, "update", key)
        membership.require_enabled()
        stamped = {**values, **stamp(membership.caller.id, self._now())}
        if "name" in values:
            stamped["name_folded"] = values["name"].casefold()
        async with self._engine.begin() as connection:
            return self._record(await change(connection, self.table, domain_id, key, stamped))

    async def change_status(self, token: Secret, domain_id: str, key: str, status: Status) -> R:
        """Enable or disable one (``StatusAssigned`` when it is so already)."""
        membership = await self._enter(token, domain_id, "update", key)
        if status is Status.ENABLED:
            membership.require_enabled()
        stamped = stamp(membership.caller.id, self._now())
        async with self._engine.begin() as connection:
            row = await change_status(connection, self.table, domain_id, key, status, stamped)
        return self._record(row)

    async def delete(self, token: Secret, domain_id: str, key: str) -> None:
        """Delete one and its connections (``Hidden`` when it is not there)."""
        await self._enter(token, domain_id, "delete", key)
        mine = connections.c[f"{self.kind}_id"] == key
        async with self._engine.begin() as connection:
            await connection.execute(
                delete(connections).where(mine, connections.c.domain_id == domain_id)
            )
            deleted = await connection.execute(
                delete(self.table).where(
                    self.table.c.id == key, self.table.c.domain_id == domain_id
                )
            )
            if not deleted.rowcount:
                raise Hidden

    async def _enter(self, token: Secret, domain_id: str, action: str, key: str) -> Membership:
        membership = await self._access.membership(token, domain_id)
        named = f"{self.kind}_{action}"
        if not membership.allows(named) and not await made_all(
            self._engine, self.table, membership, (key,)
        ):
            membership.require_on_entity(named)
        return membership

    async def _insert(self, records: Sequence[R]) -> None:
        try:
            async with self._engine.begin() as connection:
                await connection.execute(self._insertion, [self._row(one) for one in records])
        except IntegrityError as error:
            constraint, column, broken = self.unique
            raise (broken if violates(error, column, constraint) else self.taken) from error

    def _made(self, domain_id: str, draft: D, maker: str, at: datetime) -> R:
        """Return what is made of a draft."""
        drafted = attrs.asdict(draft, recurse=False)
        drafted["id"] = draft.id or str(uuid4())
        return self.record(**drafted, domain_id=domain_id, created_by=maker, created_at=at)

    def _row(self, made: R) -> dict[str, Any]:
        """Return the columns of something new."""
        return {
            **{name: getattr(made, name) for name in self._columns},
            "name_folded": made.name.casefold(),
            "metadata": dict(made.metadata),
            "tags": list(made.tags),
            "status": made.status.value,
            "updated_by": made.updated_by or None,
        }

    def _record(self, row: AnyRow) -> R:
        """Return what a row holds."""
        return self.record(**self._values(row))

    def _values(self, row: AnyRow) -> dict[str, Any]:
        values = {name: getattr(row, name) for name in self._columns}
        return {**values, "status": Status(row.status), "updated_by": row.updated_by or ""}

    async def _listed(
        self, connection: AsyncConnection, rows: Sequence[AnyRow], query: ListQuery
    ) -> list[R]:
        """Return what the rows of a list hold, with the types of the connection it asks for."""
        found = [self._record(row) for row in rows]
        if not (found and query.connected_to):
            return found
        mine = connections.c[f"{self.kind}_id"]
        types: dict[str, set[ConnectionType]] = defaultdict(set)
        statement = (
            select(mine, connections.c.type)
            .where(self.other == query.connected_to)
            .where(mine.in_([record.id for record in found]))
        )
        for key, kind in await connection.execute(statement):
            types[key].add(ConnectionType(kind))
        return [evolve(record, connection_types=frozenset(types[record.id])) for record in found]


class ClientRegistry(EntityRegistry[NewClient, ClientRecord]):
    """The clients of all domains."""

    kind = "client"
    table = clients
    record = ClientRecord
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

    def _made(self, domain_id: str, draft: NewClient, maker: str, at: datetime) -> ClientRecord:
        secret = draft.secret or Secret(str(uuid4()))
        return super()._made(domain_id, evolve(draft, secret=secret), maker, at)

    def _row(self, made: ClientRecord) -> dict[str, Any]:
        return {
            **super()._row(made),
            "secret": self._secrets.keep(made.id, made.secret),
            "secret_digest": self._secrets.digest(made.domain_id, made.secret),
            "private_metadata": dict(made.private_metadata),
        }

    def _values(self, row: AnyRow) -> dict[str, Any]:
        return {**super()._values(row), "secret": self._secrets.show(row.id, row.secret)}


class ChannelRegistry(EntityRegistry[NewChannel, ChannelRecord]):
    """The channels of all domains."""

    kind = "channel"
    table = channels
    record = ChannelRecord
    other = connections.c.client_id
    unique = (ROUTE_UNIQUE, channels.c.route, RouteTaken)
    taken = ChannelExists

    async def view(self, token: Secret, domain_id: str, key: str) -> ChannelRecord:
        """Return one channel (``Hidden`` when there is none that the caller may read).

        As on Magistrala, a channel whose ID is no UUID can be listed, but not viewed.
        """
        await self._enter(token, domain_id, "read", key)
        if not is_uuid(key):
            raise Hidden
        return await super().view(token, domain_id, key)

    def _row(self, made: ChannelRecord) -> dict[str, Any]:
        # A route is unique, but for none.
        return {**super()._row(made), "route": made.route or None}

    def _values(self, row: AnyRow) -> dict[str, Any]:
        return {**super()._values(row), "route": row.route or ""}
