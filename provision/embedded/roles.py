"""Roles in a domain: named sets of actions, and the users who hold them.

The operator's role, ``admin``, holds every action of the domain; any other role makes its users
members, who may do what it names. No role reaches beyond its domain, nobody gives or takes a role
that allows more than the own ones, and a domain keeps an operator.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from attrs import frozen
from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from bootstrap_core.secrets import Secret
from provision.embedded.access import AccessControl, Membership
from provision.embedded.errors import Hidden, Malformed, NotPermitted, Taken
from provision.embedded.queries import AnyRow, stamps_of
from provision.embedded.records import ALL_ACTIONS, RoleRecord
from provision.embedded.tables import members, roles, users
from provision.embedded.tokens import Clock
from provision.platform.types import Page


def new_role(
    domain_id: str, name: str, actions: Sequence[str], user_id: str, now: datetime
) -> dict[str, Any]:
    """Return the row of a new role."""
    return {
        "id": f"domain_{uuid4().hex}",
        "domain_id": domain_id,
        "name": name,
        "actions": list(actions),
        "created_by": user_id,
        "created_at": now,
    }


@frozen
class RoleRegistry:
    """The roles of all domains."""

    engine: AsyncEngine
    access: AccessControl
    now: Clock

    async def create(
        self,
        token: Secret,
        domain_id: str,
        name: str,
        actions: Sequence[str],
        user_ids: Sequence[str],
    ) -> RoleRecord:
        """Create a role and give it to users.

        Raises ``Malformed`` (an unknown action or user), ``NotPermitted``, ``Taken`` (the name).
        """
        membership = await self.access.membership(token, domain_id)
        membership.require("manage_role")
        _require_held(membership, actions)
        row = new_role(domain_id, name, actions, membership.caller.id, self.now())
        try:
            async with self.engine.begin() as connection:
                made = await connection.execute(insert(roles).values(**row).returning(*roles.c))
                await _give(connection, row["id"], domain_id, user_ids)
                record = _record(made.one())
        except IntegrityError as error:
            raise Taken("another role of this domain has this name") from error
        self.access.forget()
        return record

    async def page(
        self, token: Secret, domain_id: str, offset: int, limit: int
    ) -> Page[RoleRecord]:
        """List the roles of a domain, oldest first."""
        membership = await self.access.membership(token, domain_id)
        membership.require("view_role_users")
        mine = roles.c.domain_id == domain_id
        async with self.engine.connect() as connection:
            total = await connection.scalar(select(func.count()).select_from(roles).where(mine))
            statement = select(roles).where(mine).order_by(roles.c.created_at, roles.c.id)
            rows = (await connection.execute(statement.offset(offset).limit(limit))).all()
        return Page([_record(row) for row in rows], total or 0, offset, limit)

    async def held(self, token: Secret, domain_id: str) -> list[RoleRecord]:
        """Return the caller's own roles in a domain."""
        membership = await self.access.membership(token, domain_id)
        statement = (
            select(roles)
            .join(members, members.c.role_id == roles.c.id)
            .where(roles.c.domain_id == domain_id, members.c.user_id == membership.caller.id)
            .order_by(roles.c.created_at, roles.c.id)
        )
        async with self.engine.connect() as connection:
            return [_record(row) for row in await connection.execute(statement)]

    async def view(self, token: Secret, domain_id: str, role_id: str) -> RoleRecord:
        """Return one role; raises ``Hidden``."""
        membership = await self.access.membership(token, domain_id)
        membership.require_on_entity("view_role_users")
        async with self.engine.connect() as connection:
            return await _find(connection, domain_id, role_id)

    async def delete(self, token: Secret, domain_id: str, role_id: str) -> None:
        """Delete a role: its users lose what it allowed them.

        Raises ``Hidden``, ``NotPermitted``, ``Malformed`` (the domain's last operator).
        """
        membership = await self.access.membership(token, domain_id)
        membership.require("manage_role")
        async with self.engine.begin() as connection:
            role = await _find(connection, domain_id, role_id)
            _require_held(membership, role.actions)
            await connection.execute(delete(members).where(members.c.role_id == role_id))
            await connection.execute(delete(roles).where(roles.c.id == role_id))
            await _require_operator(connection, domain_id, role.actions)
        self.access.forget()

    async def add(
        self, token: Secret, domain_id: str, role_id: str, user_ids: Sequence[str]
    ) -> None:
        """Give a role to users; who holds it already keeps it.

        Raises ``Hidden``, ``NotPermitted``, ``Malformed`` (an unknown user),
        ``Taken`` (it was given at the same moment).
        """
        membership = await self.access.membership(token, domain_id)
        membership.require("add_role_users")
        try:
            async with self.engine.begin() as connection:
                role = await _find(connection, domain_id, role_id)
                _require_held(membership, role.actions)
                await _give(connection, role_id, domain_id, user_ids)
        except IntegrityError as error:
            raise Taken("one of these users was given the role at this moment") from error
        self.access.forget()

    async def remove(
        self, token: Secret, domain_id: str, role_id: str, user_ids: Sequence[str]
    ) -> None:
        """Take a role from users; an empty ``role_id`` takes every role of the domain.

        Raises ``Hidden``, ``NotPermitted``, ``Malformed`` (the domain's last operator).
        """
        membership = await self.access.membership(token, domain_id)
        membership.require("remove_role_users")
        condition = members.c.domain_id == domain_id
        async with self.engine.begin() as connection:
            taken: Collection[str] = ALL_ACTIONS
            if role_id:
                taken = (await _find(connection, domain_id, role_id)).actions
                condition &= members.c.role_id == role_id
            _require_held(membership, taken)
            await connection.execute(
                delete(members).where(condition, members.c.user_id.in_(user_ids))
            )
            await _require_operator(connection, domain_id, taken)
        self.access.forget()

    async def users_of(
        self, token: Secret, domain_id: str, role_id: str = ""
    ) -> list[tuple[str, RoleRecord]]:
        """Return who holds which role in a domain, or who holds the one of ``role_id``."""
        membership = await self.access.membership(token, domain_id)
        membership.require("view_role_users")
        statement = (
            select(members.c.user_id, *roles.c)
            .join(roles, roles.c.id == members.c.role_id)
            .where(members.c.domain_id == domain_id)
            .order_by(roles.c.created_at, members.c.user_id)
        )
        async with self.engine.connect() as connection:
            if role_id:
                await _find(connection, domain_id, role_id)
                statement = statement.where(members.c.role_id == role_id)
            return [(row.user_id, _record(row)) for row in await connection.execute(statement)]


