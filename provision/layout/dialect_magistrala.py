"""The dialect of the Go service's ``config.toml``, and what Mainflux's shares with it.

The server's own settings may stand in the same file: their keys are known here and left to the
settings. Strings are taken literally, since the Go service expands no templates.
"""

from __future__ import annotations

import itertools
import json
from typing import Final, Literal

from bootstrap_core.nesting import is_too_deep
from provision.layout.dialect_provision import derived_key, everything_connected
from provision.layout.model import (
    DEFAULT_TTL_SECONDS,
    Binding,
    Bootstrap,
    Certificates,
    Channel,
    Client,
    Dialect,
    JsonObject,
    JsonValue,
    KeyPath,
    Layout,
    ProfileReference,
)
from provision.layout.report import Report
from provision.layout.shape_provision import TARGETS
from provision.layout.shapes import Choice, Field, Flag, Json, Lifetime, ListOf, Object, Table, Text
from provision.layout.source import MAX_DEPTH
from provision.layout.templates import literal

SERVER_KEYS: Final = (
    "port", "http_port", "log_level", "LogLevel", "tls", "ca_certs", "server_cert", "server_key",
    "clients_url", "channels_url", "users_url", "certs_url", "things_url", "things_location",
    "users_location", "mqtt_url", "mg_email", "mg_username", "mg_pass", "mg_domain_id",
    "mg_api_key", "mg_bs_url", "mg_certs_url", "mf_user", "mf_pass", "mf_api_key", "mf_bs_url",
    "mf_certs_url", "mf_white_list",
)  # fmt: skip
"""Keys of ``[server]`` in the Go service's files, Magistrala's and Mainflux's."""

_PARTS: Final = Table(
    {
        "name": Field(Text(), "its name; a request's name wins for clients"),
        "metadata": Field(Object(), "its metadata on the platform"),
    }
)
_BINDING: Final = Table(
    {
        "slot": Field(Text(blank=False), "a slot of the profile", required=True),
        "type": Field(Choice(TARGETS), "what fills it", required=True),
        "name": Field(Text(), "name of the created client or channel"),
        "metadata_key": Field(Text(), "a key that its metadata has"),
        "metadata_value": Field(Text(), "the value of that key"),
    }
)
_BOOTSTRAP: Final = Table(
    {
        "x509_provision": Field(Flag(), "whether clients get certificates; default false"),
        "provision": Field(Flag(), "whether there is a bootstrap config; default true"),
        "autowhite_list": Field(Flag(), "whether it is enabled at once; default true"),
        "profile_id": Field(Text(), "an existing profile, by its ID"),
        "render_context": Field(Object(), "variables of the profile"),
        "bindings": Field(ListOf(_BINDING), "what fills the profile's slots"),
        "content": Field(Json(), "what a gateway without a profile is given"),
    }
)


def shape(clients_table: Literal["clients", "things"]) -> Table:
    """Return the shape of a file whose clients stand in ``clients_table``."""
    return Table(
        {
            "file": Field(Text(), "the file's own name"),
            "server": Field(
                Table({key: Field(Json(), "a setting") for key in SERVER_KEYS}), "settings"
            ),
            "bootstrap": Field(_BOOTSTRAP, "the bootstrap config"),
            clients_table: Field(ListOf(_PARTS), "clients to create"),
            "channels": Field(ListOf(_PARTS), "channels to create"),
            "cert": Field(Table({"ttl": Field(Lifetime(), 'default "2400h"')}), "certificates"),
        }
    )


SHAPE: Final = shape("clients")


def build(report: Report, data: JsonObject, name: str) -> Layout:
    """Return the model of checked ``data`` in Magistrala's dialect."""
    return build_legacy(report, data, name, Dialect.MAGISTRALA, "clients")


def build_legacy(
    report: Report, data: JsonObject, name: str, dialect: Dialect, clients_table: str
) -> Layout:
    """Return the model of checked ``data`` whose clients stand in ``clients_table``."""
    bootstrap = data.get("bootstrap", {})
    certificate = bootstrap.get("x509_provision", False)
    clients = tuple(
        Client(
            key=key,
            name=literal(item.get("name", "")),
            metadata=_literals(item.get("metadata", {})),
            bootstrap="external_id" in item.get("metadata", {}),
            certificate=certificate,
            at=at,
        )
        for key, item, at in _keyed(data, clients_table)
    )
    channels = tuple(
        Channel(
            key=key,
            name=literal(item.get("name", "")),
            metadata=_literals(item.get("metadata", {})),
            at=at,
        )
        for key, item, at in _keyed(data, "channels")
    )
    profile_id = bootstrap.get("profile_id", "")
    return Layout(
        name=name,
        dialect=dialect,
        clients=clients,
        channels=channels,
        connections=everything_connected(clients, channels),
        certificates=Certificates(data.get("cert", {}).get("ttl", DEFAULT_TTL_SECONDS)),
        bootstrap=_bootstrap(report, bootstrap),
        profile=ProfileReference(id=profile_id) if profile_id else None,
        bindings=_bindings(bootstrap),
        file=report.source.file,
        positions=report.source.positions,
    )


def _bootstrap(report: Report, item: JsonObject) -> Bootstrap:
    return Bootstrap(
        provision=item.get("provision", True),
        status="enabled" if item.get("autowhite_list", True) else "disabled",
        render_context=_literals(item.get("render_context", {})),
        content=_content(report, item.get("content")),
    )


def _content(report: Report, content: JsonValue) -> JsonValue:
    """Return the content, decoded where it is a string of JSON as in old files."""
    if not isinstance(content, str):
        return content
    if not content.strip():
        return None
    try:
        decoded = json.loads(content, parse_constant=_refuse_constant)
        if is_too_deep(decoded, MAX_DEPTH):
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    except (ValueError, RecursionError) as error:
        message = f"bootstrap.content is a string but not JSON: {error}"
        report.at_value(("bootstrap", "content"), "bad-content", message)
        return None
    return decoded


def _refuse_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


def _bindings(bootstrap: JsonObject) -> tuple[Binding, ...]:
    return tuple(
        Binding(
            slot=item.get("slot", ""),
            type=item.get("type", "client"),
            name=item.get("name", ""),
            metadata_key=item.get("metadata_key", ""),
            metadata_value=item.get("metadata_value", ""),
            at=("bootstrap", "bindings", index),
        )
        for index, item in enumerate(bootstrap.get("bindings", ()))
    )


def _keyed(data: JsonObject, table: str) -> list[tuple[str, JsonObject, KeyPath]]:
    """Return the elements of ``table``, each with a key of its own, made from its name."""
    taken: set[str] = set()
    keyed: list[tuple[str, JsonObject, KeyPath]] = []
    for index, item in enumerate(data.get(table, ())):
        base = derived_key(item.get("name", "")) or table.removesuffix("s")
        numbered = (f"{base}-{number}" for number in itertools.count(2))
        key = next(each for each in itertools.chain([base], numbered) if each not in taken)
        taken.add(key)
        keyed.append((key, item, (table, index)))
    return keyed


def _literals(value: JsonValue) -> JsonValue:
    """Return ``value`` with its strings, at any depth, as templates that render as they are."""
    match value:
        case str():
            return literal(value)
        case dict():
            return {key: _literals(item) for key, item in value.items()}
        case list():
            return [_literals(item) for item in value]
    return value
