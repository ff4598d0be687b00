"""The plan of one onboarding: everything that will be created, with every ID already chosen.

The plan is what the journal keeps, so its JSON form is versioned and round-trips exactly.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, TypeAlias

import cattrs
from attrs import evolve, field, frozen
from cattrs.errors import BaseValidationError

from bootstrap_core.formats.rendering import ContentFormat
from bootstrap_core.model import (
    ENTITY_KINDS,
    ConnectionType,
    EntityKind,
    ResourceType,
    Status,
)
from bootstrap_core.secrets import Secret
from provision.layout.errors import PlanFormatError
from provision.layout.model import (
    Dialect,
    InlineProfile,
    JsonObject,
    JsonValue,
    KeyType,
    ProfileReference,
    Renewal,
)

PLAN_VERSION: Final = 2


@frozen
class PlannedClient:
    """A client to create under ``id``. ``key`` is its name in the layout."""

    key: str
    id: str
    name: str
    identity: str | None
    secret: Secret
    metadata: JsonObject
    tags: tuple[str, ...]
    is_gateway: bool
    certificate: bool


@frozen
class PlannedChannel:
    """A channel to create under ``id``. ``key`` is its name in the layout.

    Without a key the caller chose the ID: somebody else may have made a channel of that ID.
    """

    key: str
    id: str
    name: str
    route: str | None
    metadata: JsonObject
    tags: tuple[str, ...]


PlannedEntity: TypeAlias = PlannedClient | PlannedChannel


@frozen
class PlannedConnections:
    """One connect call: every client with every channel, for all of ``types``."""

    client_ids: tuple[str, ...]
    channel_ids: tuple[str, ...]
    types: tuple[ConnectionType, ...]


@frozen
class PlannedPair:
    """One client connected with one channel."""

    client_id: str
    channel_id: str
    types: tuple[ConnectionType, ...]

    @property
    def id(self) -> str:
        """A name among the IDs of what a plan makes."""
        return f"{self.client_id}/{self.channel_id}"


@frozen
class PlannedCertificate:
    """A certificate to issue for a client; its common name is the client's ID."""

    client_id: str
    ttl_seconds: int
    key_type: KeyType
    renew: Renewal


@frozen
class PlannedConfig:
    """The bootstrap config. ``id`` is the gateway client's; ``content`` is JSON text or empty."""

    id: str
    name: str
    status: Status
    render_context: JsonObject
    content: str


@frozen
class PlannedBinding:
    """A slot filled with a resource; for type certificate ``resource_id`` is the client's ID."""

    slot: str
    type: ResourceType
    resource_id: str


@frozen
class Plan:
    """Everything one onboarding creates.

    No pair of client and channel is in two of ``connections``, so that each connect call can be
    atomic. Without a bootstrap config there is neither a profile nor a binding. Secret parameters
    stand as masks in ``parameters``, and in the config's variables.
    """

    domain_id: str
    external_id: str
    name: str
    layout: str
    layout_digest: str
    dialect: Dialect
    parameters: JsonObject
    clients: tuple[PlannedClient, ...]
    channels: tuple[PlannedChannel, ...]
    connections: tuple[PlannedConnections, ...]
    certificates: tuple[PlannedCertificate, ...]
    config: PlannedConfig | None
    profile: InlineProfile | ProfileReference | None
    bindings: tuple[PlannedBinding, ...]
    secret_parameters: dict[str, Secret] = field(factory=dict)

    @property
    def gateway(self) -> PlannedClient | None:
        """The client that the bootstrap config belongs to, if the layout has one."""
        return next((client for client in self.clients if client.is_gateway), None)

    def of_kind(self, kind: EntityKind) -> Sequence[PlannedEntity]:
        """Return the clients or the channels."""
        return self.clients if kind == "client" else self.channels

    def entity(self, identifier: str) -> PlannedEntity:
        """Return the client or channel with this ID. Raises ``StopIteration`` where it has none."""
        entities = (entity for kind in ENTITY_KINDS for entity in self.of_kind(kind))
        return next(entity for entity in entities if entity.id == identifier)

    def only(self, identifiers: Collection[str]) -> Plan:
        """Return the plan with only those of its clients and channels that have these IDs."""
        return evolve(
            self,
            clients=tuple(client for client in self.clients if client.id in identifiers),
            channels=tuple(channel for channel in self.channels if channel.id in identifiers),
        )

    @property
    def entity_ids(self) -> frozenset[str]:
        """The IDs of all clients and channels."""
        return frozenset(entity.id for kind in ENTITY_KINDS for entity in self.of_kind(kind))

    @property
    def pairs(self) -> tuple[PlannedPair, ...]:
        """The connections one by one."""
        return tuple(
            PlannedPair(client_id, channel_id, group.types)
            for group in self.connections
            for client_id in group.client_ids
            for channel_id in group.channel_ids
        )

    @property
    def borrowed(self) -> tuple[PlannedPair, ...]:
        """The connections of which neither end is the plan's own: they end with neither."""
        own = self.entity_ids
        return tuple(
            pair for pair in self.pairs if own.isdisjoint((pair.client_id, pair.channel_id))
        )


