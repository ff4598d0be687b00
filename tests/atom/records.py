"""What the double keeps, and who may do what with it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from attrs import define, field

from tests.atom.graphql_server import AtomError

_ORDER = itertools.count()
ADMINISTRATOR = "00000000-0000-0000-0000-000000000001"
EVERY_ACTION = (
    "delete",
    "execute",
    "manage",
    "policy.manage",
    "publish",
    "read",
    "role.manage",
    "subscribe",
    "write",
)


def now() -> datetime:
    return datetime.now(UTC)


def said(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def new_id() -> str:
    return str(uuid4())


@define
class Thing:
    """A tenant, an entity or a resource; a deleted one keeps its ID."""

    id: str
    kind: str
    name: str | None
    alias: str | None = None
    tenant_id: str | None = None
    status: str = "active"
    attributes: Any = field(factory=dict)
    tags: list[str] = field(factory=list)
    created_by: str | None = None
    created_at: datetime = field(factory=now)
    updated_at: datetime | None = None
    deleted: bool = False
    order: int = field(factory=lambda: next(_ORDER))

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "kind": self.kind,
            "name": self.name,
            "alias": self.alias,
            "tenantId": self.tenant_id,
            "status": self.status,
            "attributes": self.attributes,
            "tags": self.tags,
            "createdBy": self.created_by,
            "updatedBy": self.created_by,
            "createdAt": said(self.created_at),
            "updatedAt": said(self.updated_at),
        }


@define
class Credential:
    """A password, a shared key or an access token."""

    entity_id: str
    kind: str
    secret: str
    id: str = field(factory=new_id)
    name: str = ""
    description: str | None = None
    scoped: bool = False
    permissions: list[dict[str, Any]] = field(factory=list)
    expires_at: datetime | None = None
    revoked: bool = False
    created_at: datetime = field(factory=now)
    order: int = field(factory=lambda: next(_ORDER))

    @property
    def is_good(self) -> bool:
        return not self.revoked and (self.expires_at is None or self.expires_at > now())

    def shown(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "credentialId": self.id,
            "entityId": None,
            "kind": self.kind,
            "identifier": self.secret[:12] if self.kind == "access_token" else None,
            "status": "revoked" if self.revoked else "active",
            "name": self.name,
            "description": self.description,
            "scoped": self.scoped,
            "permissions": self.permissions,
            "expiresAt": said(self.expires_at),
            "createdAt": said(self.created_at),
        }


@define
class Block:
    """A permission block: actions on an object, or on a tenant."""

    tenant_id: str
    scope_mode: str
    object_kind: str | None
    object_type: str | None
    object_id: str | None
    effect: str
    actions: list[str]
    group_id: str | None = None
    id: str = field(factory=new_id)
    created_at: datetime = field(factory=now)
    order: int = field(factory=lambda: next(_ORDER))


@define
class Policy:
    """A direct policy: it gives a block to a subject."""

    tenant_id: str
    subject_id: str
    block_id: str
    id: str = field(factory=new_id)
    created_at: datetime = field(factory=now)
    order: int = field(factory=lambda: next(_ORDER))


@define
class Role:
    """A role of a tenant."""

    tenant_id: str
    name: str
    description: str | None = None
    blocks: list[str] = field(factory=list)
    id: str = field(factory=new_id)


@define
class Caller:
    """Who asks: an entity, and the permissions that a scoped token leaves it."""

    entity_id: str
    scoped: bool = False
    ceiling: list[Mapping[str, Any]] = field(factory=list)
    session_id: str | None = None

    def keeps(self, tenant_id: str, action: str) -> bool:
        """Tell whether the token's ceiling leaves an action on a tenant."""
        return not self.scoped or any(
            action in each["actions"] and each.get("tenantId") in (tenant_id, None)
            for each in self.ceiling
        )


@define
class Store:
    """Everything that is kept."""

    tenants: dict[str, Thing] = field(factory=dict)
    entities: dict[str, Thing] = field(factory=dict)
    resources: dict[str, Thing] = field(factory=dict)
    credentials: dict[str, Credential] = field(factory=dict)
    blocks: dict[str, Block] = field(factory=dict)
    policies: dict[str, Policy] = field(factory=dict)
    roles: dict[str, Role] = field(factory=dict)
    assignments: list[tuple[str, str]] = field(factory=list)
    """Role and subject."""
    members: set[tuple[str, str]] = field(factory=set)
    """Tenant and entity of members without a role."""
    action_ids: dict[str, str] = field(
        factory=lambda: {name: new_id() for name in (*EVERY_ACTION, "create", "list", "ack", "x")}
    )

    def live(self, things: Mapping[str, Thing], identifier: str) -> Thing | None:
        found = things.get(identifier)
        return found if found and not found.deleted else None

    def rights(self, caller: Caller, tenant_id: str | None) -> set[str]:
        """Return the actions that the caller has on a tenant, as its roles and token say."""
        tenant = self.live(self.tenants, tenant_id or "")
        if caller.entity_id == ADMINISTRATOR and not caller.scoped:
            return set(EVERY_ACTION) if tenant else set()
        if tenant is None or tenant.status != "active":
            return set()
        held = {
            action
            for role in self.roles.values()
            if role.tenant_id == tenant.id and (role.id, caller.entity_id) in self.assignments
            for block in role.blocks
            for action in self.blocks[block].actions
        }
        return {action for action in held if caller.keeps(tenant.id, action)}

    def is_member(self, caller: Caller, tenant_id: str) -> bool:
        return bool(self.rights(caller, tenant_id)) or (tenant_id, caller.entity_id) in self.members

    def require(self, caller: Caller, tenant_id: str | None, *actions: str) -> None:
        """Raise "forbidden" unless the caller has one of the actions on the tenant."""
        if not self.rights(caller, tenant_id) & set(actions):
            raise AtomError("forbidden")

    def require_keys(self, caller: Caller, tenant_id: str | None) -> None:
        """Raise "forbidden" where keys may not be touched: with no scoped token, ever."""
        if caller.scoped:
            raise AtomError("forbidden")
        self.require(caller, tenant_id, "manage")

    def grants(self, subject_id: str) -> Iterable[Block]:
        """Return the blocks that policies give to a subject."""
        for policy in self.policies.values():
            if policy.subject_id == subject_id:
                yield self.blocks[policy.block_id]

    def check(self, subject_id: str, action: str, object_id: str) -> tuple[bool, str]:
        """Tell whether a subject may do something to a resource, and why not."""
        subject = self.live(self.entities, subject_id)
        if subject is None:
            return False, "subject not found"
        if action not in self.action_ids:
            return False, f"unknown action '{action}'"
        if subject.status != "active":
            return False, "subject is not active"
        if self.live(self.resources, object_id) is None:
            return False, "resource not found"
        of_object = [
            block
            for block in self.grants(subject_id)
            if block.object_id == object_id
            and action in block.actions
            and block.tenant_id == self.resources[object_id].tenant_id
        ]
        if any(block.effect == "deny" for block in of_object):
            return False, "explicitly denied by direct policy"
        return (True, "allowed") if of_object else (False, "no matching allow policy")
