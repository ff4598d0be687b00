"""The dialects of layout files: what may stand in a file of each, and how it becomes the model.

This project's own says what the model has. Those of Magistrala's and Mainflux's ``config.toml``
are one but for the name of a table; their strings are no templates.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import fields, frozen

from bootstrap_core.formats.documents import is_too_deep, without_mark
from bootstrap_core.model import ConnectionType, Status
from provision.former_settings import UNUSED_KEYS
from provision.layout.model import (
    SLOT_TYPES,
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
    JsonValue,
    KeyType,
    Layout,
    Parameter,
    ProfileReference,
    in_order,
)
from provision.layout.report import Report
from provision.layout.schema import (
    Field,
    Flag,
    Json,
    Lifetime,
    ListOf,
    MapOf,
    Object,
    Table,
    Text,
    from_table,
    table_of,
)
from provision.layout.source import MAX_DEPTH
from provision.layout.templates import TemplateLoader, literal, profile_template
from provision.settings import Settings, names_of


def _profile_keys() -> Iterator[tuple[str, Field]]:
    for key, known in table_of(InlineProfile).items():
        yield key, known
        if key == "content_template":
            yield "content_template_file", Field(Text(blank=False), "a file beside this one")


_LAYOUT: Final = Table(
    {
        "name": Field(Text(blank=False), "the file's name without .toml"),
        "description": Field(Text(), "what it is for, for people"),
        "include": Field(ListOf(Text(blank=False)), "files of tables that this layout shares"),
    }
)
_OWN_BINDING: Final = Table(
    {
        "slot": Field(Text(blank=False), "a slot of the profile", required=True),
        "client": Field(Text(blank=False), "key of a client"),
        "channel": Field(Text(blank=False), "key of a channel"),
        "certificate": Field(Text(blank=False), "key of a client with one"),
    },
    exactly_one=SLOT_TYPES,
)
_OWN_SHAPE: Final = Table(
    {
        "layout": Field(_LAYOUT, "what this layout is"),
        "parameters": Field(MapOf(Table(table_of(Parameter))), "values that requests give"),
        "clients": Field(
            ListOf(Table(table_of(Client)), least=1), "clients to create", required=True
        ),
        "channels": Field(ListOf(Table(table_of(Channel))), "channels to create"),
        "connections": Field(
            ListOf(Table(table_of(Connection))),
            "what is connected; default: every client with every channel",
        ),
        "certificates": Field(Table(table_of(Certificates)), "what the certificates are like"),
        "bootstrap": Field(
            Table(
                {**table_of(Bootstrap), **table_of(ProfileReference)},
                at_most_one=tuple(table_of(ProfileReference)),
            ),
            "the bootstrap config",
        ),
        "profile": Field(
            Table(dict(_profile_keys()), exactly_one=("content_template", "content_template_file")),
            "a profile that comes with this layout",
        ),
        "bindings": Field(ListOf(_OWN_BINDING), "what fills the slots"),
    }
)


def _read_own(report: Report, data: JsonObject, name: str, load: TemplateLoader) -> Layout:
    clients = tuple(
        from_table(
            Client,
            item,
            key=item.get("key") or derived_key(item.get("name", "")),
            bootstrap=item.get("bootstrap", "external_id" in item.get("metadata", {})),
            at=("clients", index),
        )
        for index, item in enumerate(data.get("clients", ()))
    )
    channels = tuple(
        from_table(
            Channel,
            item,
            key=item.get("key") or derived_key(item.get("name", "")),
            at=("channels", index),
        )
        for index, item in enumerate(data.get("channels", ()))
    )
    connections = tuple(
        from_table(
            Connection,
            item,
            types=in_order(item.get("types", (*ConnectionType,))),
            at=("connections", index),
        )
        for index, item in enumerate(data.get("connections", ()))
    )
    return Layout(
        name=name,
        dialect=Dialect.PROVISION,
        description=data.get("layout", {}).get("description", ""),
        parameters=tuple(
            from_table(Parameter, item, name=key, at=("parameters", key))
            for key, item in data.get("parameters", {}).items()
        ),
        clients=clients,
        channels=channels,
        connections=connections
        if "connections" in data
        else everything_connected(clients, channels),
        certificates=from_table(Certificates, data.get("certificates", {})),
        bootstrap=from_table(Bootstrap, data.get("bootstrap", {})),
        profile=_own_profile(data, profile_template(report, data, load)),
        bindings=tuple(_own_bindings(data)),
        file=report.source.file,
        locate=report.source.key_position,
    )


def derived_key(name: str) -> str:
    """Return the key of a client or channel without one: its name without template actions."""
    bare = re.sub(r"\{\{.*?(?:\}\}|\n|\Z)", " ", name)
    return "-".join(re.findall(r"[A-Za-z0-9_.]+", bare)).strip("._")[:128]


def everything_connected(
    clients: tuple[Client, ...], channels: tuple[Channel, ...]
) -> tuple[Connection, ...]:
    """Return the connections of a layout that names none: every client with every channel."""
    if not clients or not channels:
        return ()
    keys = tuple(client.key for client in clients)
    return (Connection(keys, tuple(channel.key for channel in channels)),)


def _own_profile(data: JsonObject, template: str) -> InlineProfile | ProfileReference | None:
    bootstrap = data.get("bootstrap", {})
    if not table_of(ProfileReference).keys().isdisjoint(bootstrap):
        return from_table(ProfileReference, bootstrap)
    if "profile" not in data:
        return None
    slots = data["profile"].get("binding_slots", ())
    return from_table(
        InlineProfile,
        data["profile"],
        content_template=template,
        binding_slots=tuple(from_table(BindingSlot, slot) for slot in slots),
    )


def _own_bindings(data: JsonObject) -> Iterator[Binding]:
    for index, item in enumerate(data.get("bindings", ())):
        kind = next((kind for kind in SLOT_TYPES if kind in item), SLOT_TYPES[0])
        yield Binding(item.get("slot", ""), kind, item.get(kind, ""), at=("bindings", index))


_NAMED_ONLY: Final = "the releases take nothing but name and metadata from here"
_SPELLINGS: Final = ("key_type", "KeyType", "keyType", "keytype", "KEYTYPE")
"""How Go reads a field without a name of its own in TOML."""
_CURVE_BITS: Final = 384
_LONG_KEY: Final = 2048

PART_KEYS: Final[Mapping[str, Field]] = {
    "Name": Field(Text(), "the same as name"),
    "Metadata": Field(Object(), "the same as metadata"),
    **{
        key: Field(Json(), "no effect", unused=_NAMED_ONLY)
        for key in (
            "ID", "id", "Owner", "owner", "Key", "key", "Tags", "tags", "Domain", "domain_id",
            "Credentials", "credentials", "Status", "status", "Description", "description",
            "Parent", "parent_id", "Route", "route",
        )
    },
    "name": Field(Text(), "its name; a request's name wins for clients"),
    "metadata": Field(Object(), "its metadata on the platform"),
}  # fmt: skip
"""Keys of a client or channel."""

TOP_KEYS: Final[Mapping[str, Field]] = {
    "file": Field(Text(), "the file's own name"),
    **{
        name: Field(
            Json(),
            "no effect",
            unused=f"no release reads it; [{name}s.metadata] is what tells a {name}'s metadata",
        )
        for name in ("client", "thing", "channel")
    },
    "BSContent": Field(Json(), "no effect", unused="write it into [bootstrap] as content"),
    "SendTelemetry": Field(Json(), "no effect", unused="this service sends no telemetry"),
    "InstanceID": Field(Json(), "no effect", unused="this service has no name for an instance"),
}
"""Keys outside of the tables that a layout is made of."""


def settings_keys(table: str) -> dict[str, Field]:
    """Return the keys of a table of the settings' file, those that are no longer used too."""
    known = [key for setting in fields(Settings) for key in names_of(setting.name).keys]
    entries = (key.partition(".") for key in (*known, *UNUSED_KEYS))
    return {entry: Field(Json(), "a setting") for owner, _, entry in entries if owner == table}


