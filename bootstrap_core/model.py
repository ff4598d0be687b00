"""What the bootstrap core is about: configs, profiles, binding slots, bindings and fetches."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Generic, Literal, TypeAlias, TypeVar
from urllib.parse import quote

from attrs import field, frozen

from bootstrap_core.bodies import GIVEN, Body, Wrong, at_most, described
from bootstrap_core.credentials import DOTS
from bootstrap_core.errors import Malformed, SlotUnbound
from bootstrap_core.formats.rendering import ContentFormat, RenderBinding
from bootstrap_core.secrets import Secret


def segment(text: str) -> str:
    """Return ``text`` escaped as one segment of a path, which no client takes for a step in it."""
    escaped = quote(text, safe="")
    return escaped.replace(".", "%2E") if text in DOTS else escaped


T = TypeVar("T")

PROFILE_NAME_CHARACTERS: Final = 1024
SLOT_NAME_CHARACTERS: Final = 256
SlotName: TypeAlias = Annotated[
    str, GIVEN, at_most(SLOT_NAME_CHARACTERS), described(minLength=1, maxLength=256)
]
BINDING: Final = frozenset(
    {"config_id", "slot", "type", "resource_id", "snapshot", "secret_snapshot", "updated_at"}
)
"""Fields of a binding in any release: sent, answered, or both."""


class Status(StrEnum):
    """Whether something may be used: a device may fetch its configuration, a client connect."""

    ENABLED = "enabled"
    DISABLED = "disabled"


class ConnectionType(StrEnum):
    """What a connected client may do on a channel."""

    PUBLISH = "publish"
    SUBSCRIBE = "subscribe"


EntityKind: TypeAlias = Literal["client", "channel"]
"""What a domain holds of the caller's making; names of actions begin with it (``client_read``)."""

ENTITY_KINDS: Final[tuple[EntityKind, ...]] = ("client", "channel")


class ResourceType(StrEnum):
    """What can be bound to a slot."""

    CLIENT = "client"
    CHANNEL = "channel"
    CERTIFICATE = "certificate"


@frozen
class BindingSlot:
    """A named place in a profile that a resource is bound to.

    ``fields`` are the keys that the binding keeps of the resource, secret ones too; none means all.
    """

    body: ClassVar[Body] = Body("BindingSlot", known=())

    name: SlotName
    type: ResourceType
    required: bool = False
    fields: Sequence[str] = ()


@frozen
class Profile:
    """A template for the configuration of many devices.

    ``version`` counts its updates. ``revision`` is a new random text at every write: two equal
    ones mean that nothing has changed in between, whatever was deleted or restored.
    """

    id: str
    domain_id: str
    name: str
    content_format: ContentFormat
    created_at: datetime
    updated_at: datetime
    description: str = ""
    content_template: str = ""
    defaults: Mapping[str, Any] = field(factory=dict)
    binding_slots: Sequence[BindingSlot] = ()
    version: int = 1
    revision: str = ""


@frozen
class Config:
    """One device's enrollment.

    ``revision`` is a new random text at every write to the config or its bindings.
    ``sealed_client_key`` is the private key as it is stored; empty when there is none.
    ``sealed_context`` has the secret variables, sealed: each counts where ``render_context`` has a
    mask for it. ``connected`` is the state that the Mainflux routes speak of: whether the client is
    connected to the config's channels.
    """

    id: str
    domain_id: str
    external_id: str
    external_key_hash: str = field(repr=False)
    created_at: datetime
    updated_at: datetime
    name: str = ""
    status: Status = Status.ENABLED
    profile_id: str = ""
    content: str = field(default="", repr=False)
    render_context: Mapping[str, Any] = field(factory=dict)
    sealed_context: str = field(default="", repr=False)
    client_cert: str = field(default="", repr=False)
    sealed_client_key: str = field(default="", repr=False)
    ca_cert: str = field(default="", repr=False)
    connected: bool = False
    revision: str = ""


