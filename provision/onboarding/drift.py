"""What became of a gateway on the platform behind the journal's back. Nothing is changed here.

One round of reads, all side by side; only what seems to be gone is asked for once more.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

from attrs import asdict, field, frozen
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.enrollments import Enroller
from bootstrap_core.model import ENTITY_KINDS, Caller, EntityKind, Status
from bootstrap_core.secrets import MASK, Secret
from provision.layout.expansion import expand
from provision.layout.model import (
    GatewayRequest,
    InlineProfile,
    JsonObject,
    Layout,
    ProfileReference,
)
from provision.layout.plan import Plan, PlannedChannel, PlannedClient, PlannedEntity
from provision.onboarding.absence import Asker, Types, Visibility, connected_clients
from provision.onboarding.creation import all_of
from provision.onboarding.model import Intent, Onboarding, State
from provision.platform.errors import Moved, NotFound, PlatformError
from provision.platform.port import CertificateAuthority, Entity, Platform
from provision.platform.types import Client

Part: TypeAlias = tuple[str, str]
"""What kind of part, and its key in the layout."""

_NOT_COMPARED: Final = frozenset({"key", "id", "secret"})


class Action(StrEnum):
    """What would happen to a part."""

    ADD = "add"
    CHANGE = "change"
    REMOVE = "remove"


@frozen
class FieldChange:
    """A field before and after; ``None`` where there is none."""

    before: Any
    after: Any


@frozen
class Change:
    """One part that would be added, changed or removed, and its fields."""

    action: Action
    kind: str
    key: str
    fields: Mapping[str, FieldChange] = field(factory=dict)


class StandIns:
    """Stand-ins for identifiers and secrets: those of ``present`` by key, else words.

    What exists keeps its IDs in the plan that is compared with it. Secrets are words in any case.
    """

    def __init__(self, layout: Layout, present: Plan | None) -> None:
        """Give identifiers in the order in which ``layout`` is expanded."""
        held = {
            kind: {entity.key: entity.id for entity in present.of_kind(kind)} if present else {}
            for kind in ENTITY_KINDS
        }
        clients = [client.key for client in layout.clients]
        channels = [channel.key for channel in layout.channels]
        ids = [held["client"].get(key, f"(ID of {key})") for key in clients]
        ids += [held["channel"].get(key, f"(ID of {key})") for key in channels]
        self._ids = iter(ids)
        self._secrets = iter([_secret_words(key) for key in clients])

    def uuid(self) -> str:
        """Return the next identifier."""
        return next(self._ids)

    def secret(self) -> Secret:
        """Return the next client's secret, in words."""
        return Secret(next(self._secrets))


def plan_against(layout: Layout, request: GatewayRequest, present: Plan | None) -> Plan:
    """Return what ``layout`` makes of ``request``, with the IDs of what is there in ``present``.

    Raises the layout's ``ParameterError`` and ``ExpansionError``.
    """
    return expand(layout, request, StandIns(layout, present))


def compare(before: Plan | None, after: Plan) -> tuple[Change, ...]:
    """Return what would be added, changed and removed, in the order of creation."""
    old = parts_of(before) if before else {}
    new = parts_of(after)
    _mark_other_secrets(before, after, new)
    changes = []
    for part, values in new.items():
        if part not in old:
            fields = {name: FieldChange(None, value) for name, value in values.items()}
            changes.append(Change(Action.ADD, *part, fields))
        elif old[part] != values:
            changes.append(Change(Action.CHANGE, *part, _changed(old[part], values)))
    for part, values in old.items():
        if part not in new:
            fields = {name: FieldChange(value, None) for name, value in values.items()}
            changes.append(Change(Action.REMOVE, *part, fields))
    return tuple(changes)