def settings_table(table: str) -> Field:
    """Return a table in which nothing but settings stands: of those the settings tell."""
    return Field(Table(settings_keys(table), lenient=True), "settings")


CERTIFICATE_KEYS: Final[Mapping[str, Field]] = {
    **settings_keys("cert"),
    "ttl": Field(Lifetime(blank=True), 'default "2400h"'),
    "days_valid": Field(Lifetime(blank=True), "the same as ttl, in spite of its name"),
    "key_bits": Field(Json(), "bits of RSA keys: 2048 or 4096"),
    **{spelling: Field(Json(), "rsa or ec") for spelling in _SPELLINGS},
}
"""Keys of ``[cert]``, which is ``[certs]`` in Mainflux 0.12; both may stand in a file."""


@frozen
class KeyChoice:
    """The kind of key that a file asks for (empty: it asks for none), and what to tell of it."""

    key_type: KeyType | None = None
    note: str = ""


def key_choice(certificates: JsonObject) -> KeyChoice:
    """Return the kind of key that ``key_bits`` and ``KeyType`` of a file name."""
    family = next(
        (certificates[spelling] for spelling in _SPELLINGS if certificates.get(spelling)), ""
    )
    return choose_key(family, certificates.get("key_bits", 0))


def choose_key(family: JsonValue, bits: JsonValue) -> KeyChoice:
    """Return the kind of key for a family (rsa, ec; else RSA) and a number of bits.

    A size that this service does not make becomes the next one that it makes, which is told.
    """
    size = int(bits) if str(bits).strip().isdecimal() else 0
    named = str(family).strip().lower()
    if not named and not size:
        told = bits not in (0, "", "0")
        return KeyChoice(None, f"{bits!r} is no number of bits: it has no effect" if told else "")
    if named in {"ec", "ecdsa"}:
        key_type: KeyType = "ec-p384" if size >= _CURVE_BITS else "ec-p256"
        fits = size in (0, 256, 384)
    else:
        key_type = "rsa-4096" if size > _LONG_KEY else "rsa-2048"
        fits = named in {"", "rsa"} and size in (0, 2048, 4096)
    return KeyChoice(
        key_type,
        ""
        if fits
        else f"{named or 'rsa'} of {size} bits is not made here: {key_type} takes its place",
    )


