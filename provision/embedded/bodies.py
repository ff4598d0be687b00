"""The bodies of requests, and the answers' JSON: what Magistrala's hold, field by field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Final, TypeAlias, TypeVar

from attrs import asdict, field, frozen

from bootstrap_core.bodies import Body, Check, Read, Wrong, named
from bootstrap_core.decoding import structured
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
from provision.embedded.wire import KNOWN, NEVER, Query, present, written
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

S = TypeVar("S")


def _name_fault(name: str) -> str:
    return f"has more than {NAME_BYTES} bytes" if len(name.encode()) > NAME_BYTES else ""


def _route_fault(route: str) -> str:
    if not route or is_route(route):
        return ""
    return (
        "a route is a letter and then at most 35 letters, digits, - and _ (none of them twice "
        "in a row); it is no UUID"
    )


def _client_id_fault(client_id: str) -> str:
    return "" if not client_id or is_uuid(client_id) else f"{client_id[:64]!r} is no UUID"


def _channel_id_fault(channel_id: str) -> str:
    if channel_id and not channel_id.strip():
        return "is blank"
    size = len(channel_id.encode())
    return f"has {size} bytes; at most {ID_BYTES} are allowed" if size > ID_BYTES else ""


def _status_sent(value: object) -> Status:
    text: str = structured(str, value)
    try:
        return Status(text or Status.ENABLED)
    except ValueError as error:
        raise Wrong("is enabled or disabled", cause=InvalidStatus) from error


def _connection_type(value: object) -> ConnectionType:
    text: str = structured(str, value)
    try:
        return ConnectionType(text.lower())
    except ValueError as error:
        raise Wrong(f"{text[:32]!r} is no connection type: publish or subscribe") from error


Name: TypeAlias = Annotated[str, Check(_name_fault)]
Route: TypeAlias = Annotated[str, Check(_route_fault)]
SentStatus: TypeAlias = Annotated[Status, Read(_status_sent)]
Types: TypeAlias = Sequence[Annotated[ConnectionType, Read(_connection_type)]]


@frozen
class Sent:
    """A body in which passes what any release sends or answers."""

    body: ClassVar[Body] = Body(known=KNOWN)


@frozen
class Credentials(Sent):
    """What a client or user signs in with."""

    username: Name = ""
    identity: str = ""
    secret: Secret = Secret("")


@frozen
class ClientBody(Sent):
    """A client to be created."""

    id: Annotated[str, Check(_client_id_fault, InvalidId)] = ""
    name: Name = ""
    credentials: Credentials = field(factory=Credentials)
    metadata: Mapping[str, Any] = field(factory=dict)
    private_metadata: Mapping[str, Any] = field(factory=dict)
    tags: Sequence[str] = ()
    status: SentStatus = Status.ENABLED

    def draft(self) -> DraftClient:
        """Return what is to be created."""
        return DraftClient(
            id=self.id,
            name=self.name,
            identity=self.credentials.identity,
            secret=self.credentials.secret,
            metadata=self.metadata,
            private_metadata=self.private_metadata,
            tags=self.tags,
            status=self.status,
        )


@frozen
class ChannelBody(Sent):
    """A channel to be created; its ID may be any text of at most 1,024 bytes."""

    id: Annotated[str, Check(_channel_id_fault)] = ""
    name: Name = ""
    route: Route = ""
    metadata: Mapping[str, Any] = field(factory=dict)
    tags: Sequence[str] = ()
    status: SentStatus = Status.ENABLED

    def draft(self) -> NewChannel:
        """Return what is to be created."""
        return NewChannel(**asdict(self, recurse=False))


@frozen
class ChannelChangeBody(Sent):
    """What a PATCH names of a channel; an empty name is none."""

    name: Name | None = None
    metadata: Mapping[str, Any] | None = None

    def values(self) -> dict[str, Any]:
        """Return the columns that are to be changed."""
        return {name: value for name, value in named(self).items() if value != ""}


@frozen
class ClientChangeBody(ChannelChangeBody):
    """What a PATCH names of a client."""

    private_metadata: Mapping[str, Any] | None = None


@frozen
class DomainChangeBody(ChannelChangeBody):
    """What a PATCH names of a domain."""

    tags: Sequence[str] | None = None


@frozen
class TagsBody(Sent):
    """The tags that take the place of others."""

    tags: Sequence[str] = ()


@frozen
class ConnectionsBody(Sent):
    """Which clients and channels are (dis)connected, and for what."""

    client_ids: Sequence[str] = ()
    channel_ids: Sequence[str] = ()
    types: Types = ()

    def connections(self, channel_id: str = "") -> Connections:
        """Return the connections; ``channel_id`` stands for the channels that the body names."""
        channel_ids = [channel_id] if channel_id else list(self.channel_ids)
        named = [*channel_ids, *self.client_ids]
        if not (channel_ids and self.client_ids and all(key.strip() for key in named)):
            raise Malformed(
                "channel_ids and client_ids each need at least one ID, none of it blank"
            )
        if not self.types:
            raise Malformed("types needs publish, subscribe or both")
        return Connections(list(self.client_ids), channel_ids, list(self.types))


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
        status=_status_filter(query.text("status") or StatusFilter.ENABLED),
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


def _status_filter(text: str) -> StatusFilter:
    try:
        return StatusFilter(text)
    except ValueError as error:
        raise InvalidStatus from error


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
