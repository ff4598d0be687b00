"""What the embedded platform holds, as its own code sees it (the port knows less of each)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from attrs import field, frozen

from bootstrap_core.secret import Secret
from provision.platform.types import Status, StatusFilter

ADMINISTRATOR = "admin"
ORDINARY_USER = "user"


@frozen
class Stamps:
    """Who made and last changed something, and when."""

    created_by: str
    created_at: datetime
    updated_by: str = ""
    updated_at: datetime | None = None


@frozen
class UserRecord:
    """A user; ``role`` is ``admin`` or ``user`` on the whole platform."""

    id: str
    username: str
    email: str
    first_name: str
    last_name: str
    role: str
    status: Status
    metadata: Mapping[str, Any]
    tags: Sequence[str]
    created_at: datetime
    updated_at: datetime | None = None


@frozen
class NewUser:
    """A user to be created."""

    username: str
    email: str
    password: Secret
    first_name: str = ""
    last_name: str = ""
    role: str = ORDINARY_USER
    status: Status = Status.ENABLED
    metadata: Mapping[str, Any] = field(factory=dict)
    tags: Sequence[str] = ()


@frozen
class DomainRecord:
    """A domain."""

    id: str
    name: str
    route: str
    status: Status
    metadata: Mapping[str, Any]
    tags: Sequence[str]
    stamps: Stamps


@frozen
class RoleRecord:
    """A role in a domain: what its members may do there."""

    id: str
    domain_id: str
    name: str
    actions: Sequence[str]
    stamps: Stamps


@frozen
class ClientRecord:
    """A client; ``connection_types`` is known only where a list was asked for one channel."""

    id: str
    domain_id: str
    name: str
    identity: str
    secret: Secret
    metadata: Mapping[str, Any]
    private_metadata: Mapping[str, Any]
    tags: Sequence[str]
    status: Status
    stamps: Stamps
    connection_types: Sequence[str] = ()


@frozen
class DraftClient:
    """A client to be created; an empty ID or secret is chosen by the platform."""

    id: str = ""
    name: str = ""
    identity: str = ""
    secret: Secret = Secret("")
    metadata: Mapping[str, Any] = field(factory=dict)
    private_metadata: Mapping[str, Any] = field(factory=dict)
    tags: Sequence[str] = ()
    status: Status = Status.ENABLED


@frozen
class ChannelRecord:
    """A channel; an empty route is none."""

    id: str
    domain_id: str
    name: str
    route: str
    metadata: Mapping[str, Any]
    tags: Sequence[str]
    status: Status
    stamps: Stamps


@frozen
class DraftChannel:
    """A channel to be created; an empty ID is chosen by the platform."""

    id: str = ""
    name: str = ""
    route: str = ""
    metadata: Mapping[str, Any] = field(factory=dict)
    tags: Sequence[str] = ()
    status: Status = Status.ENABLED


@frozen
class ListQuery:
    """Which of a domain's clients or channels to list; empty fields do not filter.

    ``any_tags`` are alternatives. ``connected_to`` is the ID of a channel (for clients) or of a
    client (for channels). ``created_by`` keeps what one user created.
    """

    offset: int = 0
    limit: int = 10
    id: str = ""
    name: str = ""
    any_tags: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(factory=dict)
    status: StatusFilter = StatusFilter.ENABLED
    connected_to: str = ""
    created_by: str = ""
    order: str = "created_at"
    descending: bool = True
    only_total: bool = False