def _mark_other_secrets(
    before: Plan | None, after: Plan, parts: dict[Part, dict[str, Any]]
) -> None:
    """Put words in place of the masks of secret parameters that would become others."""
    held = before.secret_parameters if before else {}
    other = [name for name, value in after.secret_parameters.items() if held.get(name) != value]
    for (kind, _), values in parts.items():
        if before and kind == "config" and other:
            words = dict.fromkeys(other, "(another secret)")
            values["render_context"] = {**values["render_context"], **words}


def parts_of(plan: Plan) -> dict[Part, dict[str, Any]]:
    """Return the parts of a plan with their fields; no secret and no chosen ID among them."""
    entities = [(kind, entity) for kind in ENTITY_KINDS for entity in plan.of_kind(kind)]
    keys = {entity.id: entity.key for _, entity in entities}
    parts: dict[Part, dict[str, Any]] = {}
    for kind, entity in entities:
        parts[kind, entity.key] = _fields(asdict(entity, recurse=False), keys)
    for pair in plan.pairs:
        name = f"{keys[pair.client_id]} - {keys[pair.channel_id]}"
        parts["connection", name] = {"types": list(pair.types)}
    for certificate in plan.certificates:
        parts["certificate", keys[certificate.client_id]] = {
            "ttl_seconds": certificate.ttl_seconds,
            "key_type": certificate.key_type,
            "renew": certificate.renew,
        }
    if plan.config is not None:
        parts["config", keys[plan.config.id]] = {
            "status": plan.config.status,
            "render_context": _worded(plan.config.render_context, keys),
            "content": plan.config.content,
        }
    parts |= _profile(plan)
    for binding in plan.bindings:
        parts["binding", binding.slot] = {
            "type": binding.type,
            "resource": keys[binding.resource_id],
        }
    return parts


def _profile(plan: Plan) -> dict[Part, dict[str, Any]]:
    match plan.profile:
        case InlineProfile() as inline:
            return {("profile", inline.name): _fields(asdict(inline), {})}
        case ProfileReference(id=profile_id, name=name):
            return {("profile", profile_id or name): {}}
    return {}


def _fields(values: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: _worded(value, keys)
        for name, value in values.items()
        if name not in _NOT_COMPARED and value not in (None, (), {}, "")
    }


def _worded(value: Any, keys: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON
    """Return ``value`` with the IDs of the plan's parts in words, and tuples as lists."""
    match value:
        case str():
            return f"(ID of {keys[value]})" if value in keys else value
        case dict():
            return {name: _worded(item, keys) for name, item in value.items()}
        case list() | tuple():
            return [_worded(item, keys) for item in value]
    return value


def _changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, FieldChange]:
    return {
        name: FieldChange(old.get(name), new.get(name))
        for name in (*new, *(name for name in old if name not in new))
        if old.get(name) != new.get(name)
    }


def _secret_words(key: str) -> str:
    return f"(secret of {key})"


def with_kept_secrets(parameters: JsonObject, old: Plan | None) -> JsonObject:
    """Return parameters in which a mask stands for the secret that the gateway has already."""
    held = old.secret_parameters if old else {}
    return {
        name: held[name].reveal() if value == MASK and name in held else value
        for name, value in parameters.items()
    }


def without_secrets(plan: Plan) -> Mapping[str, Secret]:
    """Return the words that stand for the secrets of the plan's clients, by their IDs."""
    return {client.id: Secret(_secret_words(client.key)) for client in plan.clients}


PartKind: TypeAlias = Literal["client", "channel", "connection", "certificate", "config", "binding"]


class DriftKind(StrEnum):
    """What happened to a part."""

    DELETED = "deleted"
    DISABLED = "disabled"
    CHANGED = "changed"
    REVOKED = "revoked"
    ENDED = "ended"
    """Its time is over: a certificate that nobody renewed."""


class Remedy(StrEnum):
    """What puts a part right."""

    REPAIR = "repair"
    """The same request again, with ``on_existing`` "repair"."""
    ENABLE = "enable"
    """Enabling it on the platform; a repair leaves what was disabled as it is."""
    EDIT = "edit"
    """Changing it back on the platform, or taking the change over into the layout."""


