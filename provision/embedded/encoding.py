"""The answers' JSON: what Magistrala's say, field by field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from provision.embedded.access import Membership
from provision.embedded.actions import entity_actions
from provision.embedded.records import (
    ChannelRecord,
    ClientRecord,
    DomainRecord,
    ListQuery,
    RoleRecord,
    Stamps,
    UserRecord,
)
from provision.embedded.wire import NEVER, present, written
from provision.platform.types import Page

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
    if client.connection_types:
        shown["connection_types"] = [kind.capitalize() for kind in client.connection_types]
    return shown


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
    return {**channel_json(channel), **access_json("channel", channel, membership)}


def access_json(
    kind: str, entity: ClientRecord | ChannelRecord, membership: Membership
) -> dict[str, Any]:
    """Return what the caller may do with an entity, and why: made it, or has a role."""
    made_it = entity.stamps.created_by == membership.caller.id
    return {
        "role_id": f"{kind}_{entity.id.replace('-', '')}",
        "role_name": "admin",
        "actions": entity_actions(kind, membership.actions),
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
