"""Atom's queries and mutations on what the double keeps, under their own names."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from attrs import define, field
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.atom.authority import MAX_TTL, Authority, Issued, _name
from tests.atom.graphql_server import AtomError
from tests.atom.records import (
    ADMINISTRATOR,
    EVERY_ACTION,
    Block,
    Caller,
    Credential,
    Policy,
    Role,
    Store,
    Thing,
    new_id,
    now,
    said,
)

SLUG: Final = re.compile(r"[a-z0-9-]{1,63}")
Arguments = Mapping[str, Any]


def an_id(text: str) -> str:
    try:
        return str(UUID(str(text)))
    except ValueError as error:
        raise AtomError("id must be a UUID") from error


def a_page(items: Sequence[Any], values: Arguments, default: int = 20) -> Sequence[Any]:
    limit = values.get("limit")
    limit = default if limit is None else min(max(limit, 1), 100)
    offset = max(values.get("offset") or 0, 0)
    newest = sorted(items, key=lambda each: each.order, reverse=True)
    return newest[offset : offset + limit]


def a_list(items: Sequence[Any], values: Arguments) -> dict[str, Any]:
    return {"total": len(items), "items": [each.shown() for each in a_page(items, values)]}


def found_in(thing: Thing, q: str | None) -> bool:
    """Tell whether a search finds a thing: in its name, or in its attributes as text."""
    if not q:
        return True
    if "\0" in q:
        raise AtomError("database error")
    pattern = re.escape(q).replace("%", ".*").replace("_", ".")
    text = f"{thing.name or ''}\n{as_text(thing.attributes)}"
    return bool(re.search(pattern, text, re.IGNORECASE))


def as_text(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f'"{name}": {as_text(each)}' for name, each in value.items())
        return "{" + inner + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_text, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def contains(whole: Any, part: Any) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            name in whole and contains(whole[name], each) for name, each in part.items()
        )
    if isinstance(part, list):
        return isinstance(whole, list) and all(
            any(contains(each, wanted) for each in whole) for wanted in part
        )
    return bool(whole == part) and isinstance(whole, bool) == isinstance(part, bool)


@define
class Operations:
    """Each method is a query or mutation; what it raises is Atom's answer for it."""

    store: Store = field(factory=Store)
    authority: Authority = field(factory=Authority)

    # Tenants

    def tenant(self, caller: Caller, values: Arguments) -> Any:
        tenant = self.store.live(self.store.tenants, an_id(values["id"]))
        is_admin = caller.entity_id == ADMINISTRATOR
        if tenant is None or (tenant.status != "active" and not is_admin):
            raise AtomError("forbidden")
        if not is_admin and not self.store.is_member(caller, tenant.id):
            raise AtomError("forbidden")
        return tenant.shown()

    def tenants(self, caller: Caller, values: Arguments) -> Any:
        shown = [
            each
            for each in self.store.tenants.values()
            if not each.deleted
            and each.status == "active"
            and (caller.entity_id == ADMINISTRATOR or self.store.is_member(caller, each.id))
        ]
        return a_list(shown, values)

    def create_tenant(self, caller: Caller, values: Arguments) -> Any:
        given = values["input"]
        identifier = an_id(given["id"]) if given.get("id") else new_id()
        for each in self.store.tenants.values():
            same_alias = given.get("alias") and each.alias == given["alias"]
            if each.id == identifier or each.name == given["name"] or same_alias:
                raise AtomError("already exists")
        tenant = Thing(identifier, "tenant", given["name"], given.get("alias"))
        tenant.tags = list(given.get("tags") or ())
        tenant.attributes = given.get("attributes") or {}
        tenant.created_by = caller.entity_id
        self.store.tenants[identifier] = tenant
        self.add_role(tenant.id, "tenant-admin", caller.entity_id)
        return tenant.shown()

    def add_role(self, tenant_id: str, name: str, subject_id: str) -> Role:
        """Make the role that comes with a tenant, for the one who makes it."""
        block = Block(tenant_id, "tenant", None, None, None, "allow", list(EVERY_ACTION))
        self.store.blocks[block.id] = block
        role = Role(tenant_id, name, "Default tenant administration role", [block.id])
        self.store.roles[role.id] = role
        self.store.assignments.append((role.id, subject_id))
        return role

    def _set_tenant(self, caller: Caller, values: Arguments, status: str) -> Any:
        if caller.entity_id != ADMINISTRATOR:
            raise AtomError("forbidden")
        tenant = self.store.tenants[an_id(values["id"])]
        tenant.status = status
        return tenant.shown()

    def disable_tenant(self, caller: Caller, values: Arguments) -> Any:
        return self._set_tenant(caller, values, "inactive")

    def enable_tenant(self, caller: Caller, values: Arguments) -> Any:
        return self._set_tenant(caller, values, "active")

    def freeze_tenant(self, caller: Caller, values: Arguments) -> Any:
        return self._set_tenant(caller, values, "frozen")

    def delete_tenant(self, caller: Caller, values: Arguments) -> Any:
        self._set_tenant(caller, values, "deleted")
        self.store.tenants[an_id(values["id"])].deleted = True
        return True

    def my_tenant_roles(self, caller: Caller, values: Arguments) -> Any:
        tenant_id = an_id(values["tenantId"])
        if not self.store.is_member(caller, tenant_id):
            raise AtomError("forbidden")
        creator = {
            "roleId": new_id(),
            "roleName": "domain-creator",
            "actions": ["create"],
            "assignmentPaths": ["group:authenticated-users"],
        }
        held = [
            {
                "roleId": role.id,
                "roleName": role.name,
                "actions": sorted(
                    action for block in role.blocks for action in self.store.blocks[block].actions
                ),
                "assignmentPaths": ["direct"],
            }
            for role in self.store.roles.values()
            if role.tenant_id == tenant_id and (role.id, caller.entity_id) in self.store.assignments
        ]
        return [creator, *held]

    def tenant_members(self, caller: Caller, values: Arguments) -> Any:
        tenant_id = an_id(values["tenantId"])
        self.store.require(caller, tenant_id, "read", "manage")
        role_ids = {each.id for each in self.store.roles.values() if each.tenant_id == tenant_id}
        subjects = {subject for role, subject in self.store.assignments if role in role_ids}
        subjects |= {entity for tenant, entity in self.store.members if tenant == tenant_id}
        return a_list([self.store.entities[each] for each in subjects], values)

    def add_tenant_member(self, caller: Caller, values: Arguments) -> Any:
        self.store.require(caller, values["tenantId"], "manage")
        self.store.members.add((values["tenantId"], values["entityId"]))
        if role := values.get("roleId"):
            self.store.assignments.append((role, values["entityId"]))
        return True

    def roles(self, caller: Caller, values: Arguments) -> Any:
        self.store.require(caller, values["tenantId"], "read", "manage", "role.manage")
        shown = [
            self._shown_role(each)
            for each in self.store.roles.values()
            if each.tenant_id == values["tenantId"]
        ]
        return {"total": len(shown), "items": shown}

    def _shown_role(self, role: Role) -> dict[str, Any]:
        return {
            "id": role.id,
            "name": role.name,
            "tenantId": role.tenant_id,
            "description": role.description,
            "permissionBlocks": [self._shown_block(self.store.blocks[b]) for b in role.blocks],
        }

    def create_role(self, caller: Caller, values: Arguments) -> Any:
        given = values["input"]
        self.store.require(caller, given["tenantId"], "role.manage")
        role = Role(given["tenantId"], given["name"])
        self.store.roles[role.id] = role
        return self._shown_role(role)

    def replace_role_permission_blocks(self, caller: Caller, values: Arguments) -> Any:
        role = self.store.roles[values["roleId"]]
        self.store.require(caller, role.tenant_id, "role.manage")
        role.blocks = list(values["permissionBlockIds"])
        return True

    def create_role_assignment(self, caller: Caller, values: Arguments) -> Any:
        given = values["input"]
        self.store.require(caller, given["tenantId"], "role.manage")
        self.store.assignments.append((given["roleId"], given["subjectId"]))
        return {"id": new_id(), "roleId": given["roleId"], "subjectId": given["subjectId"]}

    # Entities and resources

    def _seen(self, caller: Caller, identifier: str, *actions: str) -> Thing:
        """Return an entity on which the caller has one of these actions, or that is the caller."""
        identifier = an_id(identifier)
        entity = self.store.live(self.store.entities, identifier)
        if entity is None:
            raise AtomError(f"entity {identifier} not found")
        if entity.id == caller.entity_id and not caller.scoped:
            return entity
        self.store.require(caller, entity.tenant_id, *actions)
        return entity

    def _seen_resource(self, caller: Caller, identifier: str, *actions: str) -> Thing:
        identifier = an_id(identifier)
        resource = self.store.live(self.store.resources, identifier)
        if resource is None:
            raise AtomError(f"resource {identifier} not found")
        self.store.require(caller, resource.tenant_id, *actions)
        return resource

    def entity(self, caller: Caller, values: Arguments) -> Any:
        entity = self._seen(caller, values["id"], "read")
        if entity.status != "active" and caller.entity_id != ADMINISTRATOR:
            # Seen of a real one: who may read the tenant finds what is disabled in lists alone.
            raise AtomError("forbidden")
        return entity.shown()

    def resource(self, caller: Caller, values: Arguments) -> Any:
        return self._seen_resource(caller, values["id"], "read").shown()

    def entities(self, caller: Caller, values: Arguments) -> Any:
        return self._listed(self.store.entities, caller, values, str(values.get("kind") or ""))

    def resources(self, caller: Caller, values: Arguments) -> Any:
        kind = str(values.get("kind") or "").removeprefix("resource:")
        return self._listed(self.store.resources, caller, values, kind)

    def _listed(
        self, things: Mapping[str, Thing], caller: Caller, values: Arguments, kind: str
    ) -> Any:
        tenant_id = values.get("tenantId")
        allowed = bool(self.store.rights(caller, tenant_id) & {"read"})
        wanted = values.get("attributesContains")
        shown = [
            each
            for each in things.values()
            if not each.deleted
            and each.tenant_id == tenant_id
            and (not kind or each.kind == kind)
            and values.get("status") in (None, each.status)
            and (wanted is None or contains(each.attributes, wanted))
            and found_in(each, values.get("q"))
        ]
        return a_list(shown if allowed else [], values)

    def create_entity(self, caller: Caller, values: Arguments) -> Any:
        given = values["input"]
        if given.get("profileId"):
            raise AtomError(f"profile {given['profileId']} not found")
        if not given.get("kind"):
            raise AtomError("kind is required without profile_id")
        self.store.require(caller, given.get("tenantId"), "write", "manage")
        attributes = given.get("attributes")
        if isinstance(attributes, dict) and "parent_group_id" in attributes:
            raise AtomError("entity parent group reference is invalid")
        made = self._new(self.store.entities, given, caller)
        if self._name_taken(made):
            raise AtomError("already exists")
        self.store.entities[made.id] = made
        return made.shown()

    def create_resource(self, caller: Caller, values: Arguments) -> Any:
        given = values["input"]
        self.store.require(caller, given.get("tenantId"), "write", "manage")
        if (owner := given.get("ownerId")) and owner not in self.store.entities:
            raise AtomError("invalid reference")
        made = self._new(self.store.resources, given, caller)
        self.store.resources[made.id] = made
        return made.shown()

    def _new(self, things: Mapping[str, Thing], given: Mapping[str, Any], caller: Caller) -> Thing:
        identifier = an_id(given["id"]) if given.get("id") else new_id()
        name, alias = given.get("name"), given.get("alias")
        if "\0" in (name or ""):
            raise AtomError("database error")
        if alias is not None:
            alias = self._alias(things, given["tenantId"], alias.lower())
        if identifier in things:
            raise AtomError("already exists")
        attributes = given.get("attributes")
        made = Thing(identifier, str(given["kind"]), name, alias, given.get("tenantId"))
        made.attributes = {} if attributes is None else attributes
        made.created_by = caller.entity_id
        return made

    def _alias(self, things: Mapping[str, Thing], tenant_id: str, alias: str) -> str:
        try:
            UUID(alias)
        except ValueError:
            pass
        else:
            raise AtomError(
                "alias must not be UUID-shaped (use the id directly to address by UUID)"
            )
        if not SLUG.fullmatch(alias):
            raise AtomError("alias must be a slug")
        for each in things.values():
            if not each.deleted and each.tenant_id == tenant_id and each.alias == alias:
                raise AtomError("already exists")
        return alias

    def _name_taken(self, made: Thing) -> bool:
        return any(
            each.name == made.name
            and each.tenant_id == made.tenant_id
            and each.kind == made.kind
            and each.id != made.id
            for each in self.store.entities.values()
            if not each.deleted
        )

    def update_entity(self, caller: Caller, values: Arguments) -> Any:
        entity = self._seen(caller, values["id"], "write", "manage")
        given = values["input"]
        before = entity.name
        self._change(self.store.entities, entity, given)
        if self._name_taken(entity):
            entity.name = before
            raise AtomError("already exists")
        # Nobody looks whether the caller has a part in the other tenant.
        entity.tenant_id = given.get("tenantId") or entity.tenant_id
        entity.kind = str(given.get("kind") or entity.kind)
        entity.status = str(given.get("status") or entity.status)
        return entity.shown()

    def update_resource(self, caller: Caller, values: Arguments) -> Any:
        resource = self._seen_resource(caller, values["id"], "write", "manage")
        self._change(self.store.resources, resource, values["input"])
        return resource.shown()

    def _change(self, things: Mapping[str, Thing], thing: Thing, given: Mapping[str, Any]) -> None:
        if given.get("name") is not None:
            thing.name = given["name"]
        if given.get("attributes") is not None:
            thing.attributes = given["attributes"]
        if "alias" in given:
            alias = given["alias"]
            thing.alias = None
            if alias is not None:
                thing.alias = self._alias(things, thing.tenant_id or "", alias.lower())
        thing.updated_at = now()

    def _switch(self, caller: Caller, values: Arguments, status: str) -> Any:
        entity = self._seen(caller, values["id"], "manage", "write")
        entity.status = status
        return entity.shown()

    def enable_entity(self, caller: Caller, values: Arguments) -> Any:
        return self._switch(caller, values, "active")

    def disable_entity(self, caller: Caller, values: Arguments) -> Any:
        return self._switch(caller, values, "inactive")

    def delete_entity(self, caller: Caller, values: Arguments) -> Any:
        entity = self._seen(caller, values["id"], "manage")
        entity.deleted = True
        for each in self.store.credentials.values():
            if each.entity_id == entity.id:
                each.revoked = True
        for issued in self.authority.issued.values():
            if issued.entity_id == entity.id and not issued.revoked_at:
                issued.revoke("cessationOfOperation")
        return True

    def delete_resource(self, caller: Caller, values: Arguments) -> Any:
        self._seen_resource(caller, values["id"], "manage").deleted = True
        return True

    def _restore(self, things: dict[str, Thing], caller: Caller, values: Arguments) -> Any:
        if caller.entity_id != ADMINISTRATOR:
            raise AtomError("forbidden")
        thing = things[an_id(values["id"])]
        thing.deleted, thing.updated_at = False, now()
        return True

    def restore_entity(self, caller: Caller, values: Arguments) -> Any:
        return self._restore(self.store.entities, caller, values)

    def restore_resource(self, caller: Caller, values: Arguments) -> Any:
        return self._restore(self.store.resources, caller, values)

    def _purge(self, things: dict[str, Thing], caller: Caller, values: Arguments) -> Any:
        identifier = an_id(values["id"])
        if caller.entity_id != ADMINISTRATOR:
            raise AtomError("forbidden")
        del things[identifier]
        for policy in list(self.store.policies.values()):
            block = self.store.blocks[policy.block_id]
            if identifier in (policy.subject_id, block.object_id):
                self._drop_policy(policy)
        for each in list(self.store.credentials.values()):
            if each.entity_id == identifier:
                del self.store.credentials[each.id]
        return True

    def purge_entity(self, caller: Caller, values: Arguments) -> Any:
        return self._purge(self.store.entities, caller, values)

    def purge_resource(self, caller: Caller, values: Arguments) -> Any:
        return self._purge(self.store.resources, caller, values)

    # Keys, passwords and tokens

    def _owner(self, caller: Caller, identifier: str) -> Thing:
        entity = self.store.live(self.store.entities, an_id(identifier))
        if entity is None:
            raise AtomError(f"entity {identifier} not found")
        if entity.id != caller.entity_id or caller.scoped:
            self.store.require_keys(caller, entity.tenant_id)
        return entity

    def create_shared_key(self, caller: Caller, values: Arguments) -> Any:
        if values["entityId"] == caller.entity_id and self._is_human(caller.entity_id):
            raise AtomError("shared keys cannot be created for human entities")
        entity = self._owner(caller, values["entityId"])
        if entity.status != "active":
            raise AtomError(f"active entity {entity.id} not found")
        given = values["input"]
        key = given.get("key")
        if key is None:
            key = f"atom_shared_{secrets.token_hex(16)}_{secrets.token_hex(32)}"
        if not key.strip():
            raise AtomError("password cannot be blank")
        made = Credential(entity.id, "shared_key", key, expires_at=a_time(given.get("expiresAt")))
        self.store.credentials[made.id] = made
        return {"credentialId": made.id, "key": key, "expiresAt": said(made.expires_at)}

    def _is_human(self, entity_id: str) -> bool:
        entity = self.store.entities.get(entity_id)
        return entity is not None and entity.kind == "human"

    def credentials(self, caller: Caller, values: Arguments) -> Any:
        entity = self._owner(caller, values["entityId"])
        held = [each for each in self.store.credentials.values() if each.entity_id == entity.id]
        return a_list(held, {"limit": 100})

    def reveal_shared_key(self, caller: Caller, values: Arguments) -> Any:
        entity = self._owner(caller, values["entityId"])
        found = self.store.credentials.get(values["credentialId"])
        if found is None or found.entity_id != entity.id or found.revoked:
            raise AtomError("shared key not found")
        return {"credentialId": found.id, "key": found.secret, "expiresAt": said(found.expires_at)}

    def revoke_credential(self, caller: Caller, values: Arguments) -> Any:
        entity = self._owner(caller, values["entityId"])
        found = self.store.credentials.get(values["credentialId"])
        if found is None or found.entity_id != entity.id:
            raise AtomError("credential not found")
        found.revoked = True
        return True

    def create_password(self, caller: Caller, values: Arguments) -> Any:
        entity = self._owner(caller, values["entityId"])
        made = Credential(entity.id, "password", values["password"])
        self.store.credentials[made.id] = made
        return True

    def create_access_token(self, caller: Caller, values: Arguments) -> Any:
        given = values["input"]
        scoped = given.get("scoped", True)
        if caller.scoped:
            raise AtomError("forbidden")
        if not scoped and given["permissions"]:
            raise AtomError("unscoped access token must not carry permissions")
        if scoped and not given["permissions"]:
            raise AtomError("access token requires at least one permission")
        for permission in given["permissions"]:
            for action in permission["actions"]:
                if action not in self.store.action_ids:
                    raise AtomError(f"unknown action: {action}")
        made = Credential(
            caller.entity_id,
            "access_token",
            f"atom_{secrets.token_hex(16)}_{secrets.token_hex(32)}",
            name=given["name"],
            description=given.get("description"),
            scoped=scoped,
            permissions=[
                {**each, "actions": sorted(each["actions"])} for each in given["permissions"]
            ],
            expires_at=a_time(given.get("expiresAt")),
        )
        self.store.credentials[made.id] = made
        return {**made.shown(), "token": made.secret}

    def access_tokens(self, caller: Caller, values: Arguments) -> Any:
        held = [
            each
            for each in self.store.credentials.values()
            if each.entity_id == caller.entity_id and each.kind == "access_token"
        ]
        return a_list(held, values)

    def revoke_access_token(self, _: Caller, values: Arguments) -> Any:
        found = self.store.credentials.get(values["credentialId"])
        if found is None or found.kind != "access_token":
            raise AtomError("access token not found")
        found.revoked = True
        return True

    # Blocks and policies

    def actions(self, _: Caller, values: Arguments) -> Any:
        every = [{"id": each, "name": name} for name, each in self.store.action_ids.items()]
        return {"total": len(every), "items": every[: max(values.get("limit") or 1, 1)]}

    def _shown_block(self, block: Block) -> dict[str, Any]:
        ids = self.store.action_ids
        return {
            "id": block.id,
            "tenantId": block.tenant_id,
            "scopeMode": block.scope_mode,
            "objectKind": block.object_kind,
            "objectType": block.object_type,
            "objectId": block.object_id,
            "effect": block.effect,
            "conditions": {},
            "actions": [{"id": ids[name], "name": name} for name in sorted(block.actions)],
            "createdAt": said(block.created_at),
        }

    def create_permission_block(self, caller: Caller, values: Arguments) -> Any:
        given = values["input"]
        self.store.require(caller, given["tenantId"], "policy.manage")
        if given["scopeMode"] == "object" and not self.store.live(
            self.store.resources, given["objectId"]
        ):
            raise AtomError("object permission block references unknown object")
        names = {identifier: name for name, identifier in self.store.action_ids.items()}
        block = Block(
            given["tenantId"],
            given["scopeMode"],
            given.get("objectKind"),
            given.get("objectType"),
            given.get("objectId"),
            str(given.get("effect") or "allow"),
            [names[each] for each in given["actionIds"]],
        )
        self.store.blocks[block.id] = block
        return self._shown_block(block)

    def _block(self, caller: Caller, identifier: str) -> Block:
        block = self.store.blocks.get(identifier)
        if block is None:
            raise AtomError(f"permission block {identifier} not found")
        self.store.require(caller, block.tenant_id, "policy.manage")
        return block

    def permission_block(self, caller: Caller, values: Arguments) -> Any:
        return self._shown_block(self._block(caller, values["id"]))

    def permission_blocks(self, caller: Caller, values: Arguments) -> Any:
        self.store.require(caller, values["tenantId"], "policy.manage")
        found = [
            each
            for each in self.store.blocks.values()
            if each.tenant_id == values["tenantId"]
            and values.get("scopeMode") in (None, each.scope_mode)
        ]
        return {
            "total": len(found),
            "items": [self._shown_block(each) for each in a_page(found, values)],
        }

    def delete_permission_block(self, caller: Caller, values: Arguments) -> Any:
        block = self._block(caller, values["id"])
        for policy in list(self.store.policies.values()):
            if policy.block_id == block.id:
                del self.store.policies[policy.id]
        del self.store.blocks[block.id]
        return True

    def _shown_policy(self, policy: Policy) -> dict[str, Any]:
        return {
            "id": policy.id,
            "tenantId": policy.tenant_id,
            "subjectKind": "entity",
            "subjectId": policy.subject_id,
            "permissionBlockId": policy.block_id,
            "permissionBlock": self._shown_block(self.store.blocks[policy.block_id]),
            "createdAt": said(policy.created_at),
        }

    def create_direct_policy(self, caller: Caller, values: Arguments) -> Any:
        given = values["input"]
        self.store.require(caller, given["tenantId"], "policy.manage")
        block = self.store.blocks.get(given["permissionBlockId"])
        if block is None:
            raise AtomError("direct policy references unknown permission block")
        if block.tenant_id != given["tenantId"]:
            raise AtomError("direct policy tenantId must match permission block tenantId")
        subject = self.store.entities.get(given["subjectId"])
        if subject is None:
            raise AtomError("assignment references unknown entity")
        if subject.deleted or subject.status != "active":
            raise AtomError("assignment references a deleted, disabled, or unknown subject")
        if subject.tenant_id != given["tenantId"]:
            raise AtomError("tenant assignment subject entity must belong to the tenant")
        policy = Policy(given["tenantId"], subject.id, block.id)
        self.store.policies[policy.id] = policy
        return self._shown_policy(policy)

    def direct_policies(self, caller: Caller, values: Arguments) -> Any:
        self.store.require(caller, values["tenantId"], "policy.manage")
        found = [
            each
            for each in self.store.policies.values()
            if each.tenant_id == values["tenantId"]
            and values.get("subjectId") in (None, each.subject_id)
            and self.store.live(self.store.entities, each.subject_id)
        ]
        return {
            "total": len(found),
            "items": [self._shown_policy(each) for each in a_page(found, values)],
        }

    def delete_direct_policy(self, caller: Caller, values: Arguments) -> Any:
        policy = self.store.policies.get(values["id"])
        if policy is None:
            raise AtomError(f"direct policy {values['id']} not found")
        self.store.require(caller, policy.tenant_id, "policy.manage")
        self._drop_policy(policy)
        return True

    def _drop_policy(self, policy: Policy) -> None:
        """Delete a policy, and its block where that was the last one."""
        del self.store.policies[policy.id]
        if all(each.block_id != policy.block_id for each in self.store.policies.values()):
            del self.store.blocks[policy.block_id]

    def authorized_object_ids(self, caller: Caller, values: Arguments) -> Any:
        given = values["input"]
        self.store.require(caller, given["tenantId"], "manage", "policy.manage")
        found = {
            block.object_id: block.order
            for block in self.store.grants(given["subjectId"])
            if block.object_id
            and self.store.check(given["subjectId"], given["action"], block.object_id)[0]
        }
        ids = sorted(found, key=lambda each: self.store.resources[each].order, reverse=True)
        return {"total": len(ids), "ids": ids}

    def authz_check(self, caller: Caller, values: Arguments) -> Any:
        given = values["input"]
        if given.get("objectKind") == "tenant":
            return self._tenant_check(given)
        object_id = given.get("objectId") or given.get("resourceId")
        resource = self.store.resources.get(object_id)
        tenant_id = resource.tenant_id if resource else None
        if given["subjectId"] != caller.entity_id and caller.entity_id != ADMINISTRATOR:
            self.store.require(caller, tenant_id, "manage", "policy.manage")
        allowed, reason = self.store.check(given["subjectId"], given["action"], object_id)
        return {"allowed": allowed, "reason": reason, "details": None}

    def _tenant_check(self, given: Mapping[str, Any]) -> Any:
        tenant = self.store.live(self.store.tenants, given["objectId"])
        reason = "no matching allow policy"
        if tenant is None:
            reason = "tenant not found"
        elif given["action"] == "write":
            reason = "unknown action 'write'"
        elif given["action"] in self.store.rights(Caller(given["subjectId"]), tenant.id):
            return {"allowed": True, "reason": "allowed", "details": None}
        return {"allowed": False, "reason": reason, "details": None}

    def authz_bulk_check(self, caller: Caller, values: Arguments) -> Any:
        if len(values["input"]) > 20:
            raise AtomError("input must contain at most 20 items")
        return [self.authz_check(caller, {"input": each}) for each in values["input"]]

    # Certificates

    def ca_chain(self, _: Caller, __: Arguments) -> Any:
        return self.authority.chain()

    def issue_certificate_from_csr(self, caller: Caller, values: Arguments) -> Any:
        given = values["input"]
        entity = self._holder(caller, given["entityId"])
        made = self.authority.sign(
            entity.id, entity.tenant_id, given["csrPem"], given.get("ttlSecs")
        )
        return {"certificate": made.shown(), "privateKeyPem": None}

    def issue_certificate(self, caller: Caller, values: Arguments) -> Any:
        given = values["input"]
        entity = self._holder(caller, given["entityId"])
        key = ec.generate_private_key(ec.SECP256R1())
        ttl = given.get("ttlSecs") or MAX_TTL
        name = _name(given.get("commonName") or entity.id)
        made = self.authority.add(entity.id, entity.tenant_id, name, key, ttl)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return {"certificate": made.shown(), "privateKeyPem": pem}

    def _holder(self, caller: Caller, identifier: str) -> Thing:
        entity = self._seen(caller, identifier, "manage")
        if caller.scoped:
            raise AtomError("forbidden")
        if entity.status != "active":
            raise AtomError("entity not found")
        return entity

    def _certificate(self, caller: Caller, serial: str, *actions: str) -> Issued:
        found = self.authority.issued.get(serial.replace(":", "").lower())
        if found is None:
            raise AtomError("not found")
        if self.store.live(self.store.entities, found.entity_id) is None:
            raise AtomError("entity not found")
        self.store.require(caller, found.tenant_id, *actions)
        return found

    def certificate(self, caller: Caller, values: Arguments) -> Any:
        return self._certificate(caller, values["serialNumber"], "read", "manage").shown()

    def certificates(self, caller: Caller, values: Arguments) -> Any:
        tenant_id, entity_id = values.get("tenantId"), values.get("entityId")
        if values.get("status") not in (None, "active", "revoked"):
            raise AtomError("certificate status must be active or revoked")
        if entity_id:
            entity = self.store.live(self.store.entities, entity_id)
            if entity is None:
                raise AtomError("entity not found")
            tenant_id = entity.tenant_id
        self.store.require(caller, tenant_id, "read", "manage")
        found = [
            each
            for each in self.authority.issued.values()
            if (each.entity_id == entity_id if entity_id else each.tenant_id == tenant_id)
            and values.get("status") in (None, each.status)
        ]
        page = a_page(found, values)
        # The total is that of the page alone.
        return {"total": len(page), "items": [each.shown() for each in page]}

    def renew_certificate(self, caller: Caller, values: Arguments) -> Any:
        given = values["input"]
        old = self._certificate(caller, given["serialNumber"], "manage")
        again = {"entityId": old.entity_id, "ttlSecs": given.get("ttlSecs")}
        made = self.issue_certificate(caller, {"input": again})
        if given.get("revokeOld"):
            old.revoke("superseded")
        return made

    def revoke_certificate(self, caller: Caller, values: Arguments) -> Any:
        given = values["input"]
        found = self._certificate(caller, given["serialNumber"], "manage")
        found.revoke(given.get("reason"))
        return found.shown()

    def revoke_entity_certificates(self, caller: Caller, values: Arguments) -> Any:
        entity = self._seen(caller, values["entityId"], "manage")
        good = [
            each
            for each in self.authority.issued.values()
            if each.entity_id == entity.id and not each.revoked_at
        ]
        for each in good:
            each.revoke(values.get("reason"))
        return len(good)

    # What needs no token

    def health(self, _: Caller, __: Arguments) -> Any:
        return "ok"


def a_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise AtomError("expiresAt must be RFC3339") from error
