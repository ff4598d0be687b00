"""What the adapter asks of Atom: its operations, and documents of GraphQL that are made of them.

A document costs one point for each field that is selected and may cost 1,000; its mutations run in
order, each in a transaction of its own, and those after a failed one run all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import field, frozen

MAX_COST: Final = 900
"""Points that a document of this adapter may cost, of the 1,000 that Atom allows."""


@frozen
class Operation:
    """A query or mutation: its arguments with their types, and the fields that are asked for."""

    name: str
    arguments: Mapping[str, str]
    selection: str = ""
    changes: bool = False

    @property
    def cost(self) -> int:
        """Points of Atom's complexity: one for each field."""
        return 1 + len(self.selection.replace("{", " ").replace("}", " ").split())


@frozen
class Asked:
    """One operation in a document: its alias, and a value for each argument."""

    alias: str
    operation: Operation
    values: Mapping[str, Any] = field(repr=False)


def ask(alias: str, operation: Operation, **values: Any) -> Asked:  # noqa: ANN401 - any JSON
    """Return an operation with its values, as one part of a document."""
    return Asked(alias, operation, values)


def document(parts: Sequence[Asked]) -> dict[str, Any]:
    """Return the body of the request that asks for all ``parts``, either queries or mutations."""
    variables: dict[str, Any] = {}
    types, fields = [], []
    for part in parts:
        arguments = []
        for name, value in part.values.items():
            variable = f"{part.alias}_{name}"
            variables[variable] = value
            types.append(f"${variable}: {part.operation.arguments[name]}")
            arguments.append(f"{name}: ${variable}")
        called = part.operation.name + (f"({', '.join(arguments)})" if arguments else "")
        selection = f" {{ {part.operation.selection} }}" if part.operation.selection else ""
        fields.append(f"{part.alias}: {called}{selection}")
    kind = "mutation" if parts[0].operation.changes else "query"
    declared = f"({', '.join(types)})" if types else ""
    return {"query": f"{kind}{declared} {{ {' '.join(fields)} }}", "variables": variables}


def documents(parts: Sequence[Asked], together: int = 1) -> Iterator[Sequence[Asked]]:
    """Cut ``parts`` into as few documents as Atom takes; ``together`` parts are never cut apart."""
    cut: list[Asked] = []
    cost = 0
    for at in range(0, len(parts), together):
        group = parts[at : at + together]
        needed = sum(part.operation.cost for part in group)
        if cut and cost + needed > MAX_COST:
            yield cut
            cut, cost = [], 0
        cut = [*cut, *group]
        cost += needed
    if cut:
        yield cut


TENANT_FIELDS: Final = "id name alias status tags attributes"
ENTITY_FIELDS: Final = "id kind name tenantId status attributes createdAt updatedAt"
RESOURCE_FIELDS: Final = "id kind name alias tenantId attributes createdAt updatedAt"
CERTIFICATE_FIELDS: Final = "entityId tenantId serialNumber status certificatePem expiresAt"

REFRESH: Final = Operation("refreshSession", {}, "token", changes=True)
TENANT: Final = Operation("tenant", {"id": "ID!"}, TENANT_FIELDS)
TENANTS: Final = Operation(
    "tenants", {"limit": "Int", "offset": "Int"}, f"total items {{ {TENANT_FIELDS} }}"
)
MY_ROLES: Final = Operation("myTenantRoles", {"tenantId": "ID!"}, "actions")
ACTIONS: Final = Operation(
    "actions", {"tenantId": "ID", "limit": "Int!"}, "total items { id name }"
)

ENTITY: Final = Operation("entity", {"id": "ID!"}, ENTITY_FIELDS)
ENTITIES: Final = Operation(
    "entities",
    {
        "q": "String",
        "kind": "EntityKind",
        "tenantId": "ID",
        "status": "EntityStatus",
        "limit": "Int",
        "offset": "Int",
    },
    f"total items {{ {ENTITY_FIELDS} }}",
)
CREATE_ENTITY: Final = Operation(
    "createEntity", {"input": "CreateEntityInput!"}, ENTITY_FIELDS, changes=True
)
UPDATE_ENTITY: Final = Operation(
    "updateEntity", {"id": "ID!", "input": "UpdateEntityInput!"}, ENTITY_FIELDS, changes=True
)
DELETE_ENTITY: Final = Operation("deleteEntity", {"id": "ID!"}, changes=True)
ENABLE_ENTITY: Final = Operation("enableEntity", {"id": "ID!"}, "id", changes=True)
DISABLE_ENTITY: Final = Operation("disableEntity", {"id": "ID!"}, "id", changes=True)

