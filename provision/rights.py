"""Which right each route asks for: one table, for all routes that the service serves.

A right is named as Magistrala names the actions of a role in a domain. ``client_update`` on the
domain is the right to change each of its clients; a caller may also hold ``update`` on one client
alone, because that caller created it. ``provision.authentication`` asks for the rights, the
OpenAPI document and ``docs/reference/rights.md`` show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from attrs import field, frozen

from bootstrap_core.http.openapi import Operation
from bootstrap_core.model import Asked


class On(StrEnum):
    """What a right is asked on; the value completes "… on the domain, or on"."""

    DOMAIN = ""
    CLIENT = "the client that the config belongs to"
    NAMED = "the client that the request names"
    CERTIFICATE = "the client that the certificate belongs to"
    GATEWAY = "each client and channel of the gateway"
    ONBOARDING = "each client and channel of the onboarding's gateway"


@frozen
class Right:
    """Actions that the caller's roles must name, all of them, and what they are asked on.

    No action at all: the caller must be a member of the domain. With ``if_there`` the right is
    asked only where the thing is there already.
    """

    actions: tuple[str, ...] = ()
    on: On = On.DOMAIN
    if_there: bool = False

    def __str__(self) -> str:
        """Return what people read."""
        if not self.actions:
            return "membership of the domain"
        names = " and ".join(f"`{name}`" for name in self.actions)
        return f"{names} on the domain" + (f", or on {self.on}" if self.on else "")


@frozen
class Row:
    """The rights of one route.

    ``right`` is asked before the body is read, and ``further`` as soon as the request turns out to
    meet the condition. ``instead`` says how callers of routes prove themselves that ask the
    platform for no right in a domain.
    """

    right: Right = field(factory=Right)
    further: Mapping[str, Right] = field(factory=dict)
    instead: str = ""

    def __str__(self) -> str:
        """Return what people read."""
        if self.instead:
            return self.instead
        more = [f"{CONDITIONS[name]}: {right}" for name, right in self.further.items()]
        return "; ".join([str(self.right), *more])


CONDITIONS: Final[Mapping[str, str]] = {
    "secrets": "with show_secrets",
    "config": "with a config_id",
    "files": "with files",
    "dry_run": "with dry_run",
    "live": "with live",
    "existing": "where the gateway exists",
    "mend": 'with on_existing "repair" or "rotate"',
    "replace": 'with on_existing "replace"',
    "client": "for a client",
    "gateway": "for a gateway",
}
"""The conditions of ``Row.further``, in words."""

READ: Final = ("client_read",)
CHANGE: Final = ("client_update",)
CREATE: Final = ("client_create",)
ONBOARD: Final = ("client_create", "channel_create")
SEE: Final = ("client_read", "channel_read")
MEND: Final = (*SEE, "client_update")
REMOVE: Final = (*MEND, "client_delete", "channel_delete")
"""Only who sees clients and channels learns whether they are gone."""

ONBOARDING_SCOPES: Final[Mapping[str, tuple[str, ...]]] = {
    "clients": ("create", "view", "update_secret", "delete", "connect_to_channel"),
    "channels": ("create", "view", "delete", "connect_client"),
    "domains": ("read",),
}
"""The least scopes of a personal access token with which gateways can be onboarded, on ``*``."""

_MEMBER: Final = Row()
_PUBLIC: Final = Row(instead="none: anybody may ask")
_DEVICE: Final = Row(instead="none: the device's external ID and external key")
_ANY_USER: Final = Row(instead="none: any token that the platform takes")
_MAPPING: Final = Row(
    Right(ONBOARD),
    {
        "dry_run": Right(SEE, On.GATEWAY, if_there=True),
        "existing": Right(CHANGE, On.GATEWAY, if_there=True),
        "mend": Right(MEND, On.GATEWAY, if_there=True),
        "replace": Right(REMOVE, On.GATEWAY, if_there=True),
    },
)
_ISSUE: Final = Row(further={"client": Right(CHANGE, On.NAMED)})

_CONFIGS: Final = "/{domain_id}/clients/configs"
_CONFIG: Final = f"{_CONFIGS}/{{config_id}}"
_PROFILES: Final = "/{domain_id}/clients/bootstrap/profiles"
_PROFILE: Final = f"{_PROFILES}/{{profile_id}}"
_ENROLLMENT: Final = "/{domain_id}/clients/bootstrap/enrollments/{config_id}"
_THING: Final = "/things/configs/{thing_id}"
_GATEWAY: Final = "/{domain_id}/mapping/{external_id:path}"
_ONBOARDING: Final = "/{domain_id}/onboardings/{onboarding_id}"
_CERTIFICATE: Final = "/{domain_id}/cert/{serial}"

_THINGS: Final = {
    ("POST", "/things/configs"): Row(Right(CREATE)),
    ("GET", "/things/configs"): Row(Right(READ)),
    ("GET", _THING): Row(Right(READ, On.CLIENT)),
    ("PUT", _THING): Row(Right(CHANGE, On.CLIENT)),
    ("DELETE", _THING): Row(Right(("client_delete",), On.CLIENT)),
    ("PATCH", "/things/configs/certs/{thing_id}"): Row(Right(CHANGE, On.CLIENT)),
    ("PUT", "/things/configs/connections/{thing_id}"): Row(
        Right(("client_connect_to_channel",), On.CLIENT)
    ),
    ("PUT", "/things/state/{thing_id}"): Row(Right(CHANGE, On.CLIENT)),
}
"""The routes of Mainflux's years, which name a domain as of Magistrala 0.15."""

