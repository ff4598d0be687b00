"""What the platform holds: users, domains, clients, channels, connections, certificates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from bootstrap_core.secrets import Secret

T = TypeVar("T")


class Status(StrEnum):
    """Whether an entity may be used."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class StatusFilter(StrEnum):
    """Which entities a list shows; the platform's default is the enabled ones."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    ALL = "all"


class ConnectionType(StrEnum):
    """What a connected client may do on a channel."""

    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"


@frozen
class TokenPair:
    """An access token (about an hour) and the refresh token that renews it."""

    access: Secret
    refresh: Secret


@frozen
class User:
    """A user of the platform; ``role`` is ``user`` or ``admin``."""

    id: str
    username: str
    email: str
    role: str
    status: Status


@frozen
class Domain:
    """A tenant's space; clients, channels and configs belong to exactly one."""

    id: str
    name: str
    route: str
    status: Status
    tags: Sequence[str] = ()
    metadata: Mapping[str, Any] = field(factory=dict)


@frozen
class Membership:
    """A domain, and what the caller may do in all of it, by the platform's names of actions.

    ``actions`` is None where the platform does not tell: its administrator needs no role.
    """

    domain: Domain
    actions: frozenset[str] | None = None


@frozen
class NewClient:
    """A client to be created, with the ID and secret chosen by the caller."""

    id: str
    name: str
    secret: Secret
    identity: str = ""
    metadata: Mapping[str, Any] = field(factory=dict)
    tags: Sequence[str] = ()
    status: Status = Status.ENABLED


@frozen
class Client:
    """A client as the platform holds it; ``secret`` is empty where an answer leaves it out.

    ``actions`` are what the caller may do with it, which only lists tell; ``connection_types`` what
    it may do on a channel, which only lists of that channel's clients tell.
    """

    id: str
    domain_id: str
    name: str
    secret: Secret
    identity: str
    metadata: Mapping[str, Any]
    tags: Sequence[str]
    status: Status
    created_at: datetime
    updated_at: datetime | None = None
    actions: frozenset[str] | None = None
    connection_types: frozenset[ConnectionType] | None = None


@frozen
class ClientChange:
    """Fields of a client to replace; ``None`` leaves one as it is (metadata is replaced whole)."""

    name: str | None = None
    metadata: Mapping[str, Any] | None = None
    tags: Sequence[str] | None = None


@frozen
class NewChannel:
    """A channel to be created, with the ID chosen by the caller; an empty route is none."""

    id: str
    name: str
    route: str = ""
    metadata: Mapping[str, Any] = field(factory=dict)
    tags: Sequence[str] = ()
    status: Status = Status.ENABLED


@frozen
class Channel:
    """A channel as the platform holds it; ``actions`` as a client's."""

    id: str
    domain_id: str
    name: str
    route: str
    metadata: Mapping[str, Any]
    tags: Sequence[str]
    status: Status
    created_at: datetime
    updated_at: datetime | None = None
    actions: frozenset[str] | None = None


@frozen
class ChannelChange:
    """Fields of a channel to replace; ``None`` leaves one as it is."""

    name: str | None = None
    metadata: Mapping[str, Any] | None = None
    tags: Sequence[str] | None = None


@frozen
class Connections:
    """Every one of ``client_ids`` with every one of ``channel_ids``, for each of ``types``."""

    client_ids: Sequence[str]
    channel_ids: Sequence[str]
    types: Sequence[ConnectionType] = (ConnectionType.PUBLISH, ConnectionType.SUBSCRIBE)


@frozen
class ClientQuery:
    """Which clients to list; empty fields do not filter. ``name`` matches a part, in any case."""

    offset: int = 0
    limit: int = 10
    id: str = ""
    name: str = ""
    channel_id: str = ""
    metadata: Mapping[str, Any] = field(factory=dict)
    status: StatusFilter = StatusFilter.ENABLED


@frozen
class ChannelQuery:
    """Which channels to list; empty fields do not filter. ``name`` matches a part, in any case."""

    offset: int = 0
    limit: int = 10
    id: str = ""
    name: str = ""
    client_id: str = ""
    metadata: Mapping[str, Any] = field(factory=dict)
    status: StatusFilter = StatusFilter.ENABLED


@frozen
class Page(Generic[T]):
    """One page of a list and how many there are in all."""

    items: Sequence[T]
    total: int
    offset: int
    limit: int


@frozen
class SigningRequest:
    """A certificate to be issued for a client from a PKCS #10 request (RFC 2986, PEM).

    ``ttl`` is cut to what the authority allows; the key never leaves whoever made the request.
    """

    client_id: str
    csr: str
    ttl: timedelta


@frozen
class Certificate:
    """An issued certificate (PEM, left out in lists of some authorities).

    ``serial`` is the authority's own spelling of it.
    """

    serial: str
    client_id: str
    certificate: str
    expires_at: datetime
    revoked: bool = False
