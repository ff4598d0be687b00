"""The reading of this project's own dialect: from checked data to the model."""

from __future__ import annotations

import re

from provision.layout.model import (
    CONNECTION_TYPES,
    Binding,
    BindingSlot,
    Bootstrap,
    Certificates,
    Channel,
    Client,
    Connection,
    Dialect,
    InlineProfile,
    JsonObject,
    Layout,
    Parameter,
    ProfileReference,
)
from provision.layout.report import Report
from provision.layout.schema import TARGETS


def build(report: Report, data: JsonObject, name: str, template: str) -> Layout:
    """Return the model of checked ``data``; ``template`` is the inline profile's content.

    What is missing was reported already and is empty here.
    """
    clients = _clients(data)
    channels = _channels(data)
    return Layout(
        name=name,
        dialect=Dialect.PROVISION,
        description=data.get("layout", {}).get("description", ""),
        parameters=_parameters(data),
        clients=clients,
        channels=channels,
        connections=_connections(data, clients, channels),
        certificates=_certificates(data.get("certificates", {})),
        bootstrap=_bootstrap(data.get("bootstrap", {})),
        profile=_profile(data, template),
        bindings=_bindings(data),
        file=report.source.file,
        locate=report.source.key_place,
    )


def derived_key(name: str) -> str:
    """Return the key of a client or channel without one: its name without template actions."""
    bare = re.sub(r"\{\{.*?(?:\}\}|\n|\Z)", " ", name)
    return "-".join(re.findall(r"[A-Za-z0-9_.]+", bare)).strip("._")[:128]


def _parameters(data: JsonObject) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(
            name=name,
            type=item.get("type", "string"),
            required=item.get("required", False),
            default=item.get("default"),
            enum=tuple(item.get("enum", ())),
            pattern=item.get("pattern"),
            description=item.get("description", ""),
            secret=item.get("secret", False),
            at=("parameters", name),
        )
        for name, item in data.get("parameters", {}).items()
    )


def _clients(data: JsonObject) -> tuple[Client, ...]:
    return tuple(
        Client(
            key=item.get("key") or derived_key(item.get("name", "")),
            name=item.get("name", ""),
            identity=item.get("identity"),
            metadata=item.get("metadata", {}),
            tags=tuple(item.get("tags", ())),
            bootstrap=item.get("bootstrap", "external_id" in item.get("metadata", {})),
            certificate=item.get("certificate", False),
            at=("clients", index),
        )
        for index, item in enumerate(data.get("clients", ()))
    )


def _channels(data: JsonObject) -> tuple[Channel, ...]:
    return tuple(
        Channel(
            key=item.get("key") or derived_key(item.get("name", "")),
            name=item.get("name", ""),
            route=item.get("route"),
            metadata=item.get("metadata", {}),
            tags=tuple(item.get("tags", ())),
            at=("channels", index),
        )
        for index, item in enumerate(data.get("channels", ()))
    )


def _connections(
    data: JsonObject, clients: tuple[Client, ...], channels: tuple[Channel, ...]
) -> tuple[Connection, ...]:
    if "connections" not in data:
        return everything_connected(clients, channels)
    return tuple(
        Connection(
            clients=tuple(item.get("clients", ())),
            channels=tuple(item.get("channels", ())),
            types=tuple(
                each for each in CONNECTION_TYPES if each in item.get("types", CONNECTION_TYPES)
            ),
            at=("connections", index),
        )
        for index, item in enumerate(data["connections"])
    )


def everything_connected(
    clients: tuple[Client, ...], channels: tuple[Channel, ...]
) -> tuple[Connection, ...]:
    """Return the connections of a layout that names none: every client with every channel."""
    if not clients or not channels:
        return ()
    return (Connection(tuple(each.key for each in clients), tuple(each.key for each in channels)),)


def _certificates(item: JsonObject) -> Certificates:
    default = Certificates()
    return Certificates(
        ttl_seconds=item.get("ttl", default.ttl_seconds),
        key_type=item.get("key_type", default.key_type),
        renew=item.get("renew", default.renew),
    )


def _bootstrap(item: JsonObject) -> Bootstrap:
    return Bootstrap(
        status=item.get("status", "enabled"),
        render_context=item.get("render_context", {}),
        content=item.get("content"),
    )


def _profile(data: JsonObject, template: str) -> InlineProfile | ProfileReference | None:
    bootstrap = data.get("bootstrap", {})
    if "profile_id" in bootstrap or "profile" in bootstrap:
        return ProfileReference(bootstrap.get("profile_id", ""), bootstrap.get("profile", ""))
    if "profile" not in data:
        return None
    item = data["profile"]
    return InlineProfile(
        name=item.get("name", ""),
        content_template=template,
        content_format=item.get("content_format", "go-template"),
        description=item.get("description", ""),
        defaults=item.get("defaults", {}),
        binding_slots=tuple(
            BindingSlot(
                name=slot.get("name", ""),
                type=slot.get("type", "client"),
                required=slot.get("required", False),
                fields=tuple(slot.get("fields", ())),
            )
            for slot in item.get("binding_slots", ())
        ),
    )


def _bindings(data: JsonObject) -> tuple[Binding, ...]:
    bindings = []
    for index, item in enumerate(data.get("bindings", ())):
        target = next((each for each in TARGETS if each in item), TARGETS[0])
        resource = item.get(target, "")
        slot = item.get("slot", "")
        bindings.append(Binding(slot, target, resource, at=("bindings", index)))
    return tuple(bindings)