@frozen
class Difference:
    """One part that is no longer as it was made; ``fields`` are before (made) and after (found)."""

    drift: DriftKind
    kind: PartKind
    key: str
    remedy: Remedy
    fields: Mapping[str, FieldChange] = field(factory=dict)


@frozen
class Drift:
    """All differences found; ``unknown`` is why the platform could not be asked for all parts."""

    differences: tuple[Difference, ...] = ()
    unknown: PlatformError | None = None


@frozen
class DriftFinder:
    """Compares what was made of a gateway with what is there now.

    ``now`` tells the time that certificates are held against.
    """

    platform: Platform
    authority: CertificateAuthority
    engine: AsyncEngine
    enroller: Enroller
    now: Callable[[], datetime]

    async def find(self, caller: Caller, onboarding: Onboarding) -> Drift:
        """Return how the gateway differs from what its onboarding made.

        One that is being worked on has no drift yet. A caller who is no member of the domain, or
        may not see a part, gets ``unknown``, like one for whom the platform is not to be reached:
        to such a caller everything would look deleted.
        """
        if onboarding.state is not State.DONE:
            return Drift()
        intent = onboarding.intent
        member = self.platform.view_domain(caller.token, caller.domain_id)
        visibility = self._visibility(caller, intent)
        reads = self._reads(caller, visibility, intent)
        found = await asyncio.gather(member, *reads, return_exceptions=True)
        unknown: PlatformError | None = None
        differences: list[Difference] = []
        for result in found[1:]:
            match result:
                case list():
                    differences += result
                case PlatformError():
                    unknown = unknown or result
                case BaseException():
                    raise result
        if isinstance(found[0], PlatformError):
            return Drift(unknown=found[0])
        if isinstance(found[0], BaseException):
            raise found[0]
        return Drift(tuple(_without_consequences(differences)), unknown)

    async def find_clients(self, caller: Caller, onboarding: Onboarding) -> Drift:
        """Return how the gateway's clients alone differ; one round of reads, one for each."""
        intent = onboarding.intent
        visibility = self._visibility(caller, intent)
        reads = [self._entity(visibility, "client", client) for client in intent.plan.clients]
        try:
            found = await all_of(reads)
        except PlatformError as error:
            return Drift(unknown=error)
        return Drift(tuple(difference for differences in found for difference in differences))

    def _visibility(self, caller: Caller, intent: Intent) -> Visibility:
        made_it = bool(caller.user_id) and caller.user_id == intent.made_by
        return Visibility(self.platform, Asker(caller.token, caller.domain_id, made_it))

    def _reads(
        self, caller: Caller, visibility: Visibility, intent: Intent
    ) -> Iterator[Awaitable[list[Difference]]]:
        plan = intent.plan
        for client in plan.clients:
            yield self._entity(visibility, "client", client)
        for channel in plan.channels:
            yield self._entity(visibility, "channel", channel)
            yield self._connections(caller, visibility, plan, channel)
        for certificate in plan.certificates:
            yield self._certificate(caller, intent, certificate.client_id)
        yield self._config(plan)

    async def _entity(
        self, visibility: Visibility, kind: EntityKind, made: PlannedEntity
    ) -> list[Difference]:
        try:
            found = await visibility.view(kind, made.id)
        except Moved:
            moved = {"domain": FieldChange(visibility.asker.domain_id, "(another one)")}
            return [Difference(DriftKind.CHANGED, kind, made.key, Remedy.REPAIR, moved)]
        if found is None:
            return [_deleted(kind, made.key)]
        return list(_differences(kind, made, found))

    async def _connections(
        self, caller: Caller, visibility: Visibility, plan: Plan, channel: PlannedChannel
    ) -> list[Difference]:
        wanted = {
            pair.client_id: frozenset(pair.types)
            for pair in plan.pairs
            if pair.channel_id == channel.id
        }
        if not wanted:
            return []
        try:
            connected = await connected_clients(
                self.platform, caller.token, caller.domain_id, channel.id, among=tuple(wanted)
            )
        except NotFound:
            return []  # what became of the channel itself is told by its own read
        keys = {client.id: f"{client.key} - {channel.key}" for client in plan.clients}
        lost = [client_id for client_id in wanted if client_id not in connected]
        # The list shows no client that the caller may not see, connected or not.
        await visibility.missing("client", lost)
        differences = [_deleted("connection", keys[client_id]) for client_id in lost]
        for client_id, types in wanted.items():
            held = connected.get(client_id, types)
            if held != types:
                differences.append(_changed_types(keys[client_id], types, held))
        return differences

    async def _certificate(
        self, caller: Caller, intent: Intent, client_id: str
    ) -> list[Difference]:
        key = intent.plan.entity(client_id).key
        serial = next((c.serial for c in intent.certificates if c.client_id == client_id), "")
        found = await self.authority.list_certificates(caller.token, caller.domain_id, client_id)
        held = next((listed for listed in found if listed.serial == serial), None)
        if held is None:
            return [_deleted("certificate", key)]
        if held.revoked:
            return [Difference(DriftKind.REVOKED, "certificate", key, Remedy.REPAIR)]
        if held.expires_at <= self.now():
            return [Difference(DriftKind.ENDED, "certificate", key, Remedy.REPAIR)]
        return []

    async def _config(self, plan: Plan) -> list[Difference]:
        if plan.config is None:
            return []
        async with self.engine.connect() as connection:
            present = await self.enroller.view(connection, plan.domain_id, plan.config.id)
        if present is None:
            return [_deleted("config", plan.entity(plan.config.id).key)]
        bound = {binding.slot for binding in present.bindings}
        lost = [binding.slot for binding in plan.bindings if binding.slot not in bound]
        return [_deleted("binding", slot) for slot in lost]


