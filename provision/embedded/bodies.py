"""The answers' JSON: what Magistrala's say, field by field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from bootstrap_core.model import ConnectionType, EntityKind, Status, is_uuid
from bootstrap_core.secrets import Secret
from provision.embedded.access import Membership
from provision.embedded.errors import InvalidId, InvalidStatus, Malformed
from provision.embedded.queries import ORDERS
from provision.embedded.records import (
    ALL_ACTIONS,
    ChannelRecord,
    ClientRecord,
    DomainRecord,
    DraftClient,
    ListQuery,
    RoleRecord,
    Stamps,
    UserRecord,
    entity_actions,
)
from provision.embedded.tables import is_route
from provision.embedded.wire import NEVER, Fields, Query, present, written
from provision.platform.types import (
    Connections,
    Domain,
    NewChannel,
    Page,
    StatusFilter,
    User,
)


def to_user(record: UserRecord) -> User:
    """Return a user as the port knows it."""
    return User(record.id, record.username, record.email, record.role, record.status)


def to_domain(record: DomainRecord) -> Domain:
    """Return a domain as the port knows it."""
    return Domain(
        id=record.id,
        name=record.name,
        route=record.route,
        status=record.status,
        tags=record.tags,
        metadata=record.metadata,
    )


NAME_BYTES: Final = 1024
ID_BYTES: Final = 1024
PAGE_DEFAULT: Final = 10
PAGE_MOST: Final = 100
OFFSET_MOST: Final = 2**62
NUMBER_MOST: Final = 2**63 - 1
SEARCH_MOST: Final = 200
NO_TYPE_FILTER: Final = "lists can't be filtered by connection_type, only by channel or client"

E = TypeVar("E", Status, StatusFilter)
S = TypeVar("S")


def name_of(fields: Fields, member: str = "name") -> str:
    """Return a name: at most 1,024 bytes."""
    name = fields.text(member)
    if len(name.encode()) > NAME_BYTES:
        raise Malformed(f"{member} has more than {NAME_BYTES} bytes")
    return name


def route_of(fields: Fields) -> str:
    """Return a route, which may be missing."""
    route = fields.text("route")
    if route and not is_route(route):
        raise Malformed(
            "a route is a letter and then at most 35 letters, digits, - and _ (none of them twice "
            "in a row); it is no UUID"
        )
    return route


def status_of(fields: Fields) -> Status:
    """Return a status; missing means enabled."""
    return _status(Status, fields.text("status") or Status.ENABLED)


def client_of(fields: Fields) -> DraftClient:
    """Return a client to be created."""
    client_id = fields.text("id")
    if client_id and not is_uuid(client_id):
        raise InvalidId
    credentials = fields.fields("credentials")
    return DraftClient(
        id=client_id,
        name=name_of(fields),
        identity=credentials.text("identity"),
        secret=Secret(credentials.text("secret")),
        metadata=fields.document("metadata"),
        private_metadata=fields.document("private_metadata"),
        tags=fields.texts("tags"),
        status=status_of(fields),
    )


def channel_of(fields: Fields) -> NewChannel:
    """Return a channel to be created; its ID may be any text of at most 1,024 bytes."""
    channel_id = fields.text("id")
    if channel_id and not channel_id.strip():
        raise Malformed("the channel's id is blank")
    if (size := len(channel_id.encode())) > ID_BYTES:
        raise Malformed(f"the channel's id has {size} bytes; at most {ID_BYTES} are allowed")
    return NewChannel(
        id=channel_id,
        name=name_of(fields),
        route=route_of(fields),
        metadata=fields.document("metadata"),
        tags=fields.texts("tags"),
        status=status_of(fields),
    )


def changes_of(fields: Fields, documents: Sequence[str]) -> dict[str, Any]:
    """Return what a PATCH names: a name (an empty one is none) and JSON objects."""
    values: dict[str, Any] = {}
    if name := name_of(fields):
        values["name"] = name
    for member in documents:
        if member in fields:
            values[member] = fields.document(member)
    return values


def connections_of(fields: Fields, channel_ids: Sequence[str]) -> Connections:
    """Return the connections that a body names, on channels that it or the path names."""
    wanted = Connections(
        client_ids=fields.texts("client_ids"),
        channel_ids=channel_ids,
        types=[_connection_type(kind) for kind in fields.texts("types")],
    )
    named = [*wanted.channel_ids, *wanted.client_ids]
    if not (wanted.channel_ids and wanted.client_ids and all(key.strip() for key in named)):
        raise Malformed("channel_ids and client_ids each need at least one ID, none of it blank")
    if not wanted.types:
        raise Malformed("types needs publish, subscribe or both")
    return wanted


def require_uuids(keys: Sequence[str]) -> None:
    """Raise ``InvalidId`` unless all ``keys`` are UUIDs."""
    for key in keys:
        if not is_uuid(key):
            raise InvalidId(f"{key[:64]!r} is no UUID in its canonical form")


def list_query_of(query: Query, connected_to: str = "") -> ListQuery:
    """Return which entities a list asks for.

    ``connected_to`` is the parameter that names what they must be connected to, if there is one.
    """
    name = query.text("name")
    if len(name.encode()) > NAME_BYTES:
        raise Malformed(f"the parameter name has more than {NAME_BYTES} bytes")
    order = query.text("order") or "created_at"
    direction = query.text("dir") or "desc"
    if order not in ORDERS:
        raise Malformed(f"the parameter order must be one of {', '.join(ORDERS)}")
    if direction not in ("asc", "desc"):
        raise Malformed("the parameter dir must be asc or desc")
    return ListQuery(
        offset=query.number("offset", 0, 0, OFFSET_MOST),
        limit=query.number("limit", PAGE_DEFAULT, 1, PAGE_MOST),
        id=query.text("id"),
        name=name,
        any_tags=_few("tags", [tag for tag in query.text("tags").split(",") if tag]),
        metadata=_few("metadata", _searchable(query.document("metadata"))),
        status=_status(StatusFilter, query.text("status") or StatusFilter.ENABLED),
        connected_to=query.text(connected_to) if connected_to else "",
        order=order,
        descending=direction == "desc",
        only_total=query.flag("only_total"),
    )


def _few(name: str, wanted: S) -> S:
    """Return what is searched for: each value is a condition, and databases bear only so many."""
    if _count(wanted) > SEARCH_MOST:
        raise Malformed(f"the parameter {name} has more than {SEARCH_MOST} values to search for")
    return wanted


def _count(value: object) -> int:
    if not isinstance(value, dict | list):
        return 1
    return 1 + sum(map(_count, value.values() if isinstance(value, dict) else value))


def _status(kind: type[E], text: str) -> E:
    try:
        return kind(text)
    except ValueError as error:
        raise InvalidStatus from error


def _connection_type(text: str) -> ConnectionType:
    try:
        return ConnectionType(text.lower())
    except ValueError as error:
        raise Malformed(f"{text[:32]!r} is no connection type: publish or subscribe") from error


def _searchable(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _searchable(element) for key, element in value.items()}
    if isinstance(value, list):
        return [_searchable(element) for element in value]
    if isinstance(value, int) and abs(value) > NUMBER_MOST:
        raise Malformed("the parameter metadata has a number of more than 64 bits")
    return value


T = TypeVar("T")


def user_json(user: UserRecord) -> dict[str, Any]:
    """Return a user, without the password."""
    return {
        **present(
            {
                "id": user.id,
                "first_name": user.first_name,
                "last_name": user.last_name,
                "email": user.email,
                "credentials": {"username": user.username},
                "metadata": user.metadata,
                "tags": user.tags,
            }
        ),
        "role": user.role,
        "status": user.status.value,
        "created_at": written(user.created_at),
        "updated_at": written(user.updated_at),
        "verified_at": NEVER,
    }


def domain_json(domain: DomainRecord) -> dict[str, Any]:
    """Return a domain."""
    return {
        **present(
            {
                "id": domain.id,
                "name": domain.name,
                "route": domain.route,
                "metadata": domain.metadata,
                "tags": domain.tags,
                "created_by": domain.stamps.created_by,
            }
        ),
        "status": domain.status.value,
        **_stamps(domain.stamps),
    }


def role_json(role: RoleRecord) -> dict[str, Any]:
    """Return a role by itself."""
    return {
        "id": role.id,
        "name": role.name,
        "entity_id": role.domain_id,
        "created_by": role.stamps.created_by,
        "updated_by": role.stamps.updated_by,
        **_stamps(role.stamps),
    }


def held_role_json(role: RoleRecord) -> dict[str, Any]:
    """Return a role as one that somebody holds in a domain."""
    return {
        "role_id": role.id,
        "role_name": role.name,
        "actions": list(role.actions),
        "access_type": "direct",
    }


def client_json(client: ClientRecord) -> dict[str, Any]:
    """Return a client with its secret."""
    return {
        **present(
            {
                "id": client.id,
                "name": client.name,
                "tags": client.tags,
                "domain_id": client.domain_id,
                "metadata": client.metadata,
                "private_metadata": client.private_metadata,
            }
        ),
        "credentials": present({"identity": client.identity, "secret": client.secret.reveal()}),
        "status": client.status.value,
        **_stamps(client.stamps),
    }


def client_json_without_secret(client: ClientRecord) -> dict[str, Any]:
    """Return a client as answers do that are not about its secret."""
    return {**client_json(client), "credentials": present({"identity": client.identity})}


def listed_client_json(client: ClientRecord, membership: Membership) -> dict[str, Any]:
    """Return a client as lists show it: with what the caller may do, less what is private."""
    shown = {**client_json(client), **access_json("client", client, membership)}
    shown.pop("private_metadata", None)
    return {**shown, **_connection_types(client)}


def channel_json(channel: ChannelRecord) -> dict[str, Any]:
    """Return a channel."""
    return {
        **present(
            {
                "id": channel.id,
                "name": channel.name,
                "tags": channel.tags,
                "domain_id": channel.domain_id,
                "route": channel.route,
                "metadata": channel.metadata,
            }
        ),
        "status": channel.status.value,
        **_stamps(channel.stamps),
    }


def listed_channel_json(channel: ChannelRecord, membership: Membership) -> dict[str, Any]:
    """Return a channel as lists show it: with what the caller may do."""
    shown = {**channel_json(channel), **access_json("channel", channel, membership)}
    return {**shown, **_connection_types(channel)}


def _connection_types(entity: ClientRecord | ChannelRecord) -> dict[str, Any]:
    types = sorted(kind.value.capitalize() for kind in entity.connection_types or ())
    return present({"connection_types": types})


def entity_members_json(kind: EntityKind, entity: ClientRecord | ChannelRecord) -> dict[str, Any]:
    """Return who has a role on an entity: who made it."""
    maker = entity.stamps.created_by
    role = {
        "role_id": f"{kind}_{entity.id.replace('-', '')}",
        "role_name": "admin",
        "actions": entity_actions(kind, ALL_ACTIONS),
        "access_type": "direct",
    }
    members = [{"member_id": maker, "roles": [role]}] if maker else []
    return {"total": len(members), "members": members}


def access_json(
    kind: EntityKind, entity: ClientRecord | ChannelRecord, membership: Membership
) -> dict[str, Any]:
    """Return what the caller may do with an entity, and why: made it, or has a role."""
    made_it = entity.stamps.created_by == membership.caller.id
    return {
        "role_id": f"{kind}_{entity.id.replace('-', '')}",
        "role_name": "admin",
        "actions": entity_actions(kind, ALL_ACTIONS if made_it else membership.actions),
        "access_type": "direct" if made_it else "domain",
    }


def page_json(
    name: str, page: Page[T], query: ListQuery, encode: Callable[[T], dict[str, Any]]
) -> dict[str, Any]:
    """Return a page of a list called ``name``."""
    elements: Sequence[dict[str, Any]] = [encode(item) for item in page.items]
    shown: dict[str, Any] = {"total": page.total, "limit": query.limit}
    if query.offset:
        shown["offset"] = query.offset
    if elements:
        shown[name] = elements
    return shown


def _stamps(stamps: Stamps) -> dict[str, Any]:
    return {
        **present({"updated_by": stamps.updated_by}),
        "created_at": written(stamps.created_at),
        "updated_at": written(stamps.updated_at),
    }
