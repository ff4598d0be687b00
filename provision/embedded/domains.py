"""Domains: the spaces of tenants. Whoever creates one operates it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import ColumnElement, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.model import Status
from bootstrap_core.secrets import Secret
from bootstrap_core.store.tables import BRIEF
from provision.embedded.access import AccessControl, Membership
from provision.embedded.errors import DomainMissing, Taken
from provision.embedded.queries import AnyRow, page_of, search, stamp, stamps_of
from provision.embedded.records import ALL_ACTIONS, DomainRecord, ListQuery
from provision.embedded.roles import new_role
from provision.embedded.tables import domains, members, roles
from provision.embedded.tokens import Clock
from provision.platform.types import Page

OPERATOR_ROLE: Final = "admin"
_ONE: Final = select(domains).where(domains.c.id == bindparam("domain")).execution_options(**BRIEF)


class DomainRegistry:
    """The domains of the platform."""

    def __init__(self, engine: AsyncEngine, access: AccessControl, now: Clock) -> None:
        """Keep domains in the engine's database."""
        self._engine = engine
        self._access = access
        self._now = now

    async def create(
        self, token: Secret, name: str, route: str, tags: Sequence[str], metadata: Mapping[str, Any]
    ) -> DomainRecord:
        """Create a domain that the caller operates; raises ``Taken`` (the route)."""
        caller = await self._access.caller(token)
        return await self.create_for(caller.id, name, route, tags, metadata)

    async def create_for(
        self, user_id: str, name: str, route: str, tags: Sequence[str], metadata: Mapping[str, Any]
    ) -> DomainRecord:
        """Create a domain that a user operates; whoever calls has decided that it may be."""
        now = self._now()
        domain_id = str(uuid4())
        values = {
            "id": domain_id,
            "name": name,
            "name_folded": name.casefold(),
            "route": route,
            "status": Status.ENABLED.value,
            "metadata": metadata,
            "tags": tags,
            "created_by": user_id,
            "created_at": now,
        }
        role = new_role(domain_id, OPERATOR_ROLE, sorted(ALL_ACTIONS), user_id, now)
        try:
            async with self._engine.begin() as connection:
                row = (
                    await connection.execute(insert(domains).values(**values).returning(*domains.c))
                ).one()
                await connection.execute(insert(roles).values(**role))
                await connection.execute(
                    insert(members).values(role_id=role["id"], user_id=user_id, domain_id=domain_id)
                )
        except IntegrityError as error:
            raise Taken("another domain has this route") from error
        self._access.forget()
        return _record(row)

    async def view(self, token: Secret, domain_id: str) -> DomainRecord:
        """Return a domain to one of its members; raises ``DomainMissing``, ``NotPermitted``."""
        await self._enter(token, domain_id)
        async with self._engine.connect() as connection:
            row = (await connection.execute(_ONE, {"domain": domain_id})).first()
        if row is None:
            raise DomainMissing
        return _record(row)

    async def page(self, token: Secret, query: ListQuery) -> Page[DomainRecord]:
        """List the domains that the caller is a member of (all, to the administrator)."""
        caller = await self._access.caller(token)
        conditions: list[ColumnElement[bool]] = search(query, domains, self._engine.dialect.name)
        if not caller.is_administrator:
            mine = select(members.c.domain_id).where(members.c.user_id == caller.id)
            conditions.append(domains.c.id.in_(mine))
        async with self._engine.connect() as connection:
            rows, total = await page_of(connection, domains, conditions, query)
        return Page([_record(row) for row in rows], total, query.offset, query.limit)

    async def home(self, token: Secret) -> str:
        """Return the domain that the administrator means who names none, empty to others.

        The administrator sees all domains; it is the first one that the account operates.
        """
        caller = await self._access.caller(token)
        if not caller.is_administrator:
            return ""
        mine = select(members.c.domain_id).where(members.c.user_id == caller.id)
        oldest = (
            select(domains.c.id)
            .where(domains.c.id.in_(mine))
            .order_by(domains.c.created_at, domains.c.id)
            .limit(1)
        )
        async with self._engine.connect() as connection:
            return await connection.scalar(oldest) or ""

    async def change(self, token: Secret, domain_id: str, values: dict[str, Any]) -> DomainRecord:
        """Replace fields (``name``, ``metadata``, ``tags``) of a domain."""
        membership = await self._enter(token, domain_id)
        membership.require("update")
        if "name" in values:
            values = {**values, "name_folded": values["name"].casefold()}
        return await self._change(membership, values)

    async def change_status(self, token: Secret, domain_id: str, status: Status) -> DomainRecord:
        """Enable or disable a domain; one that is so already stays so."""
        membership = await self._enter(token, domain_id)
        membership.require("enable" if status is Status.ENABLED else "disable")
        return await self._change(membership, {"status": status.value})

    async def _enter(self, token: Secret, domain_id: str) -> Membership:
        membership = await self._access.membership(token, domain_id)
        membership.require_member()
        return membership

    async def _change(self, membership: Membership, values: dict[str, Any]) -> DomainRecord:
        statement = (
            update(domains)
            .where(domains.c.id == membership.domain_id)
            .values(**values, **stamp(membership.caller.id, self._now()))
            .returning(*domains.c)
        )
        async with self._engine.begin() as connection:
            row = (await connection.execute(statement)).one()
        self._access.forget()
        return _record(row)


def _record(row: AnyRow) -> DomainRecord:
    return DomainRecord(
        id=row.id,
        name=row.name,
        route=row.route,
        status=Status(row.status),
        metadata=row.metadata,
        tags=row.tags,
        stamps=stamps_of(row),
    )
