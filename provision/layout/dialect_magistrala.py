"""The dialects of Magistrala's and Mainflux's ``config.toml``, read into the model."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Final, Literal

from attrs import fields, frozen

from bootstrap_core.formats.documents import is_too_deep, without_mark
from provision.former_settings import UNUSED_KEYS
from provision.layout.dialect_provision import derived_key, everything_connected
from provision.layout.model import (
    Binding,
    Bootstrap,
    Certificates,
    Channel,
    Client,
    Dialect,
    JsonObject,
    JsonValue,
    KeyPath,
    KeyType,
    Layout,
    ProfileReference,
)
from provision.layout.report import Report
from provision.layout.schema import (
    TARGETS,
    Choice,
    Field,
    Flag,
    Json,
    Lifetime,
    ListOf,
    Object,
    Table,
    Text,
)
from provision.layout.source import MAX_DEPTH
from provision.layout.templates import literal
from provision.settings import Settings, names_of

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
    **{each: Field(Json(), "rsa or ec") for each in _SPELLINGS},
}
"""Keys of ``[cert]``, which is ``[certs]`` in Mainflux 0.12."""


@frozen
class KeyChoice:
    """The kind of key that a file asks for (empty: it asks for none), and what to tell of it."""

    key_type: KeyType | None = None
    note: str = ""


def certificate_keys(data: JsonObject) -> JsonObject:
    """Return what a file says of certificates, from whichever table it has."""
    return {**data.get("certs", {}), **data.get("cert", {})}


def lifetime_of(certificates: JsonObject) -> int | None:
    """Return the seconds that certificates live, where a file says so."""
    seconds: int | None = certificates.get("ttl", certificates.get("days_valid"))
    return seconds


def key_choice(certificates: JsonObject) -> KeyChoice:
    """Return the kind of key that ``key_bits`` and ``KeyType`` of a file name."""
    family = next((certificates[each] for each in _SPELLINGS if certificates.get(each)), "")
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


_PARTS: Final = Table(PART_KEYS)
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
            **TOP_KEYS,
            "server": settings_table("server"),
            "layouts": settings_table("layouts"),
            "bootstrap": Field(_BOOTSTRAP, "the bootstrap config"),
            clients_table: Field(ListOf(_PARTS), "clients to create"),
            "channels": Field(ListOf(_PARTS), "channels to create"),
            "cert": Field(Table(CERTIFICATE_KEYS), "certificates"),
            "certs": Field(Table(CERTIFICATE_KEYS), "the same as cert"),
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
            name=literal(_either(item, "name") or ""),
            metadata=_literals(_either(item, "metadata") or {}),
            bootstrap="external_id" in (_either(item, "metadata") or {}),
            certificate=certificate,
            at=at,
        )
        for key, item, at in _keyed(data, clients_table)
    )
    channels = tuple(
        Channel(
            key=key,
            name=literal(_either(item, "name") or ""),
            metadata=_literals(_either(item, "metadata") or {}),
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
        certificates=_certificates(certificate_keys(data)),
        bootstrap=_bootstrap(report, bootstrap),
        profile=ProfileReference(id=profile_id) if profile_id else None,
        bindings=_bindings(bootstrap),
        file=report.source.file,
        locate=report.source.key_place,
    )


def _either(item: JsonObject, key: str) -> JsonValue:
    """Return the value of ``key``, which Go reads with a capital letter as well."""
    return item.get(key, item.get(key.capitalize()))


def _certificates(item: JsonObject) -> Certificates:
    default = Certificates()
    return Certificates(
        lifetime_of(item) or default.ttl_seconds, key_choice(item).key_type or default.key_type
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
        base = derived_key(_either(item, "name") or "") or table.removesuffix("s")
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


MAINFLUX_SHAPE: Final = shape("things")


def build_mainflux(report: Report, data: JsonObject, name: str) -> Layout:
    """Return the model of checked ``data`` in Mainflux's dialect."""
    return build_legacy(report, data, name, Dialect.MAINFLUX, "things")
