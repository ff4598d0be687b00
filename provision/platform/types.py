"""What the platform holds: users, domains, clients, channels, connections, certificates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Generic, TypeVar

from attrs import field, frozen

from bootstrap_core.model import ConnectionType, Status
from bootstrap_core.secrets import Secret

T = TypeVar("T", covariant=True)


class StatusFilter(StrEnum):
    """Which entities a list shows; the platform's default is the enabled ones."""

    ENABLED = "enabled"
    DISABLED = "disabled"
    ALL = "all"


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
class FoundPlatform:
    """Which platform answers, of which release, and what of newer releases it knows."""

    name: str
    release: str
    features: Sequence[str] = ()


@frozen
class Membership:
    """A domain, and what the caller may do in all of it, by the platform's names of actions.

    ``actions`` is None where the platform does not tell: its administrator needs no role.
    """

    domain: Domain
    actions: frozenset[str] | None = None


@frozen
class NewEntity:
    """What a client and a channel have alike when they are to be created.

    The caller chooses the ID, so that a creation can be repeated.
    """

    id: str
    name: str
    metadata: Mapping[str, Any] = field(factory=dict)
    tags: Sequence[str] = ()
    status: Status = Status.ENABLED


@frozen
class NewClient(NewEntity):
    """A client to be created, with the secret chosen by the caller."""

    secret: Secret = field(kw_only=True)
    identity: str = field(default="", kw_only=True)


@frozen
class NewChannel(NewEntity):
    """A channel to be created; an empty route is none."""

    route: str = field(default="", kw_only=True)


# Without slots: a class can have one base with slots only, and clients and channels have theirs.
@frozen(slots=False, kw_only=True)
class Stored:
    """What the platform adds to a client and to a channel when it holds them.

    ``actions`` are what the caller may do with it, which only lists tell. ``connection_types`` say
    how it is connected, which only lists of what is connected to one other entity tell.
    """

    domain_id: str
    created_at: datetime
    updated_at: datetime | None = None
    actions: frozenset[str] | None = None
    connection_types: frozenset[ConnectionType] | None = None


@frozen
class Client(NewClient, Stored):
    """A client as the platform holds it; ``secret`` is empty where an answer leaves it out."""


@frozen
class Channel(NewChannel, Stored):
    """A channel as the platform holds it."""


@frozen
class EntityChange:
    """Fields of an entity to replace; ``None`` leaves one as it is (metadata is replaced whole)."""

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
class EntityQuery:
    """Which clients or channels to list; empty fields do not filter.

    ``name`` matches a part, in any case; ``metadata`` what contains it. ``connected_to`` is the ID
    of a channel (for clients) or of a client (for channels). Of a channel's clients, ``among`` are
    those that matter: a platform that has to look at each client for that looks at no others; one
    that lists a channel's clients shows all of them.
    """

    offset: int = 0
    limit: int = 10
    id: str = ""
    name: str = ""
    connected_to: str = ""
    among: Sequence[str] = ()
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
