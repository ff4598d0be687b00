"""What Atom answers, as the types of the port.

Tags, metadata, identity and route stand in an entity's or resource's attributes, where Magistrala
0.40 and later write and read them. A device may rewrite its own: whatever stands there is read with
care, and what is of another kind than it should be counts as left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from bootstrap_core.model import Status
from bootstrap_core.secrets import Secret
from provision.platform.shapes import Shape
from provision.platform.types import Certificate, Channel, Client, Domain, NewChannel, NewClient

SOURCE: Final = "magistrala"
STATUSES: Final = {
    "active": Status.ENABLED,
    "inactive": Status.DISABLED,
    "suspended": Status.DISABLED,
    "frozen": Status.DISABLED,
    "deleted": Status.DISABLED,
}
REVOKED: Final = "revoked"


def to_client(shape: Shape) -> Client:
    """Read a device; it says nothing of its keys."""
    attributes = attributes_of(shape)
    return Client(
        id=shape.text("id"),
        domain_id=shape.optional_text("tenantId"),
        name=shape.optional_text("name"),
        secret=Secret(""),
        identity=_text(attributes, "identity"),
        metadata=_mapping(attributes, "metadata"),
        tags=_texts(attributes, "tags"),
        status=shape.choice("status", STATUSES),
        created_at=shape.time("createdAt"),
        updated_at=shape.optional_time("updatedAt"),
    )


def to_channel(shape: Shape) -> Channel:
    """Read a resource of the kind channel."""
    attributes = attributes_of(shape)
    disabled = _text(attributes, "status") == Status.DISABLED.value
    return Channel(
        id=shape.text("id"),
        domain_id=shape.optional_text("tenantId"),
        name=shape.optional_text("name"),
        route=_text(attributes, "route") or shape.optional_text("alias"),
        metadata=_mapping(attributes, "metadata"),
        tags=_texts(attributes, "tags"),
        status=Status.DISABLED if disabled else Status.ENABLED,
        created_at=shape.time("createdAt"),
        updated_at=shape.optional_time("updatedAt"),
    )


def to_domain(shape: Shape) -> Domain:
    """Read a tenant."""
    return Domain(
        id=shape.text("id"),
        name=shape.optional_text("name"),
        route=shape.optional_text("alias"),
        status=shape.choice("status", STATUSES),
        tags=shape.texts("tags"),
        metadata=_mapping(attributes_of(shape), "metadata"),
    )


def to_certificate(shape: Shape) -> Certificate:
    """Read a certificate; its end is told to the microsecond, and certificates end on a second."""
    ends = shape.time("expiresAt")
    return Certificate(
        serial=shape.text("serialNumber"),
        client_id=shape.text("entityId"),
        certificate=shape.optional_text("certificatePem"),
        expires_at=ends.replace(microsecond=0),
        revoked=shape.text("status") == REVOKED,
    )


def attributes_of(shape: Shape) -> Mapping[str, Any]:
    """Return an entity's attributes, which may be any JSON; what is no object is empty."""
    found = shape.whole().get("attributes")
    return found if isinstance(found, dict) else {}


def device_attributes(client: NewClient) -> dict[str, Any]:
    """Return the attributes of a client that is to be made."""
    return _compact(
        source=SOURCE,
        tags=list(client.tags),
        metadata=dict(client.metadata),
        identity=client.identity,
    )


def channel_attributes(channel: NewChannel) -> dict[str, Any]:
    """Return the attributes of a channel that is to be made."""
    return _compact(
        source=SOURCE,
        status=channel.status.value,
        route=channel.route,
        tags=list(channel.tags),
        metadata=dict(channel.metadata),
    )


def is_ended(shape: Shape) -> bool:
    """Tell whether a credential has an end that has passed."""
    ends = shape.optional_time("expiresAt")
    return ends is not None and ends <= datetime.now(UTC)


def _compact(**values: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {name: value for name, value in values.items() if value not in ("", [], {})}


def _text(attributes: Mapping[str, Any], name: str) -> str:
    found = attributes.get(name)
    return found if isinstance(found, str) else ""


def _texts(attributes: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = attributes.get(name)
    return tuple(item for item in found if isinstance(item, str)) if isinstance(found, list) else ()


def _mapping(attributes: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = attributes.get(name)
    return found if isinstance(found, dict) else {}
