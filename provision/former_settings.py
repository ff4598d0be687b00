"""Variables and keys that earlier releases know and this service has no use for.

Sources: the ``provision`` and ``bootstrap`` services of Mainflux 0.11 to 0.15, Magistrala 0.12 to
0.30 and SuperMQ 0.16, with their Compose files.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from attrs import fields, frozen

from provision.settings import BRANDS, Settings, branded_keys, names_of

SERVICES: Final = ("PROVISION_", "BOOTSTRAP_")
PREFIXES: Final = tuple(brand + service for service in SERVICES for brand in BRANDS)
ADDRESSES: Final = ("_URL", "_LOCATION")
"""What the names end with that name a service of the platform."""
PLATFORM: Final = tuple(f"{brand}SDK_BASE_URL" for brand in BRANDS)
"""What the bootstrap service of Mainflux 0.11 to 0.13 is given: one address for all services."""
NOW: Final = (
    "give the address in MG_PROVISION_CLIENTS_URL, MG_PROVISION_CHANNELS_URL, "
    "MG_PROVISION_USERS_URL, MG_PROVISION_DOMAINS_URL or MG_PROVISION_CERTS_URL"
)

_DATABASE: Final = "this service keeps its own database; MG_PROVISION_DATABASE_URL names another"
_EVENTS: Final = "this service reads no event stream; refresh a config's bindings instead"
_LISTENING: Final = (
    "bootstrap is part of this service and answers on its ports; set MG_PROVISION_HTTP_HOST, "
    "MG_PROVISION_EXTRA_PORTS=9013, MG_PROVISION_SERVER_CERT and MG_PROVISION_SERVER_KEY"
)
_LOG: Final = "bootstrap is part of this service; set MG_PROVISION_LOG_LEVEL"
_INSTANCE: Final = "this service has no name for an instance"
_TLS: Final = (
    "bootstrap is part of this service; set MG_PROVISION_ENV_CLIENTS_TLS and MG_PROVISION_CA_CERTS"
)
_AUTHORITY: Final = (
    "to sign with an authority of your own, set MG_PROVISION_ISSUER_CHAIN and "
    "MG_PROVISION_ISSUER_KEY"
)
_MESSAGES: Final = "this service sends no messages; write the broker's address into the layout"
_TIMEOUT: Final = "set MG_PROVISION_PLATFORM_TIMEOUT"

_UNUSED: Final[Mapping[str, str]] = {
    "PROVISION_INSTANCE_ID": _INSTANCE,
    "PROVISION_MQTT_URL": _MESSAGES,
    "PROVISION_CERTS_CA": _AUTHORITY,
    "PROVISION_CERTS_CA_KEY": _AUTHORITY,
    "BOOTSTRAP_LOG_LEVEL": _LOG,
    "BOOTSTRAP_INSTANCE_ID": _INSTANCE,
    "BOOTSTRAP_INSTANCE_NAME": _INSTANCE,
    "BOOTSTRAP_EVENT_CONSUMER": _EVENTS,
    **dict.fromkeys(
        (f"BOOTSTRAP_ES_{name}" for name in ("URL", "PASS", "DB")),
        _EVENTS,
    ),
    "BOOTSTRAP_DB": _DATABASE,
    **dict.fromkeys(
        (f"BOOTSTRAP_DB_{name}" for name in ("HOST", "PORT", "USER", "PASS", "NAME")),
        _DATABASE,
    ),
    **dict.fromkeys(
        (f"BOOTSTRAP_DB_SSL_{name}" for name in ("MODE", "CERT", "KEY", "ROOT_CERT")),
        _DATABASE,
    ),
    **dict.fromkeys(
        (f"BOOTSTRAP_{name}" for name in ("PORT", "SERVER_CERT", "SERVER_KEY")),
        _LISTENING,
    ),
    **dict.fromkeys(
        (
            f"BOOTSTRAP_HTTP_{name}"
            for name in ("HOST", "PORT", "SERVER_CERT", "SERVER_KEY", "SERVER_CA_CERTS")
        ),
        _LISTENING,
    ),
    "BOOTSTRAP_CLIENT_TLS": _TLS,
    "BOOTSTRAP_CA_CERTS": _TLS,
    "BOOTSTRAP_THINGS_TIMEOUT": _TIMEOUT,
    "BOOTSTRAP_USERS_TIMEOUT": _TIMEOUT,
}
BY_REASON: Final[Mapping[str, list[str]]] = {
    reason: [name for name, why in _UNUSED.items() if why == reason]
    for reason in dict.fromkeys(_UNUSED.values())
}
"""The same names, without a brand, by what to do instead."""
UNUSED: Final[Mapping[str, str]] = {
    brand + name: reason for name, reason in _UNUSED.items() for brand in BRANDS
}
"""Variables that a release reads and this service does not, each with what to do instead."""

_KEYS: Final[Mapping[str, str]] = {"server.mqtt_url": _MESSAGES}
UNUSED_KEYS: Final[Mapping[str, str]] = {
    form: reason for key, reason in _KEYS.items() for form in branded_keys(key)
}
"""Keys of the TOML file that a release reads and this service does not."""


SETTINGS_TABLES: Final = ("server", "layouts")
"""Tables of the TOML file in which nothing but settings stands."""


@frozen
class Unread:
    """Names that are set and that no setting is read from.

    ``where`` goes before each name in a message; ``known`` are the names that are read.
    """

    where: str
    names: tuple[str, ...]
    unused: Mapping[str, str]
    known: Collection[str]

    def warnings(self) -> list[str]:
        """Return what to tell of names that have no effect."""
        by_reason: dict[str, list[str]] = {}
        for name in self.names:
            if name in self.unused:
                by_reason.setdefault(self.unused[name], []).append(name)
        unknown = [name for name in self.names if name not in self.unused]
        return [
            *(f"{self.where}{name} is not known{self._hint(name)}" for name in unknown),
            *(
                f"{self.where}{', '.join(names)}: not used; {reason}"
                for reason, names in by_reason.items()
            ),
        ]

    def problems(self) -> list[str]:
        """Return what is wrong with names that name a service of the platform in vain.

        To go on without them would be to onboard devices on another platform than the one meant.
        """
        return [
            f"{self.where}{name} names the address of a service and is not known"
            f"{self._hint(name)}: remove it, or {NOW}"
            for name in self.names
            if name.upper().endswith(ADDRESSES) and name not in self.unused
        ]

    def _hint(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.known, n=1)
        return f"; did you mean {near[0]}?" if near else ""


def unread_variables(environment: Mapping[str, str]) -> Unread:
    """Return the variables of the two services that are set and not read."""
    known = {variable for field in fields(Settings) for variable in names_of(field.name).variables}
    names = sorted(
        variable
        for variable, value in environment.items()
        if variable.startswith(PREFIXES) and value and variable not in known
    )
    return Unread("environment variable ", tuple(names), UNUSED, known)


def platforms_not_meant(environment: Mapping[str, str]) -> list[str]:
    """Return what is wrong with variables that name a platform where no setting names one."""
    return [
        f"environment variable {name} names a platform of Mainflux's years, and nothing says where "
        f"each of its services is: remove it, or {NOW}"
        for name in PLATFORM
        if environment.get(name)
    ]


def unread_keys(document: Mapping[str, object], path: Path) -> Unread:
    """Return the keys of the file's tables for settings that are set and not read."""
    known = {key for field in fields(Settings) for key in names_of(field.name).keys}
    names = [
        key
        for section in SETTINGS_TABLES
        if isinstance(table := document.get(section), Mapping)
        for entry, value in table.items()
        if value != "" and (key := f"{section}.{entry}") not in known
    ]
    return Unread(f"{path}: ", tuple(names), UNUSED_KEYS, known)