CREDENTIALS: Final = Operation(
    "credentials", {"entityId": "ID!"}, "total items { id kind status expiresAt }"
)
CREATE_KEY: Final = Operation(
    "createSharedKey",
    {"entityId": "ID!", "input": "CreateSharedKeyInput!"},
    "credentialId",
    changes=True,
)
REVEAL_KEY: Final = Operation(
    "revealSharedKey", {"entityId": "ID!", "credentialId": "ID!"}, "key", changes=True
)
REVOKE_KEY: Final = Operation(
    "revokeCredential", {"entityId": "ID!", "credentialId": "ID!"}, changes=True
)

RESOURCE: Final = Operation("resource", {"id": "ID!"}, RESOURCE_FIELDS)
RESOURCES: Final = Operation(
    "resources",
    {
        "q": "String",
        "kind": "String",
        "tenantId": "ID",
        "attributesContains": "JSON",
        "limit": "Int",
        "offset": "Int",
    },
    f"total items {{ {RESOURCE_FIELDS} }}",
)
CREATE_RESOURCE: Final = Operation(
    "createResource", {"input": "CreateResourceInput!"}, RESOURCE_FIELDS, changes=True
)
UPDATE_RESOURCE: Final = Operation(
    "updateResource", {"id": "ID!", "input": "UpdateResourceInput!"}, RESOURCE_FIELDS, changes=True
)
DELETE_RESOURCE: Final = Operation("deleteResource", {"id": "ID!"}, changes=True)

POLICIES: Final = Operation(
    "directPolicies",
    {
        "tenantId": "ID",
        "subjectKind": "SubjectKind",
        "subjectId": "ID",
        "limit": "Int",
        "offset": "Int",
    },
    "total items { id subjectId permissionBlock { objectId effect actions { name } } }",
)
CREATE_BLOCK: Final = Operation(
    "createPermissionBlock", {"input": "CreatePermissionBlockInput!"}, "id", changes=True
)
DELETE_BLOCK: Final = Operation("deletePermissionBlock", {"id": "ID!"}, changes=True)
CREATE_POLICY: Final = Operation(
    "createDirectPolicy", {"input": "CreateDirectPolicyInput!"}, "id", changes=True
)
DELETE_POLICY: Final = Operation("deleteDirectPolicy", {"id": "ID!"}, changes=True)

CERTIFICATE: Final = Operation("certificate", {"serialNumber": "String"}, CERTIFICATE_FIELDS)
CERTIFICATES: Final = Operation(
    "certificates",
    {"entityId": "ID", "limit": "Int", "offset": "Int"},
    "items { entityId tenantId serialNumber status expiresAt }",
)
ISSUE: Final = Operation(
    "issueCertificateFromCsr",
    {"input": "IssueCertificateFromCsrInput!"},
    f"certificate {{ {CERTIFICATE_FIELDS} }}",
    changes=True,
)
REVOKE: Final = Operation(
    "revokeCertificate", {"input": "RevokeCertificateInput!"}, "serialNumber", changes=True
)
REVOKE_ALL: Final = Operation("revokeEntityCertificates", {"entityId": "ID!"}, changes=True)

FEATURES: Final[Mapping[str, str]] = {
    "externalId": '{ entity(id: "00000000-0000-4000-8000-000000000000") { externalId } }',
    "attributesContains": "{ entities(attributesContains: {}, limit: 1) { total } }",
    "objectGroupIds": '{ entity(id: "00000000-0000-4000-8000-000000000000") { objectGroupIds } }',
}
"""What newer Atoms know, and a query that an older one refuses before it looks at the token."""