@frozen
class Binding:
    """A resource bound to a slot of a config: its state when it was bound or last refreshed.

    ``sealed_secret`` is the sealed JSON object of its secret fields; empty when there are none.
    """

    config_id: str
    slot: str
    type: ResourceType
    resource_id: str
    snapshot: Mapping[str, Any]
    updated_at: datetime
    sealed_secret: str = field(default="", repr=False)


@frozen
class BindingRequest:
    """The wish to bind a resource to a slot."""

    body: ClassVar[Body] = Body("BindingRequest", known=BINDING)

    slot: SlotName
    type: ResourceType
    resource_id: Annotated[str, GIVEN]


@frozen
class Resource:
    """A resource of the platform as it is now, its secret fields apart."""

    type: ResourceType
    id: str
    snapshot: Mapping[str, Any]
    secret: Mapping[str, Secret] = field(factory=dict)


@frozen
class Caller:
    """Who asks, and in which domain; ``token`` is what the platform is asked with.

    ``actions`` are what the caller may do in all of the domain, by the platform's names for it;
    None where the platform does not tell.
    """

    user_id: str
    domain_id: str
    token: Secret
    actions: frozenset[str] | None = None


@frozen
class Asked:
    """What a request asks for.

    ``path`` is the route's as it is declared, ``values`` are what the request puts into it.
    ``conditions`` name what more the request turned out to want, such as ``secrets``.
    """

    method: str
    path: str
    values: Mapping[str, str] = field(factory=dict)
    conditions: tuple[str, ...] = ()


@frozen
class Fetch:
    """The last time that a device asked for its configuration.

    ``outcome`` is ``delivered``, ``unchanged``, ``interrupted`` (the connection was closed before
    the answer was sent) or an error's code; ``digest`` is the SHA-256 of
    the answer's body in hex, empty when nothing was delivered. ``content`` is the configuration
    that it was given last, its secrets masked; None where that is not known.
    """

    config_id: str
    at: datetime
    outcome: str
    digest: str = ""
    content: str | None = None


@frozen
class Page(Generic[T]):
    """A part of a list: ``total`` counts all that match, from ``offset`` at most ``limit``."""

    items: Sequence[T]
    total: int
    offset: int
    limit: int


def new_id() -> str:
    """Return a new UUIDv4 as text."""
    return str(uuid.uuid4())


def is_uuid(text: str) -> bool:
    """Tell whether ``text`` is a UUID in its canonical form."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def new_revision() -> str:
    """Return a text that no other write has."""
    return secrets.token_hex(12)


def utc_now() -> datetime:
    """Return the present time, aware, in UTC."""
    return datetime.now(UTC)


def client_resource(
    client_id: str, *, name: str, domain_id: str, identity: str = "", secret: Secret | None = None
) -> Resource:
    """Return what a binding may keep of a client: ``id``, ``name``, ``identity``, ``secret``."""
    snapshot = {"id": client_id, "name": name, "identity": identity, "domain_id": domain_id}
    return Resource(
        ResourceType.CLIENT,
        client_id,
        {key: value for key, value in snapshot.items() if value or key == "name"},
        {"secret": secret} if secret else {},
    )


def new_client(caller: Caller, name: str) -> Resource:
    """Return a client to be created in the caller's domain, with an ID and a secret of its own."""
    return client_resource(new_id(), name=name, domain_id=caller.domain_id, secret=Secret(new_id()))


def channel_resource(
    channel_id: str,
    *,
    name: str,
    domain_id: str,
    route: str = "",
    metadata: Mapping[str, Any] | None = None,
) -> Resource:
    """Return what a binding may keep of a channel; ``topic`` is its route."""
    snapshot = {
        "id": channel_id,
        "name": name,
        "topic": route,
        "domain_id": domain_id,
        "metadata": dict(metadata or {}),
    }
    return Resource(
        ResourceType.CHANNEL,
        channel_id,
        {key: value for key, value in snapshot.items() if value or key == "name"},
    )