def _require_held(membership: Membership, actions: Collection[str]) -> None:
    unknown = sorted(set(actions) - ALL_ACTIONS)
    if unknown:
        raise Malformed(f"there is no action {unknown[0]!r} in a domain")
    if not membership.actions.issuperset(actions):
        raise NotPermitted("you cannot give or take a role that allows more than your own roles")


async def _find(connection: AsyncConnection, domain_id: str, role_id: str) -> RoleRecord:
    statement = select(roles).where(roles.c.id == role_id, roles.c.domain_id == domain_id)
    row = (await connection.execute(statement)).first()
    if row is None:
        raise Hidden
    return _record(row)


async def _give(
    connection: AsyncConnection, role_id: str, domain_id: str, user_ids: Sequence[str]
) -> None:
    wanted = set(user_ids)
    known = set(await connection.scalars(select(users.c.id).where(users.c.id.in_(wanted))))
    if known != wanted:
        raise Malformed(f"there is no user {min(wanted - known)!r}")
    held = select(members.c.user_id).where(members.c.role_id == role_id)
    rows = [
        {"role_id": role_id, "user_id": user_id, "domain_id": domain_id}
        for user_id in sorted(wanted - set(await connection.scalars(held)))
    ]
    if rows:
        await connection.execute(insert(members), rows)


async def _require_operator(
    connection: AsyncConnection, domain_id: str, taken: Collection[str]
) -> None:
    """Raise ``Malformed`` if, with the actions ``taken`` away, nobody may do everything."""
    if not ALL_ACTIONS.issubset(taken):
        return
    statement = (
        select(roles.c.actions)
        .join(members, members.c.role_id == roles.c.id)
        .where(members.c.domain_id == domain_id)
    )
    left = [frozenset(actions) for actions in await connection.scalars(statement)]
    if ALL_ACTIONS not in left:
        raise Malformed("a domain needs an operator: give the role admin to another user first")


def _record(row: AnyRow) -> RoleRecord:
    return RoleRecord(
        id=row.id,
        domain_id=row.domain_id,
        name=row.name,
        actions=row.actions,
        stamps=stamps_of(row),
    )
