"""Connections: which clients may publish and subscribe on which channels."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, Final

from attrs import frozen
from sqlalchemy import Select, Table, bindparam, delete, insert, literal, select, union_all
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core.model import Status
from bootstrap_core.secrets import Secret
from provision.embedded.access import AccessControl, Membership
from provision.embedded.errors import ConnectionExists, Hidden, Malformed, NotConnectable
from provision.embedded.queries import made_all
from provision.embedded.tables import channels, clients, connections
from provision.platform.types import Connections

CONNECTION_LIMIT: Final = 10_000
KINDS: Final = {"channel": channels, "client": clients}


@frozen
class ConnectionRegistry:
    """The connections of all domains; every call is made in the name of a token's user."""

    engine: AsyncEngine
    access: AccessControl

    async def connect(self, token: Secret, domain_id: str, wanted: Connections) -> None:
        """Connect every client with every channel for each type, or nothing at all.

        Raises ``Hidden`` (a client or channel that is not there), ``NotConnectable``,
        ``ConnectionExists`` (any of it), ``DomainDisabled``.
        """
        membership = await self._enter(token, domain_id, wanted)
        membership.require_enabled()
        channel_ids, client_ids = (
            dict.fromkeys(wanted.channel_ids),
            dict.fromkeys(wanted.client_ids),
        )
        rows = [
            {"channel_id": channel, "client_id": client, "type": kind.value, "domain_id": domain_id}
            for channel, client, kind in itertools.product(channel_ids, client_ids, wanted.types)
        ]
        if not rows:
            return
        try:
            async with self.engine.begin() as connection:
                disabled = await _check(connection, domain_id, channel_ids, client_ids)
                if disabled or len(set(wanted.types)) < len(wanted.types):
                    raise NotConnectable
                await connection.execute(_CONNECT, rows)
        except IntegrityError as error:
            if "foreign key" in str(error.orig).lower():
                raise Hidden("a client or channel was deleted meanwhile") from error
            raise ConnectionExists from error

    async def disconnect(self, token: Secret, domain_id: str, unwanted: Connections) -> None:
        """Disconnect every client from every channel for each type.

        What is not connected is no error; what is not there is (``Hidden``).
        """
        await self._enter(token, domain_id, unwanted)
        async with self.engine.begin() as connection:
            await _check(connection, domain_id, unwanted.channel_ids, unwanted.client_ids)
            await connection.execute(
                delete(connections).where(
                    connections.c.channel_id.in_(unwanted.channel_ids),
                    connections.c.client_id.in_(unwanted.client_ids),
                    connections.c.type.in_([kind.value for kind in unwanted.types]),
                )
            )

    async def _enter(self, token: Secret, domain_id: str, named: Connections) -> Membership:
        count = len(named.channel_ids) * len(named.client_ids) * len(named.types)
        if count > CONNECTION_LIMIT:
            raise Malformed(
                f"at most {CONNECTION_LIMIT} connections are named at once, not {count}"
            )
        membership = await self.access.membership(token, domain_id)
        for kind, keys, action in (
            ("channel", named.channel_ids, "channel_connect_to_client"),
            ("client", named.client_ids, "client_connect_to_channel"),
        ):
            if not membership.allows(action) and not await made_all(
                self.engine, KINDS[kind], membership, keys
            ):
                membership.require_on_entity(action)
        return membership


async def _check(
    connection: AsyncConnection,
    domain_id: str,
    channel_ids: Iterable[str],
    client_ids: Iterable[str],
) -> bool:
    """Tell whether any of these is disabled; raises ``Hidden`` when one is not in the domain."""
    wanted = {("channel", key) for key in channel_ids} | {("client", key) for key in client_ids}
    named = {kind: [key for of, key in wanted if of == kind] for kind in KINDS}
    rows = await connection.execute(_STATES, named)
    # The domain is compared here: in the statement it would lead the planner to read all of it.
    found = [row for row in rows if row.domain_id == domain_id]
    if {(row.kind, row.id) for row in found} != wanted:
        raise Hidden("one of the clients or channels is not there, or you may not see it")
    return any(row.status != Status.ENABLED for row in found)


def _states(kind: str, table: Table) -> Select[Any]:
    columns = literal(kind).label("kind"), table.c.id, table.c.status, table.c.domain_id
    return select(*columns).where(table.c.id.in_(bindparam(kind, expanding=True)))


_CONNECT: Final = insert(connections)
_STATES: Final = union_all(*(_states(kind, table) for kind, table in KINDS.items()))