def plan_to_json(plan: Plan) -> JsonObject:
    """Return the plan as a JSON object, secrets revealed: seal it before it is kept anywhere."""
    return {"version": PLAN_VERSION, "plan": _converter.unstructure(plan)}


def plan_from_json(document: JsonValue) -> Plan:
    """Return the plan that ``plan_to_json`` made a JSON object of.

    Raises :class:`PlanFormatError` for anything else. The error says nothing of the content,
    which holds secrets.
    """
    try:
        version, body = document["version"], document["plan"]
    except (TypeError, KeyError) as error:
        raise PlanFormatError("not a journalled plan: an object with version and plan") from error
    if version not in (1, PLAN_VERSION):
        raise PlanFormatError(
            f"journalled plan has version {version!r}; this release reads up to {PLAN_VERSION}"
        )
    try:
        return _converter.structure(_from_version_1(body) if version == 1 else body, Plan)
    except (BaseValidationError, AttributeError, ValueError, TypeError, KeyError):
        raise PlanFormatError(
            f"journalled plan does not have the fields of version {version}"
        ) from None


def _from_version_1(body: JsonObject) -> JsonObject:
    """Drop what version 1 says twice: a certificate's common name is its client's ID."""
    certificates = [
        {name: value for name, value in certificate.items() if name != "common_name"}
        for certificate in body["certificates"]
    ]
    return {**body, "certificates": certificates}


def _profile_to_json(profile: InlineProfile | ProfileReference | None) -> JsonValue:
    match profile:
        case InlineProfile():
            return {"inline": _converter.unstructure(profile, InlineProfile)}
        case ProfileReference():
            return {"reference": _converter.unstructure(profile, ProfileReference)}
        case None:
            return None


def _profile_from_json(body: JsonValue, _: object) -> InlineProfile | ProfileReference | None:
    match body:
        case {"inline": inline}:
            return _converter.structure(inline, InlineProfile)
        case {"reference": reference}:
            return _converter.structure(reference, ProfileReference)
        case None:
            return None
        case _:
            raise ValueError("profile is neither inline nor a reference")


def _same_type(value: JsonValue, kind: type) -> JsonValue:
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}")
    return value


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_unstructure_hook(Secret, lambda secret: secret.reveal())
    converter.register_structure_hook(Secret, lambda text, _: Secret(_same_type(text, str)))
    for primitive in (str, int, bool):
        converter.register_structure_hook(primitive, _same_type)
    for enumeration in (ConnectionType, ContentFormat, Dialect, ResourceType, Status):
        converter.register_structure_hook(enumeration, lambda text, kind: kind(text))
    profile = InlineProfile | ProfileReference | None
    converter.register_unstructure_hook(profile, _profile_to_json)
    converter.register_structure_hook(profile, _profile_from_json)
    return converter


_converter: Final = _make_converter()