def certificate_resource(
    serial: str,
    *,
    client_id: str,
    certificate: str,
    expires_at: datetime | None = None,
    private_key: Secret | None = None,
) -> Resource:
    """Return what a binding may keep of a certificate, its PEM text under ``certificate``."""
    snapshot: dict[str, Any] = {
        "id": serial,
        "serial_number": serial,
        "client_id": client_id,
        "certificate": certificate,
    }
    if expires_at is not None:
        snapshot["expires_at"] = rfc3339(expires_at)
    return Resource(
        ResourceType.CERTIFICATE,
        serial,
        snapshot,
        {"private_key": private_key} if private_key else {},
    )


def rfc3339(at: datetime) -> str:
    """Write an aware time as RFC 3339 in UTC, with microseconds where there are any."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


WRITTEN: Final[dict[str, Status | None]] = {
    "": Status.ENABLED,
    "enabled": Status.ENABLED,
    "0": Status.ENABLED,
    "disabled": Status.DISABLED,
    "1": Status.DISABLED,
    "all": None,
}


def read_status(value: object, place: str) -> Status | None:
    """Return the status that a text or number stands for; None stands for all.

    Raises ``Malformed``, naming ``place``.
    """
    try:
        return status_of(value)
    except Wrong as error:
        raise Malformed(f"{place}: {error}") from error


def status_of(value: object) -> Status | None:
    """Return the status that a text or number stands for; None for all. Raises ``Wrong``."""
    written = str(value).lower() if isinstance(value, str | int) else None
    if written is None or isinstance(value, bool) or written not in WRITTEN:
        raise Wrong(f"{value!r:.40} is not known; allowed are enabled, disabled, all, 0, 1")
    return WRITTEN[written]


THING_SLOT: Final = "thing"
"""What the client is bound to that a config is named after."""
CHANNEL_SLOT: Final = "channel-"
"""What the slots of such a client's channels begin with; their IDs follow."""


def slot_for(slots: Sequence[BindingSlot], request: BindingRequest, place: str) -> BindingSlot:
    """Return the slot that a request is for.

    A profile without slots takes any name. Raises ``Malformed``, naming ``place`` in the body: the
    profile has no such slot, or one of another type.
    """
    if not slots:
        return BindingSlot(request.slot, request.type)
    for slot in slots:
        if slot.name == request.slot:
            if slot.type is not request.type:
                raise Malformed(
                    f"{place}.type: slot {slot.name!r} takes a {slot.type}, not a {request.type}"
                )
            return slot
    known = ", ".join(repr(slot.name) for slot in slots)
    raise Malformed(f"{place}.slot: the profile has no slot {request.slot!r}; it has {known}")


def require_bound(slots: Sequence[BindingSlot], bound: Mapping[str, RenderBinding]) -> None:
    """Check that required slots are bound, and every bound slot to its type.

    Raises ``SlotUnbound``.
    """
    for slot in slots:
        found = bound.get(slot.name)
        if found is None and slot.required:
            raise SlotUnbound(f"slot {slot.name!r} is required and nothing is bound to it")
        if found is not None and found.type != slot.type:
            raise SlotUnbound(
                f"slot {slot.name!r} takes a {slot.type} and has a {found.type}; bind it again"
            )


def slots_from_json(slots: Sequence[Mapping[str, Any]]) -> tuple[BindingSlot, ...]:
    """Read stored binding slots."""
    return tuple(
        BindingSlot(
            slot["name"],
            ResourceType(slot["type"]),
            slot.get("required", False),
            tuple(slot.get("fields", ())),
        )
        for slot in slots
    )


def slot_to_json(slot: BindingSlot) -> dict[str, Any]:
    """Write a binding slot as the JSON object that is stored and answered."""
    document: dict[str, Any] = {
        "name": slot.name,
        "type": slot.type.value,
        "required": slot.required,
    }
    if slot.fields:
        document["fields"] = list(slot.fields)
    return document