RIGHTS: Final[Mapping[tuple[str, str], Row]] = {
    ("POST", "/mapping"): _MAPPING,
    ("POST", "/{domain_id}/mapping"): _MAPPING,
    ("GET", "/mapping"): _MEMBER,
    ("GET", "/{domain_id}/mapping"): _MEMBER,
    ("GET", _GATEWAY): Row(Right(READ, On.GATEWAY), {"live": Right(SEE, On.GATEWAY)}),
    ("DELETE", _GATEWAY): Row(Right(REMOVE, On.GATEWAY)),
    ("GET", f"{_GATEWAY}/drift"): Row(Right(SEE, On.GATEWAY)),
    ("POST", "/{domain_id}/plan"): Row(Right(READ), {"files": Right(CHANGE)}),
    ("GET", "/{domain_id}/gateways"): Row(Right(READ)),
    ("GET", "/{domain_id}/onboardings"): Row(Right(READ)),
    ("GET", _ONBOARDING): Row(Right(READ, On.ONBOARDING)),
    ("DELETE", f"{_ONBOARDING}/leftovers"): Row(Right(REMOVE, On.ONBOARDING)),
    ("POST", f"{_ONBOARDING}/retry"): Row(Right(CHANGE, On.ONBOARDING)),
    ("POST", f"{_ONBOARDING}/undo"): Row(Right(REMOVE, On.ONBOARDING)),
    ("POST", f"{_ONBOARDING}/repair"): Row(Right(MEND, On.ONBOARDING)),
    ("POST", "/cert"): _ISSUE,
    ("POST", "/{domain_id}/cert"): _ISSUE,
    ("GET", "/{domain_id}/cert"): Row(
        further={"client": Right(READ, On.NAMED), "gateway": Right(READ, On.GATEWAY)}
    ),
    ("GET", _CERTIFICATE): Row(Right(READ, On.CERTIFICATE)),
    ("POST", f"{_CERTIFICATE}/revoke"): Row(Right(CHANGE, On.CERTIFICATE)),
    ("POST", f"{_CERTIFICATE}/renew"): Row(Right(CHANGE, On.CERTIFICATE)),
    ("GET", "/layouts"): _ANY_USER,
    ("GET", "/layouts/{layout}"): _ANY_USER,
    ("GET", "/layouts/{layout}/schema"): _ANY_USER,
    ("POST", _CONFIGS): Row(Right(CREATE)),
    ("POST", f"{_CONFIGS}/with-client"): Row(Right(CREATE)),
    ("GET", _CONFIGS): Row(Right(READ)),
    ("GET", _CONFIG): Row(Right(READ, On.CLIENT)),
    ("PATCH", _CONFIG): Row(Right(CHANGE, On.CLIENT)),
    ("DELETE", _CONFIG): Row(Right(("client_delete",), On.CLIENT)),
    ("PATCH", f"{_CONFIGS}/certs/{{config_id}}"): Row(Right(CHANGE, On.CLIENT)),
    ("PUT", f"{_CONFIGS}/connections/{{config_id}}"): Row(
        Right(("client_connect_to_channel",), On.CLIENT)
    ),
    ("POST", f"{_CONFIG}/enable"): Row(Right(CHANGE, On.CLIENT)),
    ("POST", f"{_CONFIG}/disable"): Row(Right(CHANGE, On.CLIENT)),
    ("GET", f"{_CONFIG}/delivery"): Row(
        Right(READ, On.CLIENT), {"secrets": Right(CHANGE, On.CLIENT)}
    ),
    ("POST", _PROFILES): Row(Right(CREATE)),
    ("POST", f"{_PROFILES}/upload"): Row(Right(CREATE)),
    ("GET", _PROFILES): _MEMBER,
    ("POST", f"{_PROFILES}/render-preview"): Row(Right(CHANGE)),
    ("GET", _PROFILE): _MEMBER,
    ("PUT", _PROFILE): Row(Right(CHANGE)),
    ("PATCH", _PROFILE): Row(Right(CHANGE)),
    ("DELETE", _PROFILE): Row(Right(CHANGE)),
    ("GET", f"{_PROFILE}/versions"): _MEMBER,
    ("GET", f"{_PROFILE}/versions/{{version}}"): _MEMBER,
    ("GET", f"{_PROFILE}/slots"): _MEMBER,
    ("POST", f"{_PROFILE}/render-preview"): Row(
        further={"config": Right(READ, On.CLIENT), "secrets": Right(CHANGE, On.CLIENT)}
    ),
    ("PATCH", f"{_ENROLLMENT}/profile"): Row(Right(CHANGE, On.CLIENT)),
    ("PUT", f"{_ENROLLMENT}/bindings"): Row(Right(CHANGE, On.CLIENT)),
    ("GET", f"{_ENROLLMENT}/bindings"): Row(Right(READ, On.CLIENT)),
    ("POST", f"{_ENROLLMENT}/bindings/refresh"): Row(Right(CHANGE, On.CLIENT)),
    ("PUT", _CONFIG): Row(Right(CHANGE, On.CLIENT)),
    ("PUT", "/{domain_id}/clients/state/{thing_id}"): Row(Right(CHANGE, On.CLIENT)),
    **{(method, path): row for (method, path), row in _THINGS.items()},
    **{(method, f"/{{domain_id}}{path}"): row for (method, path), row in _THINGS.items()},
    ("GET", "/health"): _PUBLIC,
    ("GET", "/metrics"): _PUBLIC,
}

_DEVICE_SECURITY: Final = ("externalKey", "thingKey")


def row_of(method: str, path: str) -> Row:
    """Return the row of a route. Raises ``LookupError``: the table has none."""
    try:
        return RIGHTS[method, path.rstrip("/")]
    except KeyError:
        raise LookupError(f"{method} {path} has no row in provision/rights.py") from None


def rights_of(asked: Asked) -> list[Right]:
    """Return the rights that a request needs, as far as its conditions are known.

    Raises ``LookupError``: the table has no such route or condition.
    """
    row = row_of(asked.method, asked.path)
    if asked.conditions:
        return [row.further[name] for name in asked.conditions if name in row.further]
    return [row.right]


def told_scopes() -> str:
    """Return the least scopes of a personal access token in words."""
    parts = [f"{kind} {', '.join(names)}" for kind, names in ONBOARDING_SCOPES.items()]
    return f"{'; '.join(parts)}; each on *"


def told_right(operation: Operation) -> str:
    """Return the right of an operation in words. Raises ``LookupError``: the table has none."""
    if operation.security in _DEVICE_SECURITY:
        return str(_DEVICE)
    return str(row_of(operation.method, operation.path))
