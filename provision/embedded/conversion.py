"""The embedded platform's records in the port's types."""

from __future__ import annotations

from typing import Any

from provision.embedded.records import (
    ChannelRecord,
    ClientRecord,
    DomainRecord,
    DraftChannel,
    DraftClient,
    ListQuery,
    UserRecord,
)
from provision.platform.types import (
    Channel,
    ChannelChange,
    ChannelQuery,
    Client,
    ClientChange,
    ClientQuery,
    Domain,
    NewChannel,
    NewClient,
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


def to_client(record: ClientRecord) -> Client:
    """Return a client as the port knows it."""
    return Client(
        id=record.id,
        domain_id=record.domain_id,
        name=record.name,
        secret=record.secret,
        identity=record.identity,
        metadata=record.metadata,
        tags=record.tags,
        status=record.status,
        created_at=record.stamps.created_at,
        updated_at=record.stamps.updated_at,
    )


def to_channel(record: ChannelRecord) -> Channel:
    """Return a channel as the port knows it."""
    return Channel(
        id=record.id,
        domain_id=record.domain_id,
        name=record.name,
        route=record.route,
        metadata=record.metadata,
        tags=record.tags,
        status=record.status,
        created_at=record.stamps.created_at,
        updated_at=record.stamps.updated_at,
    )


def draft_client(new: NewClient) -> DraftClient:
    """Return what is to be created for the port's ``new``."""
    return DraftClient(
        id=new.id,
        name=new.name,
        identity=new.identity,
        secret=new.secret,
        metadata=new.metadata,
        tags=new.tags,
        status=new.status,
    )


def draft_channel(new: NewChannel) -> DraftChannel:
    """Return what is to be created for the port's ``new``."""
    return DraftChannel(
        id=new.id,
        name=new.name,
        route=new.route,
        metadata=new.metadata,
        tags=new.tags,
        status=new.status,
    )


def list_query(query: ClientQuery | ChannelQuery) -> ListQuery:
    """Return the port's query in this package's terms."""
    other = query.channel_id if isinstance(query, ClientQuery) else query.client_id
    return ListQuery(
        offset=query.offset,
        limit=query.limit,
        id=query.id,
        name=query.name,
        metadata=query.metadata,
        status=query.status,
        connected_to=other,
    )


def changed_values(change: ClientChange | ChannelChange) -> dict[str, Any]:
    """Return the columns that a change names."""
    values: dict[str, Any] = {}
    if change.name is not None:
        values["name"] = change.name
    if change.metadata is not None:
        values["metadata"] = dict(change.metadata)
    if change.tags is not None:
        values["tags"] = list(change.tags)
    return values
