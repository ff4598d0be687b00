"""What the embedded platform holds, as its own code sees it (the port knows less of each)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from attrs import field, frozen

from bootstrap_core.model import EntityKind, Status
from bootstrap_core.secrets import Secret
from provision.platform.types import Channel, Client, EntityQuery, NewClient, Stored

_ROLES: Final = ("add_role_users", "manage_role", "remove_role_users", "view_role_users")
_CLIENT: Final = (*_ROLES, "connect_to_channel", "delete", "read", "set_parent_group", "update")
_CHANNEL: Final = (
    *_ROLES,
    *("connect_to_client", "delete", "publish", "read", "set_parent_group", "subscribe", "update"),
)
_GROUP: Final = (
    *_ROLES,
    *("create", "delete", "membership", "read", "set_child", "set_parent", "update"),
)
_RECORD: Final = (*_ROLES, "create", "delete", "read", "update")
_ALARM: Final = ("acknowledge", "assign", "delete", "read", "resolve", "update")
_DOMAIN: Final = (*_ROLES, "delete", "disable", "enable", "read", "update")


def _prefixed(prefix: str, actions: Iterable[str]) -> list[str]:
    return [f"{prefix}_{action}" for action in actions]


ALL_ACTIONS: Final = frozenset(
    [
        *_DOMAIN,
        *_prefixed("alarm", _ALARM),
        *_prefixed("channel", (*_CHANNEL, "create")),
        *_prefixed("client", (*_CLIENT, "create")),
        *_prefixed("group", _GROUP),
        *_prefixed("report", _RECORD),
        *_prefixed("rule", _RECORD),
    ]
)
"""Every action of a domain: what its creator's role, the operator, may do."""


def entity_actions(kind: EntityKind, domain_actions: Iterable[str]) -> list[str]:
    """Return what actions on a domain mean for one of its entities, in order.

    ``client_update`` on the domain is ``update`` on each of its clients.
    """
    prefix = f"{kind}_"
    mine = {action.removeprefix(prefix) for action in domain_actions if action.startswith(prefix)}
    return sorted(mine - {"create"})


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


# Without slots, as what it extends.
@frozen(slots=False, kw_only=True)
class Kept(Stored):
    """What this platform knows of a client and of a channel, and does not tell through the port."""

    created_by: str
    updated_by: str = ""

    @property
    def stamps(self) -> Stamps:
        """Who made and last changed it, and when."""
        return Stamps(self.created_by, self.created_at, self.updated_by, self.updated_at)


@frozen
class DraftClient(NewClient):
    """A client to be created; an empty ID or secret is chosen by the platform."""

    private_metadata: Mapping[str, Any] = field(factory=dict, kw_only=True)


@frozen
class ClientRecord(Client, Kept):
    """A client."""

    private_metadata: Mapping[str, Any] = field(factory=dict, kw_only=True)


@frozen
class ChannelRecord(Channel, Kept):
    """A channel."""


@frozen
class ListQuery(EntityQuery):
    """Which of a domain's clients or channels to list, or which domains.

    ``any_tags`` are alternatives. ``created_by`` keeps what one user created.
    """

    any_tags: Sequence[str] = ()
    created_by: str = ""
    order: str = "created_at"
    descending: bool = True
    only_total: bool = False
