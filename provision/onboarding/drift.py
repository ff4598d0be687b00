"""What became of a gateway on the platform behind the journal's back. Nothing is changed here.

One round of reads, all side by side; only what seems to be gone is asked for once more.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

from attrs import field, frozen
from sqlalchemy.ext.asyncio import AsyncEngine

from bootstrap_core.enrolling import Enroller
from bootstrap_core.model import Caller
from provision.layout.plan import Plan, PlannedChannel, PlannedClient
from provision.onboarding.comparison import FieldChange
from provision.onboarding.model import Intent, Onboarding, State
from provision.platform.errors import NotFound, PlatformError
from provision.platform.port import CertificateAuthority, Platform
from provision.platform.types import (
    Channel,
    ChannelQuery,
    Client,
    ClientQuery,
    Status,
    StatusFilter,
)

PAGE: Final = 100

Kind: TypeAlias = Literal["client", "channel", "connection", "certificate", "config", "binding"]


class Fate(StrEnum):
    """What happened to a part."""

    DELETED = "deleted"
    DISABLED = "disabled"
    CHANGED = "changed"
    REVOKED = "revoked"


class Cure(StrEnum):
    """What puts a part right."""

    REPAIR = "repair"
    """The same request again, with ``on_existing`` "repair"."""
    ENABLE = "enable"
    """Enabling it on the platform; a repair leaves what was disabled as it is."""
    EDIT = "edit"
    """Changing it back on the platform, or taking the change over into the layout."""


@frozen
class Deviation:
    """One part that is no longer as it was made; ``fields`` are before (made) and after (found)."""

    fate: Fate
    kind: Kind
    key: str
    cure: Cure
    fields: Mapping[str, FieldChange] = field(factory=dict)


@frozen
class Drift:
    """All deviations found; ``unknown`` is why the platform could not be asked for all parts."""

    deviations: tuple[Deviation, ...] = ()
    unknown: PlatformError | None = None


class DriftFinder:
    """Compares what was made of a gateway with what is there now."""

    def __init__(
        self,
        platform: Platform,
        authority: CertificateAuthority,
        engine: AsyncEngine,
        enroller: Enroller,
    ) -> None:
        """Ask ``platform`` and ``authority``; the config is looked up with ``enroller``."""
        self._platform = platform
        self._authority = authority
        self._engine = engine
        self._enroller = enroller

    async def find(self, caller: Caller, onboarding: Onboarding) -> Drift:
        """Return how the gateway differs from what its onboarding made.

        One that is being worked on has no drift yet. A caller who is no member of the domain gets
        ``unknown``, like one for whom the platform is not to be reached: to such a caller
        everything would look deleted.
        """
        if onboarding.state is not State.DONE:
            return Drift()
        intent = onboarding.intent
        member = self._platform.view_domain(caller.token, caller.domain_id)
        found = await asyncio.gather(member, *self._reads(caller, intent), return_exceptions=True)
        unknown: PlatformError | None = None
        deviations: list[Deviation] = []
        for each in found[1:]:
            match each:
                case list():
                    deviations += each
                case PlatformError():
                    unknown = unknown or each
                case BaseException():
                    raise each
        if isinstance(found[0], PlatformError):
            return Drift(unknown=found[0])
        if isinstance(found[0], BaseException):
            raise found[0]
        return Drift(tuple(_without_consequences(deviations)), unknown)

    def _reads(self, caller: Caller, intent: Intent) -> Iterator[Awaitable[list[Deviation]]]:
        plan = intent.plan
        for client in plan.clients:
            yield self._client(caller, client)
        for channel in plan.channels:
            yield self._channel(caller, channel)
            yield self._connections(caller, plan, channel)
        for certificate in plan.certificates:
            yield self._certificate(caller, intent, certificate.client_id)
        yield self._config(plan)

    async def _client(self, caller: Caller, made: PlannedClient) -> list[Deviation]:
        try:
            found = await self._platform.view_client(caller.token, caller.domain_id, made.id)
        except NotFound:
            query = ClientQuery(id=made.id, limit=1, status=StatusFilter.ALL)
            page = await self._platform.list_clients(caller.token, caller.domain_id, query)
            if page.total:
                raise
            return [_deleted("client", made.key)]
        deviations = list(_differences("client", made, found))
        if found.secret and found.secret != made.secret:
            words = FieldChange(f"(secret of {made.key})", "(another one)")
            deviations.append(
                Deviation(Fate.CHANGED, "client", made.key, Cure.REPAIR, {"secret": words})
            )
        return deviations

    async def _channel(self, caller: Caller, made: PlannedChannel) -> list[Deviation]:
        try:
            found = await self._platform.view_channel(caller.token, caller.domain_id, made.id)
        except NotFound:
            query = ChannelQuery(id=made.id, limit=1, status=StatusFilter.ALL)
            page = await self._platform.list_channels(caller.token, caller.domain_id, query)
            if page.total:
                raise
            return [_deleted("channel", made.key)]
        return list(_differences("channel", made, found))

    async def _connections(
        self, caller: Caller, plan: Plan, channel: PlannedChannel
    ) -> list[Deviation]:
        wanted = [pair.client_id for pair in plan.pairs if pair.channel_id == channel.id]
        if not wanted:
            return []
        try:
            connected = await self._clients_of(caller, channel.id)
        except NotFound:
            return []  # what became of the channel itself is told by its own read
        keys = {each.id: each.key for each in plan.clients}
        return [
            _deleted("connection", f"{keys[each]} - {channel.key}")
            for each in wanted
            if each not in connected
        ]

    async def _clients_of(self, caller: Caller, channel_id: str) -> set[str]:
        found: set[str] = set()
        while True:
            query = ClientQuery(
                channel_id=channel_id, offset=len(found), limit=PAGE, status=StatusFilter.ALL
            )
            page = await self._platform.list_clients(caller.token, caller.domain_id, query)
            found.update(each.id for each in page.items)
            if not page.items or len(found) >= page.total:
                return found

    async def _certificate(self, caller: Caller, intent: Intent, client_id: str) -> list[Deviation]:
        key = next(each.key for each in intent.plan.clients if each.id == client_id)
        serial = next((c.serial for c in intent.certificates if c.client_id == client_id), "")
        listed = await self._authority.list_certificates(caller.token, caller.domain_id, client_id)
        held = next((each for each in listed if each.serial == serial), None)
        if held is None:
            return [_deleted("certificate", key)]
        if held.revoked:
            return [Deviation(Fate.REVOKED, "certificate", key, Cure.REPAIR)]
        return []

    async def _config(self, plan: Plan) -> list[Deviation]:
        if plan.config is None:
            return []
        async with self._engine.connect() as connection:
            present = await self._enroller.view(connection, plan.domain_id, plan.config.id)
        if present is None:
            key = next(each.key for each in plan.clients if each.id == plan.config.id)
            return [_deleted("config", key)]
        bound = {each.slot for each in present.bindings}
        return [_deleted("binding", each.slot) for each in plan.bindings if each.slot not in bound]


def _deleted(kind: Kind, key: str) -> Deviation:
    return Deviation(Fate.DELETED, kind, key, Cure.REPAIR)


def _differences(
    kind: Kind, made: PlannedClient | PlannedChannel, found: Client | Channel
) -> Iterator[Deviation]:
    if found.status is not Status.ENABLED:
        yield Deviation(Fate.DISABLED, kind, made.key, Cure.ENABLE)
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
        yield Deviation(Fate.CHANGED, kind, made.key, Cure.EDIT, fields)


def _json(value: object) -> object:
    """Return ``value`` as JSON has it: lists for tuples; 1.0 equals the 1 that Go makes of it."""
    return json.loads(json.dumps(value))


def _without_consequences(deviations: list[Deviation]) -> Iterator[Deviation]:
    """Yield all but the connections that went with their client or channel."""
    gone = {(each.kind, each.key) for each in deviations if each.fate is Fate.DELETED}
    for each in deviations:
        client, _, channel = each.key.partition(" - ")
        with_it = ("client", client) in gone or ("channel", channel) in gone
        if each.kind != "connection" or not with_it:
            yield each
