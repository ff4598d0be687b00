"""The normalised layout: what the three dialects of layout files become.

Everything is frozen; change by copy. Strings in names, identities, tags, routes, metadata and the
render context are Go templates over ``.ExternalID``, ``.Name``, ``.DomainID`` and ``.Vars``.
``at`` is the key path of a part in its file, so that an error can say where it stands.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from typing import Any, Final, Literal, Protocol, TypeAlias, get_args

import attrs
from attrs import Factory, evolve, field, frozen

from bootstrap_core.formats.rendering import ContentFormat
from bootstrap_core.model import ConnectionType, ResourceType, Status
from bootstrap_core.secrets import Secret
from provision.layout.schema import (
    Choice,
    Flag,
    Json,
    Lifetime,
    ListOf,
    Object,
    Pattern,
    Scalar,
    Table,
    Text,
    setting,
    table_of,
)

_UNITS: Final = {
    "ns": Fraction(1, 10**9),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),
    "μs": Fraction(1, 10**6),
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
_TERM: Final = re.compile(r"([0-9]++\.?[0-9]*+|\.[0-9]++)(ns|us|µs|μs|ms|s|m|h)")
MAX_CHARACTERS: Final = 100
"""Characters in a duration."""

_MAX_SECONDS: Final = Fraction(2**63 - 1, 10**9)


def parse_duration(text: str) -> Fraction:
    """Return the duration in seconds. Raises ``ValueError`` for what Go refuses."""
    if len(text) > MAX_CHARACTERS:
        raise ValueError(f"a duration has at most {MAX_CHARACTERS} characters, not {len(text):,}")
    body = text[1:] if text[:1] in {"+", "-"} else text
    if body == "0":
        return Fraction(0)
    seconds = Fraction(0)
    at = 0
    while term := _TERM.match(body, at):
        seconds += Fraction(term[1].rstrip(".") or "0") * _UNITS[term[2]]
        at = term.end()
    if at == 0 or at != len(body):
        raise ValueError(f'"{text}" is not a duration such as "2400h" or "1h30m"')
    if seconds > _MAX_SECONDS:
        raise ValueError(f'"{text}" is longer than the 292 years that fit a duration')
    return -seconds if text.startswith("-") else seconds


def parse_overlap(text: str) -> int:
    """Return a duration of nothing or more in whole seconds. Raises ``ValueError``."""
    seconds = parse_duration(text)
    if seconds < 0:
        raise ValueError(f'"{text}" is negative: at least "0s"')
    return int(seconds)


def parse_lifetime(text: str) -> int:
    """Return a duration of at least one second in whole seconds. Raises ``ValueError``."""
    seconds = parse_duration(text)
    if seconds < 1:
        raise ValueError(f'"{text}" is too short: at least "1s"')
    return int(seconds)


JsonValue: TypeAlias = Any
JsonObject: TypeAlias = Mapping[str, JsonValue]
KeyPath: TypeAlias = tuple[str | int, ...]

ParameterType: TypeAlias = Literal["string", "integer", "number", "boolean"]
KeyType: TypeAlias = Literal["rsa-2048", "rsa-4096", "ec-p256", "ec-p384", "ed25519"]
Renewal: TypeAlias = Literal["auto", "manual"]

SLOT_TYPES: Final = tuple(ResourceType)
"""What a binding can name, as key and as type of a slot."""

DEFAULT_TTL_SECONDS: Final = 2400 * 3600


class Dialect(StrEnum):
    """The dialect a layout file is written in."""

    PROVISION = "provision"
    """This project's."""
    MAGISTRALA = "magistrala"
    """The ``config.toml`` of Magistrala's Go service."""
    MAINFLUX = "mainflux"
    """The ``config.toml`` of Mainflux: ``[[things]]``; answers say ``things`` with ``key``."""


@frozen(order=True)
class Position:
    """Where something stands in a text: line and column, both counted from 1.

    ``file`` is empty where it stands in the layout's own file.
    """

    line: int
    column: int
    file: str = ""


