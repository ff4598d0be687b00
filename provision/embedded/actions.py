"""What a role may allow in a domain, by Magistrala's names for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

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


def entity_actions(kind: str, domain_actions: Iterable[str]) -> list[str]:
    """Return what actions on a domain mean for one of its entities, in order.

    ``kind`` is ``client`` or ``channel``: ``client_update`` on the domain is ``update`` on each
    of its clients.
    """
    prefix = f"{kind}_"
    mine = {action.removeprefix(prefix) for action in domain_actions if action.startswith(prefix)}
    return sorted(mine - {"create"})