_PART: Final = Table(PART_KEYS)
BOOTSTRAP_KEYS: Final[Mapping[str, Field]] = {
    "x509_provision": Field(Flag(), "whether clients get certificates; default false"),
    "provision": Field(Flag(), "whether there is a bootstrap config; default true"),
    "autowhite_list": Field(Flag(), "whether it is enabled at once; default true"),
    "profile_id": Field(Text(), "an existing profile, by its ID"),
    "render_context": Field(Object(), "variables of the profile"),
    "bindings": Field(ListOf(Table(table_of(Binding))), "what fills the profile's slots"),
    "content": Field(Json(), "what a gateway without a profile is given"),
}
"""Keys of ``[bootstrap]``."""

_CLIENTS: Final = {Dialect.MAGISTRALA: "clients", Dialect.MAINFLUX: "things"}
"""The table of clients in the dialects of ``config.toml``."""


def _go_shape(dialect: Dialect) -> Table:
    return Table(
        {
            **TOP_KEYS,
            "server": settings_table("server"),
            "layouts": settings_table("layouts"),
            "bootstrap": Field(Table(BOOTSTRAP_KEYS), "the bootstrap config"),
            _CLIENTS[dialect]: Field(ListOf(_PART), "clients to create"),
            "channels": Field(ListOf(_PART), "channels to create"),
            "cert": Field(Table(CERTIFICATE_KEYS), "certificates"),
            "certs": Field(Table(CERTIFICATE_KEYS), "the same as cert"),
        }
    )