def path_text(path: KeyPath) -> str:
    """Return ``path`` as people write it: ``clients[0].metadata.site``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def strings_in(path: KeyPath, value: JsonValue) -> Iterator[tuple[KeyPath, str]]:
    """Yield the strings of ``value``, which stands at ``path``, at any depth, with their paths."""
    match value:
        case str():
            yield path, value
        case dict():
            for key, item in value.items():
                yield from strings_in((*path, key), item)
        case list() | tuple():
            for index, item in enumerate(value):
                yield from strings_in((*path, index), item)


def in_order(types: Collection[ConnectionType]) -> tuple[ConnectionType, ...]:
    """Return connection types in the one order that they are kept in."""
    return tuple(kind for kind in ConnectionType if kind in types)


@frozen
class Parameter:
    """A value that a request may or must give; templates read it as ``.Vars.<name>``.

    ``default`` is ``None`` when there is none; ``enum`` is empty when anything is allowed. What a
    ``secret`` one is given is sealed and shown as a mask; only the profile's template can read it.
    """

    name: str
    type: ParameterType = setting(
        Choice(get_args(ParameterType)), 'its type; default "string"', default="string"
    )
    required: bool = setting(Flag(), "whether a request must give it; default false", default=False)
    default: str | int | float | bool | None = setting(
        Scalar(), "its value when a request does not give it", default=None
    )
    enum: tuple[str | int | float | bool, ...] = setting(
        ListOf(Scalar(), least=1), "the only values allowed", default=()
    )
    pattern: str | None = setting(
        Pattern(), "what a string must match somewhere; anchor with ^ and $", default=None
    )
    description: str = setting(Text(), "what it is for, for people", default="")
    secret: bool = setting(
        Flag(), "whether its value is sealed and shown as a mask; default false", default=False
    )
    at: KeyPath = field(default=(), eq=False, repr=False)


_KEY: Final = Text(
    pattern=r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}",
    pattern_meaning="letters, digits, underscores, dots and dashes, at most 128",
)
_KEY_MEANING: Final = "how this file refers to it; default: derived from name"
_NAME: Final = Text(template=True, blank=False)
_TAGS: Final = ListOf(Text(template=True, blank=False))
_REFERENCES: Final = ListOf(Text(blank=False), least=1)


@frozen
class Client:
    """A client to create. ``bootstrap`` marks the gateway, which gets the bootstrap config."""

    key: str = setting(_KEY, _KEY_MEANING)
    name: str = setting(_NAME, "its name on the platform", required=True)
    identity: str | None = setting(
        Text(template=True), "the identity of its credentials", default=None
    )
    bootstrap: bool = setting(
        Flag(), "whether it is the gateway, which gets the bootstrap config", default=False
    )
    certificate: bool = setting(Flag(), "whether it gets an X.509 certificate", default=False)
    tags: tuple[str, ...] = setting(_TAGS, "its tags on the platform", default=())
    metadata: JsonObject = setting(
        Object(template=True), "its metadata on the platform", default=Factory(dict)
    )
    at: KeyPath = field(default=(), eq=False, repr=False)


@frozen
class Channel:
    """A channel to create. Metadata ``type`` (control, data, export) names its role."""

    key: str = setting(_KEY, _KEY_MEANING)
    name: str = setting(_NAME, "its name on the platform", required=True)
    route: str | None = setting(Text(template=True), "its route on the platform", default=None)
    tags: tuple[str, ...] = setting(_TAGS, "its tags on the platform", default=())
    metadata: JsonObject = setting(
        Object(template=True),
        "its metadata; type (control, data) is its role",
        default=Factory(dict),
    )
    at: KeyPath = field(default=(), eq=False, repr=False)


@frozen
class Connection:
    """Every one of ``clients`` is connected with every one of ``channels`` (by their keys)."""

    clients: tuple[str, ...] = setting(_REFERENCES, "keys of clients", required=True)
    channels: tuple[str, ...] = setting(_REFERENCES, "keys of channels", required=True)
    types: tuple[ConnectionType, ...] = setting(
        ListOf(Choice(tuple(ConnectionType)), least=1),
        "default: both",
        default=tuple(ConnectionType),
    )
    at: KeyPath = field(default=(), eq=False, repr=False)


@frozen
class Certificates:
    """What the certificates of the layout's clients are like."""

    ttl_seconds: int = setting(
        Lifetime(),
        'how long they are valid; default "2400h"',
        key="ttl",
        default=DEFAULT_TTL_SECONDS,
    )
    key_type: KeyType = setting(Choice(get_args(KeyType)), 'default "ec-p256"', default="ec-p256")
    renew: Renewal = setting(Choice(get_args(Renewal)), 'default "manual"', default="manual")


