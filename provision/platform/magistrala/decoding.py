"""What Magistrala's services answer, as the types of the port."""

from __future__ import annotations

from typing import Any, Final

from bootstrap_core.model import ConnectionType, Status
from bootstrap_core.secrets import Secret
from provision.platform.shapes import Shape
from provision.platform.types import (
    Certificate,
    Channel,
    Client,
    Domain,
    TokenPair,
    User,
)

STATUSES: Final = {
    "enabled": Status.ENABLED,
    "disabled": Status.DISABLED,
    # What is frozen or on its way out can't be used either.
    "freezed": Status.DISABLED,
    "deleted": Status.DISABLED,
}


def to_client(shape: Shape) -> Client:
    """Read a client."""
    credentials = shape.inner("credentials")
    return Client(
        **_entity(shape),
        secret=Secret(credentials.optional_text("secret")),
        identity=credentials.optional_text("identity"),
    )


def to_channel(shape: Shape) -> Channel:
    """Read a channel."""
    return Channel(**_entity(shape), route=shape.optional_text("route"))


def _entity(shape: Shape) -> dict[str, Any]:
    """Read what clients and channels have alike."""
    return {
        "id": shape.text("id"),
        "domain_id": shape.text("domain_id"),
        "name": shape.optional_text("name"),
        "metadata": shape.mapping("metadata"),
        "tags": shape.texts("tags"),
        "status": shape.choice("status", STATUSES),
        "created_at": shape.time("created_at"),
        "updated_at": shape.optional_time("updated_at"),
        "actions": _held(shape),
        "connection_types": _connected(shape),
    }


def to_domain(shape: Shape) -> Domain:
    """Read a domain."""
    return Domain(
        id=shape.text("id"),
        name=shape.optional_text("name"),
        route=shape.optional_text("route"),
        status=shape.choice("status", STATUSES),
        tags=shape.texts("tags"),
        metadata=shape.mapping("metadata"),
    )


def _held(shape: Shape) -> frozenset[str] | None:
    """Read what the caller may do with an entity; None where the answer does not tell."""
    return frozenset(shape.texts("actions")) if "actions" in shape.whole() else None


def _connected(shape: Shape) -> frozenset[ConnectionType] | None:
    """Read how an entity is connected (``Publish``, ``Subscribe``); None where it is not told."""
    if "connection_types" not in shape.whole():
        return None
    told = {text.lower() for text in shape.texts("connection_types")}
    return frozenset(kind for kind in ConnectionType if kind.value in told)


def to_actions(shape: Shape) -> frozenset[str] | None:
    """Read what the roles of a domain's member allow; None where no role is told."""
    roles = shape.items("roles")
    if not roles:
        return None
    return frozenset(action for role in roles for action in role.texts("actions"))


def to_user(shape: Shape) -> User:
    """Read a user."""
    return User(
        id=shape.text("id"),
        username=shape.inner("credentials").optional_text("username"),
        email=shape.optional_text("email"),
        role=shape.text("role"),
        status=shape.choice("status", STATUSES),
    )


def to_token_pair(shape: Shape) -> TokenPair:
    """Read an access token and its refresh token."""
    return TokenPair(
        access=Secret(shape.text("access_token")), refresh=Secret(shape.text("refresh_token"))
    )


def to_certificate(shape: Shape, client_id: str) -> Certificate:
    """Read a certificate; ``client_id`` counts where the answer does not name its entity."""
    return Certificate(
        serial=shape.text("serial_number"),
        client_id=shape.optional_text("entity_id") or client_id,
        certificate=shape.optional_text("certificate"),
        expires_at=shape.time("expiry_time"),
        revoked=shape.truth("revoked"),
    )
