"""The requests' fields and parameters, checked as Magistrala checks them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from bootstrap_core.model import is_uuid
from bootstrap_core.secret import Secret
from provision.embedded.errors import InvalidId, InvalidStatus, Malformed
from provision.embedded.identifiers import is_route
from provision.embedded.queries import ORDERS
from provision.embedded.records import DraftChannel, DraftClient, ListQuery
from provision.embedded.wire import Fields, Query
from provision.platform.types import Connections, ConnectionType, Status, StatusFilter

NAME_BYTES: Final = 1024
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


def channel_of(fields: Fields) -> DraftChannel:
    """Return a channel to be created; its ID may be any text."""
    channel_id = fields.text("id")
    if channel_id and not channel_id.strip():
        raise Malformed("the channel's id is blank")
    return DraftChannel(
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