def _read_go(report: Report, data: JsonObject, name: str, dialect: Dialect) -> Layout:
    bootstrap = data.get("bootstrap", {})
    certificate = bootstrap.get("x509_provision", False)
    clients = tuple(
        Client(**part, bootstrap="external_id" in part["metadata"], certificate=certificate)
        for part in _go_parts(data, _CLIENTS[dialect])
    )
    channels = tuple(Channel(**part) for part in _go_parts(data, "channels"))
    profile_id = bootstrap.get("profile_id", "")
    return Layout(
        name=name,
        dialect=dialect,
        clients=clients,
        channels=channels,
        connections=everything_connected(clients, channels),
        certificates=_certificates({**data.get("certs", {}), **data.get("cert", {})}),
        bootstrap=_bootstrap(report, bootstrap),
        profile=ProfileReference(id=profile_id) if profile_id else None,
        bindings=tuple(
            from_table(Binding, item, at=("bootstrap", "bindings", index))
            for index, item in enumerate(bootstrap.get("bindings", ()))
        ),
        file=report.source.file,
        locate=report.source.key_position,
    )


def _go_parts(data: JsonObject, table: str) -> Iterator[dict[str, Any]]:
    """Yield what the elements of ``table`` say, each with a key of its own, made from its name."""
    taken: set[str] = set()
    for index, item in enumerate(data.get(table, ())):
        # Go reads these keys with a capital letter as well.
        name = item.get("name", item.get("Name")) or ""
        metadata = item.get("metadata", item.get("Metadata")) or {}
        base = derived_key(name) or table.removesuffix("s")
        numbered = (f"{base}-{number}" for number in itertools.count(2))
        key = next(key for key in itertools.chain([base], numbered) if key not in taken)
        taken.add(key)
        yield {
            "key": key,
            "name": literal(name),
            "metadata": _literals(metadata),
            "at": (table, index),
        }


def _certificates(item: JsonObject) -> Certificates:
    default = Certificates()
    return Certificates(
        item.get("ttl", item.get("days_valid")) or default.ttl_seconds,
        key_choice(item).key_type or default.key_type,
    )


def _bootstrap(report: Report, item: JsonObject) -> Bootstrap:
    return Bootstrap(
        provision=item.get("provision", True),
        status=Status.ENABLED if item.get("autowhite_list", True) else Status.DISABLED,
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
        decoded = json.loads(without_mark(content), parse_constant=_refuse_constant)
        if is_too_deep(decoded, MAX_DEPTH):
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    except (ValueError, RecursionError) as error:
        message = f"bootstrap.content is a string but not JSON: {error}"
        report.at_value(("bootstrap", "content"), "bad-content", message)
        return None
    return decoded


def _refuse_constant(name: str) -> None:
    raise ValueError(f"JSON has no {name}")


def _literals(value: JsonValue) -> JsonValue:
    match value:
        case str():
            return literal(value)
        case dict():
            return {key: _literals(item) for key, item in value.items()}
        case list():
            return [_literals(item) for item in value]
    return value


SHAPES: Final = {
    Dialect.PROVISION: _OWN_SHAPE,
    Dialect.MAGISTRALA: _go_shape(Dialect.MAGISTRALA),
    Dialect.MAINFLUX: _go_shape(Dialect.MAINFLUX),
}
"""What may stand in a file of each dialect."""


def build(
    dialect: Dialect, report: Report, data: JsonObject, name: str, load: TemplateLoader
) -> Layout:
    """Return the model of ``data``, which was held against the shape of its dialect.

    ``load`` reads the files of templates. What is missing was reported already, and is empty.
    """
    if dialect is Dialect.PROVISION:
        return _read_own(report, data, name, load)
    return _read_go(report, data, name, dialect)