@frozen
class Bootstrap:
    """The bootstrap config of the gateway.

    ``provision`` off means that none is made. ``content`` is what a config without a profile
    delivers, any JSON value (``None``: nothing given); ``GET /mapping`` answers it.
    """

    provision: bool = True
    status: Status = setting(Choice(tuple(Status)), 'default "enabled"', default=Status.ENABLED)
    render_context: JsonObject = setting(
        Object(template=True), "variables of the profile", default=Factory(dict)
    )
    content: JsonValue = setting(Json(), "what a gateway without a profile is given", default=None)


@frozen
class BindingSlot:
    """A place in a profile for a resource. ``fields`` restricts its snapshot (empty: all)."""

    name: str = setting(Text(blank=False), "its name: .Bindings.<name>", required=True)
    type: ResourceType = setting(Choice(SLOT_TYPES), "what fills it", required=True)
    required: bool = setting(Flag(), "whether rendering needs it; default false", default=False)
    fields: tuple[str, ...] = setting(
        ListOf(Text(blank=False)), "what its snapshot keeps; default: all", default=()
    )


@frozen
class InlineProfile:
    """A profile that the layout brings along; its template is rendered at the device's fetch."""

    name: str = setting(Text(blank=False), "its name in the domain", required=True)
    description: str = setting(Text(), "what it is for, for people", default="")
    content_format: ContentFormat = setting(
        Choice(tuple(ContentFormat)),
        'default "go-template"',
        default=ContentFormat.GO_TEMPLATE,
    )
    content_template: str = setting(
        Text(), "the template itself, or else content_template_file", kw_only=True
    )
    defaults: JsonObject = setting(
        Object(), "variables; the render context wins over them", default=Factory(dict)
    )
    binding_slots: tuple[BindingSlot, ...] = setting(
        ListOf(Table(table_of(BindingSlot))), "places for resources", default=()
    )


@frozen
class ProfileReference:
    """A profile that exists already, by its ID or, where that is empty, by its name."""

    id: str = setting(
        Text(blank=False), "an existing profile, by its ID", key="profile_id", default=""
    )
    name: str = setting(
        Text(blank=False), "an existing profile, by its name", key="profile", default=""
    )


@frozen
class Binding:
    """A slot and the resource that fills it.

    Either ``resource`` is the key of a client (types client and certificate) or channel, or it is
    looked for among the created ones: by ``name`` and by ``metadata_key`` with ``metadata_value``,
    each where given, the gateway client first. The keys are those of Magistrala's dialect.
    """

    slot: str = setting(Text(blank=False), "a slot of the profile", required=True)
    type: ResourceType = setting(Choice(SLOT_TYPES), "what fills it", required=True)
    resource: str = ""
    name: str = setting(Text(), "name of the created client or channel", default="")
    metadata_key: str = setting(Text(), "a key that its metadata has", default="")
    metadata_value: str = setting(Text(), "the value of that key", default="")
    at: KeyPath = field(default=(), eq=False, repr=False)

    def fits(self, metadata: JsonObject) -> bool:
        """Return whether ``metadata`` are those that the binding looks for."""
        if not self.metadata_key:
            return True
        if self.metadata_key not in metadata:
            return False
        value = metadata[self.metadata_key]
        text = value if isinstance(value, str) else json.dumps(value)
        return self.metadata_value in {"", text}


def _at_its_start(_: KeyPath) -> Position:
    return Position(1, 1)