def _deleted(kind: PartKind, key: str) -> Difference:
    return Difference(DriftKind.DELETED, kind, key, Remedy.REPAIR)


def _changed_types(key: str, made: Types, found: Types) -> Difference:
    """Return what became of a connection; a repair gives lost types back, and takes none away."""
    remedy = Remedy.EDIT if made <= found else Remedy.REPAIR
    types = FieldChange(*(sorted(kind.value for kind in side) for side in (made, found)))
    return Difference(DriftKind.CHANGED, "connection", key, remedy, {"types": types})


def _differences(kind: EntityKind, made: PlannedEntity, found: Entity) -> Iterator[Difference]:
    if found.status is not Status.ENABLED:
        yield Difference(DriftKind.DISABLED, kind, made.key, Remedy.ENABLE)
    pairs: dict[str, tuple[Any, Any]] = {
        "name": (made.name, found.name),
        "tags": (list(made.tags), list(found.tags)),
        "metadata": (made.metadata, dict(found.metadata)),
    }
    fields = {
        name: FieldChange(before, after)
        for name, (before, after) in pairs.items()
        if _json(before) != _json(after)
    }
    if fields:
        yield Difference(DriftKind.CHANGED, kind, made.key, Remedy.EDIT, fields)
    if not (isinstance(found, Client) and isinstance(made, PlannedClient)):
        return
    if found.secret and found.secret != made.secret:
        words = FieldChange(f"(secret of {made.key})", "(another one)")
        yield Difference(DriftKind.CHANGED, kind, made.key, Remedy.REPAIR, {"secret": words})


def _json(value: object) -> object:
    """Return ``value`` as JSON has it: lists for tuples; 1.0 equals the 1 that Go makes of it."""
    return json.loads(json.dumps(value))


def _without_consequences(differences: list[Difference]) -> Iterator[Difference]:
    """Yield all but the connections that went with their client or channel."""
    gone = {(found.kind, found.key) for found in differences if found.drift is DriftKind.DELETED}
    for found in differences:
        client, _, channel = found.key.partition(" - ")
        with_it = ("client", client) in gone or ("channel", channel) in gone
        if found.kind != "connection" or not with_it:
            yield found