@frozen
class Layout:
    """One layout file, normalised.

    ``connections`` is complete: a file without any has one of every client with every channel.
    ``file``, ``locate`` (which gives where a key, or else its nearest ancestor, stands) and the
    parts' ``at`` serve messages only: they are no part of equality and digest.
    """

    name: str
    dialect: Dialect = Dialect.PROVISION
    description: str = ""
    parameters: tuple[Parameter, ...] = ()
    clients: tuple[Client, ...] = ()
    channels: tuple[Channel, ...] = ()
    connections: tuple[Connection, ...] = ()
    certificates: Certificates = Certificates()
    bootstrap: Bootstrap = Bootstrap()
    profile: InlineProfile | ProfileReference | None = None
    bindings: tuple[Binding, ...] = ()
    file: str = field(default="", eq=False)
    locate: Callable[[KeyPath], Position] = field(default=_at_its_start, eq=False, repr=False)

    @property
    def gateway(self) -> Client | None:
        """The client that gets the bootstrap config, if there is one."""
        return next((client for client in self.clients if client.bootstrap), None)

    @cached_property
    def pairs(self) -> Mapping[tuple[str, str], tuple[ConnectionType, ...]]:
        """Which client is connected with which channel, by their keys, and for what."""
        wanted: dict[tuple[str, str], set[ConnectionType]] = {}
        for connection in self.connections:
            for pair in itertools.product(connection.clients, connection.channels):
                wanted.setdefault(pair, set()).update(connection.types)
        return {pair: in_order(types) for pair, types in wanted.items()}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model's canonical JSON, in hex: equal layouts have equal digests."""
        return hashlib.sha256(canonical_json(self).encode()).hexdigest()


@frozen
class Overrides:
    """The Go service's settings that win over its file; ``None`` leaves the file's value.

    Source: ``MG_PROVISION_X509_PROVISIONING``, ``_BS_CONFIG_PROVISIONING``, ``_BS_AUTO_WHITELIST``,
    ``_BS_PROFILE_ID``, ``_BS_CONTENT`` (decoded), ``_CERTS_HOURS_VALID`` (in seconds) and
    ``_CERTS_RSA_BITS`` (as a key type). ``longest_ttl_seconds`` is what the authority signs at
    most, where it refuses more.
    """

    x509_provision: bool | None = None
    bootstrap_provision: bool | None = None
    autowhite_list: bool | None = None
    profile_id: str | None = None
    content: JsonValue = None
    ttl_seconds: int | None = None
    key_type: KeyType | None = None
    longest_ttl_seconds: int | None = None


def with_overrides(layout: Layout, overrides: Overrides) -> Layout:
    """Return ``layout`` with the Go service's settings applied.

    They belong to the Go service's own file, so only layouts in the Magistrala and Mainflux
    dialects take them; a layout in this project's dialect says everything itself. Only where the
    authority refuses a long lifetime, the one of the settings cuts that of every layout.
    """
    if layout.dialect is Dialect.PROVISION:
        if overrides.longest_ttl_seconds is None or overrides.ttl_seconds is None:
            return layout
        cut = min(layout.certificates.ttl_seconds, overrides.ttl_seconds)
        return evolve(layout, certificates=evolve(layout.certificates, ttl_seconds=cut))
    clients = layout.clients
    if overrides.x509_provision is not None:
        clients = tuple(evolve(client, certificate=overrides.x509_provision) for client in clients)
    bootstrap = layout.bootstrap
    if overrides.bootstrap_provision is not None:
        bootstrap = evolve(bootstrap, provision=overrides.bootstrap_provision)
    if overrides.autowhite_list is not None:
        bootstrap = evolve(
            bootstrap, status=Status.ENABLED if overrides.autowhite_list else Status.DISABLED
        )
    if overrides.content is not None:
        bootstrap = evolve(bootstrap, content=overrides.content)
    profile = layout.profile
    if overrides.profile_id:
        profile = ProfileReference(id=overrides.profile_id)
    certificates = layout.certificates
    if overrides.ttl_seconds is not None:
        certificates = evolve(certificates, ttl_seconds=overrides.ttl_seconds)
    if overrides.key_type is not None:
        certificates = evolve(certificates, key_type=overrides.key_type)
    return evolve(
        layout, clients=clients, bootstrap=bootstrap, profile=profile, certificates=certificates
    )


def canonical_json(layout: Layout) -> str:
    """Return the model as JSON, keys sorted, no blanks, without what serves messages only."""
    document = attrs.asdict(layout, filter=lambda attribute, _: bool(attribute.eq))
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


@frozen
class GatewayRequest:
    """The request to onboard one gateway, without its external key, which no layout may see.

    ``name`` is ``None`` when the caller gave none; ``parameters`` are the caller's, not validated.
    """

    domain_id: str
    external_id: str
    name: str | None = None
    parameters: JsonObject = field(factory=dict, repr=False)


class Identifiers(Protocol):
    """Source of the identifiers and secrets of a plan."""

    def uuid(self) -> str:
        """Return a new UUIDv4 in its canonical text form."""
        ...

    def secret(self) -> Secret:
        """Return a new secret for a client."""
        ...
